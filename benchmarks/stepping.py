"""How long the app takes from a click on a step to the painted frame, and how long its window stands still meanwhile.

    python -m benchmarks.stepping

Real tapes, recorded here by `tapescope run`: a residual network of unlike blocks of which each structure leaves some
out. Wall milliseconds in the event loop of the real window, 1280 × 800 offscreen, every module open and nothing folded:
from the call that a click leads to until the frame with that step has been painted. A heartbeat of 1 ms in the main
thread shows the longest time that nothing else could happen there. The new structures come from a training that waits
for each click.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QEventLoop, QObject, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from benchmarks.heartbeat import Heartbeat
from gui.application import make_application, make_window
from gui.settings import Settings
from gui.windows.main_window import MainWindow
from tracer.launch import command as tapescope

KNOWN_BOXES, NEW_BOXES, LONG_BOXES = 2_000, 1_000, 10_000
KNOWN_MS, NEW_MS, BLOCKED_MS = 16.0, 250.0, 30.0
BOXES_A_BLOCK = 8.4
STRUCTURES, CLICKS, NEW_CLICKS = 6, 60, 8
WAIT_MSECS = 20_000
REST_MSECS, LONG_REST_MSECS = 60, 400
"""Between two clicks, the second where boxes slide: what docks and overview do in it counts as well."""

SCRIPT = """
import random
import sys
import torch
from torch import nn

class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x):
        return x + self.linear(x).relu()

class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))

class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.value = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return x * self.gate(x).sigmoid() + self.value(x).tanh()

class Patchwork(nn.Module):
    def __init__(self, count):
        super().__init__()
        draw = random.Random(0)
        self.blocks = nn.ModuleList(draw.choice((Narrow, Wide, Gated))() for _ in range(count))

    def forward(self, x, left_out):
        for number, block in enumerate(self.blocks):
            if number not in left_out:
                x = block(x)
        return x.square().mean()

torch.manual_seed(0)
torch.set_num_threads(1)
model = Patchwork(int(sys.argv[1]))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for line in sys.stdin:
    draw = random.Random(int(line))
    optimizer.zero_grad()
    left_out = set(draw.sample(range(len(model.blocks)), len(model.blocks) // 20))
    model(torch.randn(4, 8), left_out).backward()
    optimizer.step()
"""
"""Trains a step for each line of its input: the seed of what is left out."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Milliseconds from a click to the painted frame; then the longest that the loop stood still, by the clock and by
    the thread's CPU, and in which slot."""

    elapsed_ms: float
    still_ms: float
    still_cpu_ms: float
    slot: str


class Watch(QObject):
    """Waits in the event loop until the window has painted a step."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self._loop = QEventLoop()
        self._step = -1
        self._heartbeat = Heartbeat()
        self._guard = QTimer(self)
        self._guard.setSingleShot(True)
        self._guard.setInterval(WAIT_MSECS)
        self._guard.timeout.connect(self._loop.quit)
        window.graph.canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        drawing = self._window.workbench.session.drawing
        if event.type() == QEvent.Type.Paint and drawing is not None and drawing.step.index == self._step:
            self._step = -1
            # The rest of the window is painted in the same go.
            QTimer.singleShot(0, self._loop.quit)
        return False

    def show(self, step: int, rest_msecs: int) -> Shown:
        """Goes to a step and rests there."""
        self._step = step
        self._heartbeat.start()
        self._guard.start()
        started = time.perf_counter()
        self._window.workbench.session.go_to(step)
        self._loop.exec()
        elapsed = (time.perf_counter() - started) * 1_000
        self._guard.stop()
        assert self._step == -1, f"step {step} was not painted within {WAIT_MSECS} ms"
        self.rest(rest_msecs)
        self._heartbeat.stop()
        return Shown(elapsed, self._heartbeat.longest_ms, self._heartbeat.longest_cpu_ms, self._heartbeat.slot)

    def rest(self, msecs: int = REST_MSECS) -> None:
        """Lets the loop run, as between two clicks."""
        QTimer.singleShot(msecs, self._loop.quit)
        self._loop.exec()


def main() -> int:
    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "patchwork.py"
        script.write_text(SCRIPT)
        measure_known(app, script)
        measure_new(app, script)
        measure_long(app, script)
    return 0


def measure_known(app: QApplication, script: Path) -> None:
    tape = script.with_name("known.tape")
    steps = [number % STRUCTURES for number in range(3 * STRUCTURES)]
    with training(script, tape, KNOWN_BOXES) as seeds:
        seeds.write("".join(f"{seed}\n" for seed in steps))
    with shown(app, tape) as window:
        watch = Watch(window)
        boxes = open_all(window, watch)
        far = (number % len(steps) for number in itertools.accumulate(range(2 * CLICKS)))
        order = [step for before, step in itertools.pairwise(far) if step != before][: CLICKS + STRUCTURES]
        figures = []
        for number, step in enumerate(order):
            found = watch.show(step, REST_MSECS)
            if number >= STRUCTURES:
                figures.append(found)
    _report(f"known structure, {boxes:,} boxes", figures, KNOWN_MS)


def measure_new(app: QApplication, script: Path) -> None:
    tape = script.with_name("new.tape")
    with training(script, tape, NEW_BOXES) as seeds:
        seeds.write("0\n")
        seeds.flush()
        _wait_for(lambda: tape.exists() and tape.stat().st_size > 0)
        with shown(app, tape) as window:
            watch, session = Watch(window), window.workbench.session
            boxes = open_all(window, watch)
            figures = []
            for seed in range(1, NEW_CLICKS + 1):
                seeds.write(f"{seed}\n")
                seeds.flush()
                while len(session.timeline) <= seed:
                    watch.rest(5)
                watch.rest()
                figures.append(watch.show(seed, LONG_REST_MSECS))
            window.workbench.session.end()
    _report(f"new structure, {boxes:,} boxes", figures, NEW_MS)


def measure_long(app: QApplication, script: Path) -> None:
    """Whether the window stands still while a long layout is under way in its thread."""
    tape = script.with_name("long.tape")
    with training(script, tape, LONG_BOXES) as seeds:
        seeds.write("0\n1\n")
    with shown(app, tape) as window:
        watch, heartbeat = Watch(window), Heartbeat()
        _open_default(window, watch)
        heartbeat.start()
        started = time.perf_counter()
        boxes = open_all(window, watch)
        seconds = time.perf_counter() - started - LONG_REST_MSECS / 1_000
        heartbeat.stop()
        print(f"opening all of {boxes:,} boxes: {seconds:.2f} s until the drawing is there")
        _report_still(heartbeat.longest_ms, heartbeat.longest_cpu_ms, heartbeat.slot)


def open_all(window: MainWindow, watch: Watch) -> int:
    """Opens every module; how many boxes are drawn then."""
    session = window.workbench.session
    _open_default(window, watch)
    session.set_options(open_calls=session.drawing.calls, folds_repeats=False)
    while session.drawing.question.options != session.options:
        watch.rest(5)
    watch.rest(LONG_REST_MSECS)
    return len(session.drawing.scene.layout.boxes)


def _open_default(window: MainWindow, watch: Watch) -> None:
    while window.workbench.session.drawing is None:
        watch.rest(5)
    watch.rest(LONG_REST_MSECS)


@contextmanager
def training(script: Path, tape: Path, boxes: int, *options: str) -> Iterator:
    """A recorded run that trains a step for each line written; `options` are those of `tapescope run`."""
    words = ["run", "--headless", "-o", str(tape), *options, str(script), str(round(boxes / BOXES_A_BLOCK))]
    with subprocess.Popen(tapescope(*words), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        yield process.stdin
        process.stdin.close()
        process.wait()


@contextmanager
def shown(app: QApplication, tape: Path) -> Iterator[MainWindow]:
    settings = Settings(QSettings(str(tape.with_suffix(".ini")), QSettings.Format.IniFormat))
    settings.theme = "light"
    window = make_window(app, settings)
    window.resize(1280, 800)
    window.show()
    window.workbench.open_tape(tape)
    window.workbench.session.wish_for(0)
    try:
        yield window
    finally:
        window.workbench.close_tape()
        window.close()
        window.deleteLater()


def _wait_for(is_there) -> None:
    while not is_there():
        time.sleep(0.01)


def _report(title: str, found: list[Shown], limit_ms: float) -> None:
    elapsed = [one.elapsed_ms for one in found]
    print(f"{title}: median {_told(statistics.median(elapsed), limit_ms)}, worst {max(elapsed):.1f} ms of {len(found)}")
    worst = max(found, key=lambda one: one.still_cpu_ms)
    _report_still(max(one.still_ms for one in found), worst.still_cpu_ms, worst.slot)
    print(f"    median of the clicks {statistics.median(one.still_ms for one in found):.1f} ms", end=", ")
    print(f"CPU {statistics.median(one.still_cpu_ms for one in found):.1f} ms")


def _report_still(longest_ms: float, cpu_ms: float, slot: str) -> None:
    print(f"    loop still for at most {_told(longest_ms, BLOCKED_MS)}")
    print(f"    CPU of its longest turn {_told(cpu_ms, BLOCKED_MS)}: {slot}")


def _told(found: float, limit: float) -> str:
    return f"{found:.1f} ms ({'met' if found <= limit else 'missed'}, at most {limit:.0f})"


if __name__ == "__main__":
    sys.exit(main())
