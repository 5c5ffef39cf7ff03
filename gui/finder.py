"""The search in the shown step's graph: what is looked for, what is found, and at which of it the user is."""

import time

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from gui.marks import FOUND, NO_MARKS, Marks
from gui.search import SearchIndex, query_of
from gui.session import Session

PAUSE_MSECS = 60
"""Between two letters of a fast typist, so that not every one costs a search."""

TURN_SECS = 0.008
"""Of one turn of the event loop, for making the index of a large graph."""


class Finder(QObject):
    """Marks what is found and reveals one after the other; a step that comes is searched anew.

    `place` counts from 0 and is -1 before the first was revealed.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._index: SearchIndex | None = None
        self._indexed: object = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MSECS)
        self._pause.timeout.connect(self._search)
        self._next_turn = QTimer(self)
        self._next_turn.setSingleShot(True)
        self._next_turn.timeout.connect(self._search)
        self._wished = 0
        self.text = ""
        self.found: tuple[str, ...] = ()
        self.place = -1
        self.is_open = False
        session.drawing_changed.connect(self._search_again)

    @Slot()
    def open(self) -> None:
        """From now on what is found is marked; the index is made before there is anything to look for."""
        self.is_open = True
        self._pause.start()

    @Slot()
    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._pause.stop()
            self._next_turn.stop()
            self._wished = 0
            if self._session.marks.kind == FOUND:
                self._session.mark(NO_MARKS)
            self._index = self._indexed = None

    @Slot(str)
    def look_for(self, text: str) -> None:
        """Another text; it is looked for as soon as the user stops typing, or asks for the next."""
        self.text, self._wished = text, 0
        self._pause.start()

    @Slot()
    def next(self) -> None:
        self._go(1)

    @Slot()
    def previous(self) -> None:
        self._go(-1)

    def _go(self, by: int) -> None:
        if self._pause.isActive():
            self._search()
        if self._next_turn.isActive():
            self._wished = by
        if self._wished or not self.found:
            return
        if self.place < 0:
            selected = self._session.selection
            start = self.found.index(selected) if selected in self.found else (-1 if by > 0 else 0)
            self.place = (start + by) % len(self.found)
        else:
            self.place = (self.place + by) % len(self.found)
        self._mark()
        self.changed.emit()
        self._session.reveal(self.found[self.place])

    @Slot()
    def _search_again(self) -> None:
        """In another graph; the place stays with what was found there."""
        drawing = self._session.drawing
        if self.is_open and (drawing is None or drawing.graph is not self._indexed):
            self._search()

    @Slot()
    def _search(self) -> None:
        self._pause.stop()
        self._next_turn.stop()
        if not self._has_index():
            self._next_turn.start()
            return
        query, before = query_of(self.text), self.found[self.place] if self.place >= 0 else ""
        self.found = self._index.find(query) if self._index is not None else ()
        self.place = self.found.index(before) if before in self.found else -1
        self._mark()
        self.changed.emit()
        if self._wished:
            by, self._wished = self._wished, 0
            self._go(by)

    def _has_index(self) -> bool:
        """Whether the index of what is drawn now is made, as far as that takes no longer than a turn may."""
        self._choose_index()
        ends = time.perf_counter() + TURN_SECS
        while self._index is not None and self._index.advance():
            if time.perf_counter() > ends:
                return False
        return True

    def _choose_index(self) -> None:
        drawing = self._session.drawing
        if drawing is None:
            self._index = self._indexed = None
        elif self._indexed is not drawing.graph:
            self._indexed, self._index = drawing.graph, SearchIndex(drawing.graph, drawing.scene.calls)

    def _mark(self) -> None:
        marks = self._session.marks
        if self.found:
            self._session.mark(Marks(frozenset(self.found), FOUND))
        elif marks.kind == FOUND:
            self._session.mark(NO_MARKS)
