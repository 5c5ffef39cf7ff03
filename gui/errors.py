"""What happens when something goes wrong in the app: one sentence for the user's errors, a copyable report for ours."""

import logging
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, QStandardPaths, Qt, Signal, Slot
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from tracer.errors import TapescopeError

log = logging.getLogger("tapescope")


class ErrorReporter(QObject):
    """Takes over `sys.excepthook`; errors of other threads are shown by the main one."""

    _raised = Signal(str, bool)  # the text, and whether it is meant for users

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._is_showing = False
        self._raised.connect(self._show, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        sys.excepthook = self.report
        threading.excepthook = self._report_thread

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Shows an exception that nobody handled; a KeyboardInterrupt ends the app."""
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
        elif issubclass(kind, TapescopeError):
            self._raised.emit(str(error), True)
        else:
            text = "".join(traceback.format_exception(kind, error, trace))
            log.error(text)
            self._raised.emit(text, False)

    def _report_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self.report(args.exc_type, args.exc_value, args.exc_traceback)

    @Slot(str, bool)
    def _show(self, text: str, is_for_users: bool) -> None:
        if self._is_showing:
            return  # One dialog at a time: a fault that repeats with every repaint would bury the app in them.
        self._is_showing = True
        window = QApplication.activeWindow()
        if is_for_users:
            warn(window, text)
        else:
            _crash_box(window, text).exec()
        self._is_showing = False


def warn(window: QWidget | None, message: str) -> None:
    """One sentence that the user has to see; does not wait until it is seen."""
    box = QMessageBox(QMessageBox.Icon.Warning, "Tapescope", message, QMessageBox.StandardButton.Ok, window)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()


def log_to_file() -> Path:
    """Sends the app's log to a file in the user's data folder; its path."""
    folder = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppDataLocation))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tapescope.log"
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return path


def _crash_box(window: QWidget | None, text: str) -> QMessageBox:
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Critical)
    box.setWindowTitle("Tapescope")
    box.setText(box.tr("Something in Tapescope went wrong"))
    box.setInformativeText(box.tr("The training is not affected. The report is also in the log."))
    box.setDetailedText(text)
    box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    copy = box.addButton(box.tr("Copy report"), QMessageBox.ButtonRole.ActionRole)
    copy.clicked.disconnect()
    copy.clicked.connect(lambda: QApplication.clipboard().setText(text))
    box.addButton(QMessageBox.StandardButton.Close)
    return box
