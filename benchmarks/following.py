"""How the app follows a run at level statistics: how often it recolours, and how much of a core its window takes.

    python -m benchmarks.following

The network of `benchmarks.stepping`, every module open and nothing folded, coloured by a number that differs in every
step; 1280 × 800 offscreen. The training is over and its steps come as often as the app follows any run: what is
measured here is the app, not what it costs to record. A frame counts where its colours are not those of the frame
before.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QObject, Qt, QTimer

from benchmarks.heartbeat import Heartbeat
from benchmarks.stepping import KNOWN_BOXES, SCRIPT, Watch, open_all, shown, training
from gui.application import make_application
from gui.session import FOLLOW_INTERVAL_MSECS
from gui.windows.main_window import MainWindow

COLORINGS = ("gradient_norm", "activation_mean")
LEAST_HZ, MOST_STILL_MS = 20.0, 30.0
MSECS, STEPS = 6_000, 40


class Frames(QObject):
    """Counts the painted frames of a window's graph, and those with other colours than the one before."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._canvas = window.graph.canvas
        self._colors = np.zeros(0, np.uint8)
        self.painted = self.recoloured = 0
        self._canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        scene = self._canvas.scene
        if event.type() == QEvent.Type.Paint and scene is not None:
            self.painted += 1
            self.recoloured += not np.array_equal(scene.colors, self._colors)
            self._colors = scene.colors.copy()
        return False


def main() -> int:
    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "patchwork.py"
        script.write_text(SCRIPT)
        tape = script.with_name("followed.tape")
        with training(script, tape, KNOWN_BOXES, "--level", "statistics") as seeds:
            seeds.write(STEPS * "0\n")
        with shown(app, tape) as window:
            watch = Watch(window)
            boxes = open_all(window, watch)
            for coloring in COLORINGS:
                window.workbench.session.set_options(coloring=coloring)
                watch.rest(500)
                measure(window, watch, f"{coloring}, {boxes:,} boxes")
    return 0


def measure(window: MainWindow, watch: Watch, title: str) -> None:
    session, heartbeat, frames = window.workbench.session, Heartbeat(), Frames(window)
    clock = QTimer(frames)
    clock.setTimerType(Qt.TimerType.PreciseTimer)
    clock.timeout.connect(lambda: session.go_to((session.step + 1) % STEPS))
    clock.start(FOLLOW_INTERVAL_MSECS)
    heartbeat.start()
    started, cpu, whole = time.perf_counter(), time.thread_time(), time.process_time()
    watch.rest(MSECS)
    elapsed, cpu, whole = time.perf_counter() - started, time.thread_time() - cpu, time.process_time() - whole
    heartbeat.stop()
    clock.stop()
    window.graph.canvas.removeEventFilter(frames)
    rate = frames.recoloured / elapsed
    print(f"{title}: {frames.painted / elapsed:.1f} frames a second")
    print(f"    colours changed {rate:.1f} times a second ({_verdict(rate >= LEAST_HZ)}, at least {LEAST_HZ:.0f})")
    print(f"    the window's thread took {cpu / elapsed:.0%} of a core, the app {whole / elapsed:.0%}")
    still, longest = heartbeat.longest_cpu_ms, heartbeat.longest_ms
    print(f"    CPU of its longest turn {still:.1f} ms ({_verdict(still <= MOST_STILL_MS)}): {heartbeat.slot}")
    print(f"    by the clock {longest:.1f} ms ({_verdict(longest <= MOST_STILL_MS)}, at most {MOST_STILL_MS:.0f})")


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    sys.exit(main())
