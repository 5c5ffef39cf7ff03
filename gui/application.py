"""Starts the app: one QApplication, its settings and look, the window with everything behind it."""

import signal
import socket
import sys
from pathlib import Path

from PySide6.QtCore import QObject, QSocketNotifier, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from gui.appearance import Appearance
from gui.demos import demos_folder
from gui.errors import ErrorReporter, log_to_file
from gui.garbage import GarbageCollector
from gui.settings import Settings
from gui.windows.main_window import MainWindow
from gui.workbench import Workbench

SWITCH_SECS = 0.0005


def make_application() -> QApplication:
    """The one QApplication of this process, named so that its data and settings are found again."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(["tapescope"])
    app.setApplicationName("Tapescope")
    # A layout thread may keep the interpreter for this long whenever the window asks for it: Python's 5 ms, several
    # times a frame, would be felt.
    sys.setswitchinterval(SWITCH_SECS)
    if app.findChild(GarbageCollector) is None:
        GarbageCollector(app)
    app.setWindowIcon(QIcon(str(demos_folder().parent / "icons" / "tapescope.svg")))
    return app


def make_window(app: QApplication, settings: Settings | None = None) -> MainWindow:
    settings = settings or Settings()
    appearance = Appearance(app, settings)
    return MainWindow(Workbench(settings, appearance, app), appearance)


def run_app(
    tape: Path | None = None, step: int | None = None, script: Path | None = None, options: tuple[str, ...] = ()
) -> int:
    """Shows the window, with a tape or a script just started, until it is closed; the exit code.

    Raises TapeError, before any window is seen, where `tape` is none.
    """
    app = make_application()
    ErrorReporter(app).install()
    log_to_file()
    window = make_window(app)
    if tape is not None:
        window.workbench.open_tape(tape)
        window.workbench.settings.remember_tape(tape)
        window.workbench.session.wish_for(step)
    elif script is not None:
        window.workbench.run_script(script, options=options)
    Interrupt(window)
    window.show()
    return app.exec()


class Interrupt(QObject):
    """Ctrl-C in the terminal ends the app, and a training that it started with it."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._read_end, self._write_end = socket.socketpair()
        self._write_end.setblocking(False)
        self._notifier = QSocketNotifier(self._read_end.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._quit)
        # Python notes the signal only when the event loop comes back to it; the pipe wakes that up.
        signal.set_wakeup_fd(self._write_end.fileno())
        signal.signal(signal.SIGINT, _do_nothing)

    @Slot()
    def _quit(self) -> None:
        self._read_end.recv(1)
        self._window.workbench.close_tape(stops_run=True)
        QApplication.quit()


def _do_nothing(_number: int, _frame: object) -> None:
    pass
