"""Milliseconds to say why two large graphs differ, beside what it takes to find that they do.

    python -m benchmarks.causes [--turns N]

The graphs are of recorded steps of an LSTMCell stepped in Python: one turn more, a tenth more, another batch, and all
but one turn gone. CPU times of both in turn, in one process; medians. Garbage collection is off, as in the app's
workers. The bar is for graphs of 50,000 nodes, the default.
"""

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.graphs import UnrolledCell
from tracer import Tape, record
from tracer.model.causes import causes
from tracer.model.diff import diff

REPEATS = 5
TURNS = 3_300  # 15 nodes each
BAR_MS = 1_000


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    node_count: int
    diff_ms: float
    causes_ms: float
    first: str

    def __str__(self) -> str:
        ratio = f"x{self.causes_ms / self.diff_ms:.2f}"
        times = f"diff {self.diff_ms:7.1f} ms   causes {self.causes_ms:7.1f} ms {ratio:>6}"
        met = "met   " if self.causes_ms <= BAR_MS else "MISSED"
        return f"  {self.name:18}{self.node_count:7,} nodes   {times}   of {BAR_MS:,} {met}   {self.first}"


def record_steps(tape: Path, turns: int) -> dict[str, tuple[int, int]]:
    """Pairs of steps by what differs between them. The first graph comes twice: the second time its lines are noted."""
    model = UnrolledCell(turns)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    with record(tape):
        for length, batch in ((turns, 4), (turns, 4), (turns + 1, 4), (turns + turns // 10, 4), (turns, 2), (1, 4)):
            model.turns = length
            optimizer.zero_grad()
            model(torch.randn(batch, length, 8)).square().mean().backward()
            optimizer.step()
    return {"one turn more": (1, 2), "a tenth more": (1, 3), "another batch": (1, 4), "all gone but one": (1, 5)}


def measure(name: str, tape: Tape, steps: tuple[int, int]) -> Figure:
    before, after = tape.graph(steps[0]), tape.graph(steps[1])
    found = diff(before, after)
    explained = causes(before, after, found)
    times: tuple[list[float], list[float]] = ([], [])
    actions: tuple[Callable[[], object], ...] = (
        lambda: diff(before, after),
        lambda: causes(before, after, found),
    )
    for _ in range(REPEATS):
        for action, spent in zip(actions, times, strict=True):
            gc.collect()
            started = time.process_time()
            action()
            spent.append((time.process_time() - started) * 1_000)
    diff_ms, causes_ms = (statistics.median(spent) for spent in times)
    return Figure(name, max(len(before), len(after)), diff_ms, causes_ms, explained[0].text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=TURNS)
    turns = parser.parse_args().turns
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.tape"
        pairs = record_steps(path, turns)
        with Tape(path) as tape:
            figures = [measure(name, tape, steps) for name, steps in pairs.items()]
    print("\n".join(map(str, figures)))
    return int(any(figure.causes_ms > BAR_MS for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
