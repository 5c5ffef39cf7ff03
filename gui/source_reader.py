"""Reads and colours a file of the user's code in a thread: neither the disk nor a long file holds up the window."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, QThread, Signal, Slot

from gui.syntax import Span, spans_of
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
    """One file at a time, the one asked for last."""

    read = Signal(object)  # Content
    colored = Signal(str, object)  # the file, list[list[Span]]

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: _Reading | None = None
        self._wanted = ""

    def ask(self, file: str) -> None:
        """The answer comes by signal."""
        self._wanted = file
        if self._thread is None:
            self._start()
        else:
            self._thread.requestInterruption()

    def finish(self) -> None:
        """Ends the thread and waits for it, a few milliseconds unless the disk does not answer."""
        self._wanted = ""
        if self._thread is not None:
            self._thread.requestInterruption()
            self._thread.wait()

    def _start(self) -> None:
        self._thread = _Reading(self._wanted, self)
        self._thread.read.connect(self._on_read)
        self._thread.colored.connect(self._on_colored)
        self._thread.finished.connect(self._on_finished)
        self._thread.start()

    @Slot(object)
    def _on_read(self, content: Content) -> None:
        if content.file == self._wanted:
            self.read.emit(content)

    @Slot(str, object)
    def _on_colored(self, file: str, spans: list[list[Span]]) -> None:
        if file == self._wanted:
            self.colored.emit(file, spans)

    @Slot()
    def _on_finished(self) -> None:
        if self._thread is None:
            return
        done, self._thread = self._thread, None
        if self._wanted not in ("", done.file) or (self._wanted and done.is_cut_short):
            self._start()
        done.deleteLater()


class _Reading(QThread):
    read = Signal(object)
    colored = Signal(str, object)

    def __init__(self, file: str, parent: QObject) -> None:
        super().__init__(parent)
        self.file = file
        self.is_cut_short = False

    def run(self) -> None:
        try:
            found = read_source(self.file)
        except SourceError as error:
            self.read.emit(Content(self.file, why=str(error)))
            return
        text = "\n".join(found.lines).translate(_BREAKS)
        self.read.emit(Content(self.file, text, found.mtime_ns))
        spans = spans_of(text, self.isInterruptionRequested)
        self.is_cut_short = self.isInterruptionRequested()
        if not self.is_cut_short:
            self.colored.emit(self.file, spans)
