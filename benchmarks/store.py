"""What a tape costs the training, and how it serves a reader after a million steps.

    python -m benchmarks.store [--steps N]

First the appending: steps of a known structure with 10 scalars and 4 columns x 1,000 nodes of float32, RATE a second
for SECONDS, on a free disk and on one that stands still (another process holds the file's lock). The floor is the same
bytes written by SQLite alone, in as many transactions. Then N steps (1,000,000) of the MLP demo's records with 10
scalars, and a reader of them in a process of its own. Figures of a busy machine are too high.
"""

import argparse
import contextlib
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.store.samples import META, step_record, structure_record
from tracer import Tape
from tracer.model.records import Step
from tracer.model.statistics import Statistics, Table
from tracer.store.records import StatisticsRecord, StepRecord, StructureRecord
from tracer.store.writer import Writer

Pace = Callable[[float, float, Callable[[int], object]], None]

ROOT = Path(__file__).resolve().parents[1]
RATE, SECONDS, STALL_SECONDS = 500, 10.0, 4.0
BATCH_STEPS, BURST_STEPS = 10, 100  # in 20 ms; without a pace
KEYS = tuple(f"layers.{k}#0/AddmmBackward0:0" for k in range(1000))
COLUMNS = ("mean", "std", "min", "max")
SCALARS = tuple("loss lr grad_norm accuracy throughput temperature entropy kl value_loss reward".split())
LONG_STEPS = 1_000_000
N_STEPS_READ, POINTS = 300, 2000
BURST = 2_000  # what the queue takes without dropping graphs
HOLD_LOCK = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
held.execute("ROLLBACK")
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=LONG_STEPS)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read is not None:
        measure_reading(args.read)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        measure_appending(Path(folder))
        long = write_long(Path(folder), args.steps)
        subprocess.run([sys.executable, "-m", "benchmarks.store", "--read", str(long)], cwd=ROOT, check=True)
    return 0


def measure_appending(folder: Path) -> None:
    records = Records()
    took = measure_cpu("at its pace", folder, records, pace=paced)
    report_appending("appending a step with measurements", took)
    measure_cpu("one after the other", folder, records, pace=unpaced)
    with recording(folder / "stalled.tape") as writer:
        paced(RATE, 0.5, lambda index: records.append(writer, index))
        stalled: list[float] = []
        with locked(folder / "stalled.tape"):
            paced(RATE, STALL_SECONDS - 1, lambda index: stalled.append(records.append(writer, 1000 + index)))
    report_appending("the same while the disk stands still", stalled)


def measure_cpu(name: str, folder: Path, records: "Records", pace: Pace) -> list[float]:
    """Reports the CPU time of all threads, less that of making the records, beside the floor; seconds that each append
    took. A processor that was idle before, as it is where steps come at a pace, takes twice as long for the same."""
    took: list[float] = []
    making = cpu_of(lambda: pace(RATE, SECONDS, records.make))
    floor = cpu_of(lambda: write_plainly(folder / f"{name}.db", pace)) - cpu_of(lambda: pace(RATE, SECONDS, id))
    with recording(folder / f"{name}.tape") as writer:

        def act(index: int) -> None:
            took.append(records.append(writer, index))
            if pace is unpaced and index % BURST_STEPS == 0:
                writer.flush(60)

        cpu = cpu_of(lambda: (pace(RATE, SECONDS, act), writer.flush(60))) - making
    n = len(took)
    figures = f"{cpu / n * 1e6:.0f} us, floor {floor / n * 1e6:.0f} us, x{cpu / floor:.2f}"
    report(f"CPU of all threads for a step, {name}", figures, "80 us")
    return took


class Records:
    """Steps whose values differ, as real ones do."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._graph = structure_record(1000)
        nothing = Table((), (), np.empty((0, 0)))
        tables = (Table(KEYS, COLUMNS, rng.normal(size=(1000, 4)).astype("f4").astype("f8")) for _ in range(32))
        self._measured = [Statistics(nothing, nothing, table, (), np.empty(0)) for table in tables]
        self._values = rng.normal(size=(997, len(SCALARS))).tolist()

    def make(self, index: int) -> tuple[StepRecord, StatisticsRecord]:
        scalars = dict(zip(SCALARS, self._values[index % 997], strict=True))
        step = replace(step_record(index, self._graph), scalars=scalars, level="statistics")
        return step, StatisticsRecord(index, self._measured[index % 32])

    def append(self, writer: Writer, index: int) -> float:
        """Seconds that the training thread spent, not counting what it makes."""
        step, measured = self.make(index)
        begin = time.perf_counter()
        writer.append(step)
        writer.append(measured)
        return time.perf_counter() - begin


def write_plainly(path: Path, pace: Pace) -> None:
    """As many bytes, a row for each step, as many in a transaction: what no store on SQLite can do without."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("page_size=16384", "journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=256"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE step(id INTEGER PRIMARY KEY, data BLOB)")
    waiting: list[bytes] = []
    n_together = BURST_STEPS if pace is unpaced else BATCH_STEPS

    def add(index: int) -> None:
        waiting.append(os.urandom(4) + bytes(16_200))
        if len(waiting) == n_together:
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO step(data) VALUES (?)", ((data,) for data in waiting))
            connection.execute("COMMIT")
            waiting.clear()

    pace(RATE, SECONDS, add)
    connection.close()


def write_long(folder: Path, n_steps: int) -> Path:
    """A tape as the MLP demo writes it, only longer."""
    demo = record_demo(folder)
    path = folder / "long.tape"
    begin = time.perf_counter()
    cpu = time.process_time()
    rng = np.random.default_rng(0)
    with recording(path) as writer:
        for first in range(0, n_steps, BURST):
            values = rng.normal(size=(BURST, len(SCALARS))).astype("f4").astype("f8").tolist()
            for index, row in enumerate(values[: n_steps - first], first):
                writer.append(
                    replace(demo[index % len(demo)], index=index, scalars=dict(zip(SCALARS, row, strict=True)))
                )
            writer.flush(60)
    took = time.perf_counter() - begin
    print(f"wrote {n_steps:,} steps in {took:.0f} s, {(time.process_time() - cpu) / n_steps * 1e6:.0f} us of CPU each")
    report("size of the file", f"{path.stat().st_size / 1e6:.0f} MB", f"{120 * n_steps / LONG_STEPS:.0f} MB")
    return path


def record_demo(folder: Path) -> list[StepRecord]:
    """What the MLP demo gave the writer, but for its scalars."""
    path = folder / "demo.tape"
    command = ["main.py", "run", "--headless", "--max-steps", "40", "-o", str(path), "assets/demos/mnist_mlp.py"]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    with Tape(path) as tape:
        numbers = tape.table.column("structures").tolist()
        records = {}
        for step, number in zip(tape.steps, numbers, strict=True):
            known = StructureRecord(tape.structure(number), step.topology_id, step.shape_id)
            records.setdefault(number, known)
        return [_record(step, records[number]) for step, number in zip(tape.steps, numbers, strict=True)]


def _record(step: Step, structure: StructureRecord) -> StepRecord:
    duration_ns = round(step.duration_secs * 1e9)
    facts = step.phase, step.optimizer, step.started_ns, duration_ns, step.level, step.passes
    return StepRecord(step.index, structure, (), *facts, {})


def measure_reading(path: Path) -> None:
    before = peak_bytes()
    begin = time.perf_counter()
    tape = Tape(path)
    report("open", f"{(time.perf_counter() - begin) * 1e3:.0f} ms", "500 ms")
    n = len(tape)
    chosen = random.Random(0).sample(range(n), min(N_STEPS_READ, n))
    report_times("a step's record at random", [timed(lambda index=index: tape.step(index)) for index in chosen], 10)
    zooms = [(0, n - 1), *((at, at + n // 2**k) for k in range(1, 16) for at in (0, n // 3))]
    curves = [timed(lambda zoom=zoom: tape.curve("loss", *zoom, points=POINTS)) for zoom in zooms]
    report_times(f"the loss curve, {len(zooms)} zooms", curves, 50)
    report("last graph", f"{timed(lambda: tape.graph(n - 1)) * 1e3:.0f} ms", "1,000 ms with opening")
    report("memory that the reader added", f"{(peak_bytes() - before) / 1e6:.0f} MB", "200 MB")
    report("all values of one scalar", f"{timed(lambda: tape.series('loss')) * 1e3:.0f} ms", "")
    report("columns of all steps", f"{timed(lambda: tape.table) * 1e3:.0f} ms", "")
    report("everything, as the app reads it", f"{timed(tape.refresh) * 1e3:.0f} ms", "")
    report("memory in all, by then", f"{peak_bytes() / 1e6:.0f} MB", "")
    tape.close()


@contextlib.contextmanager
def recording(path: Path) -> Iterator[Writer]:
    writer = Writer(path, META)
    try:
        yield writer
    finally:
        writer.close("closed")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nothing can be written to the tape: a disk that does not answer, as far as the writer can tell."""
    command = [sys.executable, "-c", HOLD_LOCK, str(path), str(STALL_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        yield


def paced(rate: float, seconds: float, act: Callable[[int], object]) -> None:
    begin = time.perf_counter()
    for index in range(int(rate * seconds)):
        act(index)
        time.sleep(max(0.0, begin + (index + 1) / rate - time.perf_counter()))


def unpaced(rate: float, seconds: float, act: Callable[[int], object]) -> None:
    for index in range(int(rate * seconds)):
        act(index)


def cpu_of(act: Callable[[], object]) -> float:
    """Seconds of CPU, of all threads."""
    begin = time.process_time()
    act()
    return time.process_time() - begin


def timed(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report_appending(name: str, took: list[float]) -> None:
    ordered = sorted(secs * 1e6 for secs in took)
    p99 = ordered[int(0.99 * len(ordered))]
    figures = f"median {statistics.median(ordered):.1f} us, 99 % {p99:.0f} us, worst {ordered[-1] / 1e3:.2f} ms"
    report(name, figures, "10 us, 100 us, 5 ms")


def report_times(name: str, took: list[float], bar_ms: float) -> None:
    report(name, f"median {statistics.median(took) * 1e3:.1f} ms, worst {max(took) * 1e3:.1f} ms", f"{bar_ms:.0f} ms")


def report(name: str, figures: str, bar: str) -> None:
    print(f"{name:<40} {figures}{f'   (bar: {bar})' if bar else ''}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
