"""What is left of a recording whose process is killed (SIGKILL) at a random moment.

    python -m benchmarks.kills [--kills N] [--seed S]

A small network is trained as fast as it goes, at level structure and at statistics in turns, and notes in memory that
outlives it when each step ended and what its loss was. It is killed between 0 and 0.8 s later. Its tape is opened at
once: it must say that it ended abruptly, and hold the loss of every step that ended more than 100 ms before the kill.
How much was lost is how long ago the oldest step ended that is missing.
"""

import argparse
import gc
import itertools
import mmap
import os
import random
import shutil
import signal
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from tracer import Tape, TapeError, record

ALLOWED_MS = 100.0
MOST_SECS = 0.8
PATIENCE_SECS = 60.0
_NOTE = struct.Struct("dd")  # time.monotonic() at the end of a step, its loss
_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one kill. `problem` says why the tape could not be used, "" where it could."""

    problem: str
    state: str = ""
    n_ended: int = 0
    n_lost: int = 0
    lost_ms: float = 0.0
    opening_ms: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{args.kills} kills, seed {args.seed}")
    chance = random.Random(args.seed)
    folder = Path(tempfile.mkdtemp())
    try:
        train(folder / "first.tape", "statistics", None)  # so that no child has to import what it needs
        gc.collect()
        gc.freeze()  # else a child's collector stands still while it copies all of PyTorch, as no training's does
        outcomes = [kill(folder, number, chance.uniform(0, MOST_SECS)) for number in range(args.kills)]
    finally:
        shutil.rmtree(folder)
    return report(outcomes)


def kill(folder: Path, number: int, after_secs: float) -> Outcome:
    """Train in a process of its own, kill it `after_secs` after its first step, look at its tape."""
    path = folder / f"{number}.tape"
    with mmap.mmap(-1, _MOST_STEPS * _NOTE.size) as notes:
        trainer = os.fork()
        if not trainer:
            train(path, "structure" if number % 2 else "statistics", notes)
            os._exit(1)  # it was to be killed
        patience_ends = time.monotonic() + PATIENCE_SECS
        while not any(notes[: _NOTE.size]) and time.monotonic() < patience_ends:
            time.sleep(0.001)
        time.sleep(after_secs)
        os.kill(trainer, signal.SIGKILL)
        killed = time.monotonic()
        os.waitpid(trainer, 0)
        ended = list(itertools.takewhile(lambda note: note[0], _NOTE.iter_unpack(notes[:])))
    return look(path, ended, killed)


def train(path: Path, level: str, notes: mmap.mmap | None) -> None:
    """Until the process is killed; without `notes` a step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(path, level=level, control=False):
        for step in range(1 if notes is None else _MOST_STEPS):
            x = torch.randn(8, 16)
            loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if notes is not None:
                _NOTE.pack_into(notes, step * _NOTE.size, time.monotonic(), loss.item())


def look(path: Path, ended: list[tuple[float, float]], killed: float) -> Outcome:
    started = time.perf_counter()
    try:
        with Tape(path) as tape:
            opening_ms = 1e3 * (time.perf_counter() - started)
            state, n_kept, losses = tape.state, len(tape), list[float]()
            if n_kept:
                tape.graph(-1)
                losses = tape.series("loss")[1].tolist()
    except TapeError as error:
        return Outcome(str(error))
    if len(losses) != n_kept or losses[: len(ended)] != [loss for _, loss in ended[:n_kept]]:
        return Outcome(f"{path.name} does not hold the losses of the training.")
    lost = ended[n_kept:]
    lost_ms = 1e3 * (killed - lost[0][0]) if lost else 0.0
    return Outcome("", state, len(ended), len(lost), lost_ms, opening_ms)


def report(outcomes: list[Outcome]) -> int:
    n = len(outcomes)
    opened = [outcome for outcome in outcomes if not outcome.problem]
    for outcome in outcomes:
        if outcome.problem:
            print(outcome.problem, file=sys.stderr)
    n_abrupt = sum(outcome.state == "abrupt" for outcome in opened)
    n_met = sum(outcome.lost_ms <= ALLOWED_MS for outcome in opened)
    print(f"opened                         {len(opened)}/{n}")
    print(f"state abrupt                   {n_abrupt}/{n}")
    for title, unit, values in _figures(opened):
        print(f"{title:<30} median {statistics.median(values):.1f}, max {max(values):.1f} {unit}")
    print(f"nothing older than {ALLOWED_MS:.0f} ms lost  {n_met}/{n}")
    return 0 if len(opened) == n_abrupt == n_met == n else 1


def _figures(opened: list[Outcome]) -> Iterator[tuple[str, str, list[float]]]:
    if opened:
        yield "steps before the kill", "", [float(outcome.n_ended) for outcome in opened]
        yield "lost", "ms", [outcome.lost_ms for outcome in opened]
        yield "lost", "steps", [float(outcome.n_lost) for outcome in opened]
        yield "opening", "ms", [outcome.opening_ms for outcome in opened]


if __name__ == "__main__":
    sys.exit(main())
