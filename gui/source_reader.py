"""Reads a file of the user's code in a thread: a disk that is slow to answer does not hold up the window."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, QThread, Signal, Slot

from gui.syntax import prepare
from tracer.errors import SourceError
from tracer.source_file import read_source

# Qt begins a new block at these; Python goes on with its line.
_BREAKS = str.maketrans({"\u2028": " ", "\u2029": " ", "\x0c": " "})


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """The text of a file as Qt counts its lines; without any, `why` says so in one sentence."""

    file: str
    text: str = ""
    mtime_ns: int = 0
    why: str = ""


class SourceReader(QObject):
    """One file at a time; the one asked for last is answered."""

    read = Signal(object)  # Content

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: _Reading | None = None
        self._wanted = ""
        self._is_asked_again = False

    def ask(self, file: str) -> None:
        """The answer comes by signal."""
        self._wanted = file
        self._is_asked_again = self._thread is not None
        if self._thread is None:
            self._start()

    def finish(self) -> None:
        """Waits for the thread, a few milliseconds unless the disk does not answer; there will be no answer."""
        self._wanted, self._is_asked_again = "", False
        if self._thread is not None:
            self._thread.wait()

    def _start(self) -> None:
        self._is_asked_again = False
        self._thread = _Reading(self._wanted, self)
        self._thread.read.connect(self._on_read)
        self._thread.finished.connect(self._on_finished)
        self._thread.start()

    @Slot(object)
    def _on_read(self, content: Content) -> None:
        if content.file == self._wanted and not self._is_asked_again:
            self.read.emit(content)

    @Slot()
    def _on_finished(self) -> None:
        done, self._thread = self._thread, None
        if done is not None:
            done.deleteLater()
        if self._is_asked_again:
            self._start()


class _Reading(QThread):
    read = Signal(object)

    def __init__(self, file: str, parent: QObject) -> None:
        super().__init__(parent)
        self._file = file

    def run(self) -> None:
        try:
            found = read_source(self._file)
        except SourceError as error:
            self.read.emit(Content(self._file, why=str(error)))
            return
        prepare()
        self.read.emit(Content(self._file, "\n".join(found.lines).translate(_BREAKS), found.mtime_ns))
