"""Pictures of the real window, for the documentation and for machines without a display."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QMessageLogContext, QSettings, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from gui.application import make_application, make_window
from gui.settings import Settings
from gui.windows.main_window import MainWindow
from tracer import Tape
from tracer.display import has_display
from tracer.errors import ExportError, TapescopeError
from tracer.steps import checked_step

WAIT_SECS = 60.0
SETTLE_SECS = 0.6


@dataclass(frozen=True, slots=True)
class Shot:
    """Which tape and step (None: the last) to picture, where to write the PNG, and how large the window is."""

    tape: Path
    out: Path
    size: tuple[int, int]
    step: int | None
    theme: str


def take_screenshot(shot: Shot) -> None:
    """Writes the window as it shows the step. Raises TapeError, ExportError, UsageError where there is no such step."""
    with Tape(shot.tape) as tape:
        step = checked_step(tape, -1 if shot.step is None else shot.step)
    if not has_display() or os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        go_offscreen()
    with temporary_window(shot.theme, shot.size) as window:
        window.workbench.open_tape(shot.tape)
        session = window.workbench.session
        wait_until(lambda: len(session.timeline) > step)
        session.go_to(step)
        save_window(window, shot.out)


def go_offscreen() -> None:
    """Lets Qt draw without a display. Before the application is made."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    qInstallMessageHandler(_pass_on)


@contextmanager
def temporary_window(theme: str, size: tuple[int, int]) -> Iterator[MainWindow]:
    """A window that neither reads nor changes the user's settings; closed at the end, its training ended."""
    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat))
        settings.theme = theme
        settings.tapes_folder = Path(folder)
        window = make_window(app, settings)
        window.resize(*size)
        window.show()
        try:
            yield window
        finally:
            window.workbench.close_tape(stops_run=True)
            window.close()


def save_window(window: MainWindow, out: Path) -> None:
    """Waits until the shown step is drawn, or known to have no graph, and nothing moves; writes the window as a PNG."""
    session = window.workbench.session
    wait_until(lambda: (answer := session.drawing or session.undrawn) and answer.question.step == session.step)
    process_events(SETTLE_SECS)
    if not window.grab().save(str(out), "PNG"):
        raise ExportError(f"Cannot write {out}. Choose a place that can be written.")


def wait_until(condition: Callable[[], object]) -> None:
    """Runs the app until something holds. Raises TapescopeError after a minute."""
    deadline = time.monotonic() + WAIT_SECS
    while not condition():
        if time.monotonic() > deadline:
            raise TapescopeError("The window did not show the step within a minute.")
        process_events(0.02)


def _pass_on(_kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    # The offscreen platform says this of every window.
    if "propagateSizeHints" not in message:
        print(message, file=sys.stderr)


def process_events(secs: float) -> None:
    end = time.monotonic() + secs
    while True:
        QApplication.processEvents()
        if time.monotonic() >= end:
            return
        time.sleep(0.005)
