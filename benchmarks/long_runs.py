"""How soon the app is of use on a tape of half a million steps, how long its window stands still, and what it holds.

    python -m benchmarks.long_runs [--steps N]

Steps of the MLP demo: its graph as recorded, under ten scalars a step. The real window, 1280 × 800
offscreen. Once the tape is closed and opened from its beginning, then every zoom of the curve is drawn anew; once its
training goes on with RATE steps a second and the window follows. A heartbeat of 1 ms in the main thread shows for how
long nothing else could happen there. Memory is what the process holds beyond the window on its welcome page.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from benchmarks.heartbeat import Heartbeat
from gui.application import make_application, make_window
from gui.demos import DEFAULT, find_demo
from gui.settings import Settings
from gui.windows.main_window import MainWindow
from tests.store.samples import META
from tracer import Tape
from tracer.launch import command as tapescope
from tracer.model.records import Pass
from tracer.store.liveness import process_start
from tracer.store.records import StepRecord, StructureRecord
from tracer.store.writer import Writer

STEPS, SCALARS, RATE = 500_000, 10, 200
USABLE_MS, BLOCKED_MS = 1_000.0, 16.0
FLUSH_EVERY = 1_000
FOLLOWED_MSECS = 5_000
ZOOMS, REDRAWS = (1, 10, 100, 1_000, 10_000), 9
PATIENCE_SECS = 120.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_runs", description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    for name in ("write", "open", "follow"):
        parser.add_argument(f"--{name}", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write:
        write(args.write, args.steps)
    elif args.open:
        measure_opening(args.open, args.steps)
    elif args.follow:
        measure_following(args.follow, args.steps)
    else:
        measure(args.steps)
    return 0


def measure(steps: int) -> None:
    """Each part in a process of its own, so that none holds what another needed."""
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder) / "long.tape"
        words = ["run", "--headless", "--max-steps", "2", "-o", str(tape.with_name("demo.tape"))]
        words.append(str(find_demo(DEFAULT).path))
        subprocess.run(tapescope(*words), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with training(tape, steps):
            print(
                f"{steps:,} steps, {SCALARS} scalars: {tape.stat().st_size / 2**20:.0f} MiB while it grows", flush=True
            )
            subprocess.run(own_command("--follow", tape, steps), check=True)
        print(f"closed: {tape.stat().st_size / 2**20:.0f} MiB", flush=True)
        subprocess.run(own_command("--open", tape, steps), check=True)


@contextmanager
def training(tape: Path, steps: int) -> Iterator[None]:
    """A process that writes the tape, from the moment that it has so many steps: then it goes on in its own time."""
    words = own_command("--write", tape, steps)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        yield
        process.stdin.close()
        process.wait()


def own_command(what: str, tape: Path, steps: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.long_runs", what, str(tape), "--steps", str(steps)]


def write(path: Path, steps: int) -> None:
    """Slowly enough that no graph is dropped; then on until standard input is closed, as told by a line of output."""
    with Tape(path.with_name("demo.tape")) as demo:
        first, number = demo.step(0), int(demo.table.column("structures")[0])
        graph = StructureRecord(demo.structure(number), first.topology_id, first.shape_id)
    own = {"pid": str(os.getpid()), "process_start": process_start(os.getpid())}
    writer = Writer(path, META | own)
    for step in range(steps):
        writer.append(record(step, graph))
        if step % FLUSH_EVERY == 0:
            writer.flush(PATIENCE_SECS)
    writer.flush(PATIENCE_SECS)
    print("written", flush=True)
    os.set_blocking(sys.stdin.fileno(), False)
    while sys.stdin.buffer.read() != b"":
        steps += 1
        writer.append(record(steps - 1, graph))
        time.sleep(1 / RATE)
    writer.close("closed")


def record(step: int, graph: StructureRecord) -> StepRecord:
    """Curves that fall and tremble, without a generator of random numbers: it would take most of the time."""
    trembling = math.sin(step * 12.9898) * 43758.5453 % 1
    scalars = {f"metric_{number}": math.exp(-step / 1e5) + trembling * number / 50 for number in range(SCALARS - 2)}
    scalars = {"loss": 2 * math.exp(-step / 2e5) + trembling / 3, "lr": 0.1 / (1 + step // 938), **scalars}
    times = 1_750_000_000_000_000_000 + step * 1_000_000, 900_000 + int(trembling * 1e5)
    return StepRecord(
        step, graph, (), "train", "SGD", *times, "structure", (Pass("backward", scalars["loss"]),), scalars
    )


def measure_opening(tape: Path, steps: int) -> None:
    window = shown_window(make_application(), tape)
    before = resident_mib()
    print("opening a closed tape:")
    measure_until_there(window, tape, steps)
    print(f"    memory of the process {before:.0f} MiB before, {resident_mib():.0f} MiB after")
    measure_zooms(window)
    window.workbench.close_tape()


def measure_until_there(window: MainWindow, tape: Path, steps: int) -> None:
    session, heartbeat = window.workbench.session, Heartbeat()
    awaited: dict[str, Callable[[], bool]] = {
        "the curve, whole, and the number of steps": lambda: has_all(window, steps),
        "the first picture": lambda: session.drawing is not None,
        "all scalars": lambda: sum(map(len, session.series.values())) >= SCALARS * steps,
    }
    started, cpu = time.perf_counter(), time.process_time()
    heartbeat.start()
    window.workbench.open_tape(tape)
    while awaited:
        rest(2)
        elapsed, used = (time.perf_counter() - started) * 1_000, (time.process_time() - cpu) * 1_000
        assert elapsed < PATIENCE_SECS * 1_000, f"no {', '.join(awaited)} within {PATIENCE_SECS} s"
        for what in [what for what, is_there in awaited.items() if is_there()]:
            del awaited[what]
            verdict = _verdict(elapsed <= USABLE_MS)
            bar = f"{verdict}, at most {USABLE_MS:.0f}"
            print(f"    {what} after {elapsed:.0f} ms ({bar}), CPU of all threads {used:.0f} ms")
    rest(1_000)
    heartbeat.stop()
    tell_stillness(heartbeat)


def measure_zooms(window: MainWindow) -> None:
    dock, count = window.scalars, len(window.workbench.session.timeline)
    assert dock.stack is not None
    print("drawing the curve and the strip anew:")
    for zoom in ZOOMS:
        span = count / zoom
        figures = []
        for number in range(REDRAWS):
            first = (count - span) * number / REDRAWS
            dock.stack.plots["loss"].box.setXRange(first, first + span, padding=0)
            rest(100)
            started = time.perf_counter()
            dock._redraw()
            dock.stack.viewport().repaint()
            dock.strip.repaint()
            figures.append((time.perf_counter() - started) * 1_000)
        print(
            f"    {span:>9,.0f} steps in view: median {statistics.median(figures):.1f} ms, worst {max(figures):.1f} ms"
        )


def measure_following(tape: Path, steps: int) -> None:
    window = shown_window(make_application(), tape)
    session, heartbeat, before = window.workbench.session, Heartbeat(), resident_mib()
    print("joining a run that goes on:")
    measure_until_there(window, tape, steps)
    count, cpu, started = len(session.timeline), time.thread_time(), time.perf_counter()
    heartbeat.start()
    rest(FOLLOWED_MSECS)
    heartbeat.stop()
    elapsed = time.perf_counter() - started
    print(f"following it: {(len(session.timeline) - count) / elapsed:.0f} steps a second came, some {RATE} were made")
    print(f"    the window's thread took {(time.thread_time() - cpu) / elapsed:.0%} of a core")
    tell_stillness(heartbeat)
    print(f"    memory of the process {before:.0f} MiB before, {resident_mib():.0f} MiB after")
    window.workbench.close_tape()


def shown_window(app: QApplication, tape: Path) -> MainWindow:
    settings = Settings(QSettings(str(tape.with_suffix(".ini")), QSettings.Format.IniFormat))
    settings.theme = "light"
    window = make_window(app, settings)
    window.resize(1280, 800)
    window.show()
    rest(500)
    return window


def has_all(window: MainWindow, steps: int) -> bool:
    """Whether the curve is painted to its end."""
    stack = window.scalars.stack
    if stack is None or "loss" not in stack.plots or len(window.workbench.session.timeline) < steps:
        return False
    drawn, _ = stack.plots["loss"]._curve.getData()
    return drawn is not None and len(drawn) > 0 and drawn[-1] >= steps - 1


def tell_stillness(heartbeat: Heartbeat) -> None:
    by_cpu, by_clock = heartbeat.longest_cpu_ms, heartbeat.longest_ms
    print(f"    the window stood still for at most {by_clock:.1f} ms by the clock", end=", ")
    print(
        f"{by_cpu:.1f} ms of its own CPU ({_verdict(by_cpu <= BLOCKED_MS)}, at most {BLOCKED_MS:.0f}): {heartbeat.slot}"
    )


def rest(msecs: int) -> None:
    """Lets the event loop run."""
    loop = QEventLoop()
    QTimer.singleShot(msecs, loop.quit)
    loop.exec()


def resident_mib() -> float:
    """Of this process, from Linux's own figures."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    sys.exit(main())
