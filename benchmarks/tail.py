"""How soon readers of a live tape see a step, and what looking for one costs them, on a short tape and on a long one.

    python -m benchmarks.tail [--steps N]

One process writes 100 steps a second, each with the time at which it ended; READERS others follow the tape. The same
again on a tape that has N (500,000) steps already, which the readers open while it grows: how long until they have all
of it and the last graph. The last figures are a reader's CPU in a second without news.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.store import BURST, SCALARS, paced, recording, report
from tests.store.samples import step_record, structure_record
from tracer import Tape

ROOT = Path(__file__).resolve().parents[1]
RATE, SECONDS, QUIET_SECONDS, READERS = 100, 8.0, 3.0, 3
LONG_STEPS = 500_000


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=LONG_STEPS)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read is not None:
        print(json.dumps(follow(args.read, only_open=args.once)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for n_steps in (0, args.steps):
            measure(Path(folder) / f"{n_steps}.tape", n_steps)
    return 0


def measure(path: Path, n_steps: int) -> None:
    graph = structure_record(20)
    others = dict.fromkeys(SCALARS[1:], 0.5)
    with recording(path) as writer:
        for index in range(n_steps):
            writer.append(step_record(index, graph, ended=0.0, **others))
            if index % BURST == 0:
                writer.flush(60)
        writer.flush(60)
        command = [sys.executable, "-m", "benchmarks.tail", "--read", str(path)]
        alone = json.loads(subprocess.run([*command, "--once"], cwd=ROOT, capture_output=True, check=True).stdout)
        readers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(READERS)]

        def end_a_step(index: int) -> None:
            writer.append(step_record(n_steps + index, graph, ended=time.monotonic(), **others))

        paced(RATE, SECONDS, end_a_step)
        writer.flush()
        time.sleep(QUIET_SECONDS)
    found = [json.loads(reader.communicate()[0]) for reader in readers]
    latencies = [secs for reader in found for secs in reader["latencies"]]
    ordered = sorted(secs * 1e3 for secs in latencies)
    middle, p99 = statistics.median(ordered), ordered[int(0.99 * len(ordered))]
    figures = f"median {middle:.0f} ms, 99 % {p99:.0f}, worst {ordered[-1]:.0f}"
    name = f"{READERS} readers, {n_steps:,} steps before"
    report(f"{name}: a step is seen", figures, "50 ms")
    together = max(reader["usable"] for reader in found)
    usable = f"{alone['usable'] * 1e3:.0f} ms, the last of {READERS} that open at once {together * 1e3:.0f} ms"
    report(f"{name}: a reader is usable in", usable, "1,000 ms")
    report(f"{name}: looking", f"{max(reader['idle'] for reader in found) * 1e3:.1f} ms of CPU a second", "")


def follow(path: Path, *, only_open: bool) -> dict[str, object]:
    """As `Tape.follow` does. Of steps that end while the tape is being opened, `usable` tells."""
    begin = time.monotonic()
    with Tape(path) as tape:
        tape.refresh()
        if len(tape):
            tape.graph(len(tape) - 1)
        opened = time.monotonic()
        latencies: list[float] = []
        last, cpu, idle = time.monotonic(), time.process_time(), 0.0
        while not only_open and time.monotonic() - last < 2.0:
            steps, ends = tape.refresh().scalars.get("ended", ((), ()))
            now = time.monotonic()
            if len(steps):
                latencies += [now - end for end in ends if end > opened]
                last, cpu = now, time.process_time()
            elif now - last > 1.0 and idle == 0.0:
                idle = (time.process_time() - cpu) / (now - last)
            time.sleep(0.01)
    return {"usable": opened - begin, "latencies": latencies, "idle": idle}


if __name__ == "__main__":
    sys.exit(main())
