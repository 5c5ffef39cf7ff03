"""The search: what is looked for, what is found in the shown step's graph or among the steps, and where the user is."""

import time

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from gui.marks import FOUND, NO_MARKS, Marks
from gui.session import Session
from gui.step_finder import StepFinder
from tracer.errors import QueryError
from tracer.model.query import Query, parse
from tracer.model.search import Search, SearchIndex, asks_for_change, asks_for_numbers

PAUSE_MSECS = 60
"""Between two letters of a fast typist, so that not every one costs a search."""

TURN_SECS = 0.008
"""Of one turn of the event loop, for making the index of a large graph."""

NOTHING = Query(None)


class Finder(QObject):
    """Marks what is found in the graph and reveals one after the other; a step that comes is searched anew. Queries
    about steps go to `steps`.

    `place` counts from 0 and is -1 before the first was revealed. `error` says why there is no answer.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._index: SearchIndex | None = None
        self._indexed: object = None
        self._search_in: Search | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MSECS)
        self._pause.timeout.connect(self._search)
        self._next_turn = QTimer(self)
        self._next_turn.setSingleShot(True)
        self._next_turn.timeout.connect(self._search)
        self._wished = 0
        self._query = NOTHING
        self._own_error = ""
        self._own_place = -1
        self.text = ""
        self.found: tuple[str, ...] = ()
        self.is_open = False
        self.steps = StepFinder(session, self)
        self.steps.changed.connect(self.changed)
        session.drawing_changed.connect(self._search_again)

    @property
    def is_about_steps(self) -> bool:
        return self._query.is_about_steps

    @property
    def count(self) -> int:
        return len(self.steps.found) if self.is_about_steps else len(self.found)

    @property
    def place(self) -> int:
        return self.steps.place if self.is_about_steps else self._own_place

    @property
    def error(self) -> str:
        return self._own_error or (self.steps.error if self.is_about_steps else "")

    @property
    def is_searching(self) -> bool:
        """Whether the answer takes longer than one is used to."""
        return self.is_about_steps and self.steps.is_searching

    def names(self) -> dict[str, tuple[str, ...]]:
        """What the fields can be asked for in the shown graph, as far as it is known yet."""
        return {} if self._index is None or self._index.advance() else self._index.names()

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
            self.steps.leave()
            if self._session.marks.kind == FOUND:
                self._session.mark(NO_MARKS)
            self._index = self._indexed = self._search_in = None

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
        if self.is_about_steps:
            self.steps.go(by)
            return
        if self._next_turn.isActive():
            self._wished = by
        if self._wished or not self.found:
            return
        if self._own_place < 0:
            selected = self._session.selection
            start = self.found.index(selected) if selected in self.found else (-1 if by > 0 else 0)
            self._own_place = (start + by) % len(self.found)
        else:
            self._own_place = (self._own_place + by) % len(self.found)
        self._mark()
        self.changed.emit()
        self._session.reveal(self.found[self._own_place])

    @Slot()
    def _search_again(self) -> None:
        """In another graph, or against another step; the place stays with what was found there."""
        drawing = self._session.drawing
        if self.is_open and (drawing is None or self._is_asked_anew()):
            self._search()

    def _is_asked_anew(self) -> bool:
        drawing = self._session.drawing
        depends = asks_for_change(self._query) or asks_for_numbers(self._query)
        return drawing is not None and (drawing.graph is not self._indexed or depends)

    @Slot()
    def _search(self) -> None:
        self._pause.stop()
        self._next_turn.stop()
        self._read()
        if self.is_about_steps:
            self._take(())
            self.steps.look_for(self._query)
            self.changed.emit()
            if not self._has_index():
                self._next_turn.start()  # names are proposed from it
            return
        self.steps.leave()
        if not self._has_index():
            self._next_turn.start()
            return
        self._take(self._answer())
        self.changed.emit()
        if self._wished:
            by, self._wished = self._wished, 0
            self._go(by)

    def _read(self) -> None:
        try:
            self._query, self._own_error = parse(self.text), ""
        except QueryError as error:
            self._query, self._own_error = NOTHING, str(error)

    def _answer(self) -> tuple[str, ...]:
        drawing = self._session.drawing
        if self._search_in is None or drawing is None or not self._query:
            return ()
        try:
            return self._search_in.find(self._query, drawing.statistics)
        except QueryError as error:
            self._own_error = str(error)
            return ()

    def _take(self, found: tuple[str, ...]) -> None:
        before = self.found[self._own_place] if self._own_place >= 0 else ""
        self.found = found
        self._own_place = found.index(before) if before in found else -1
        self._mark()

    def _has_index(self) -> bool:
        """Whether the index of what is drawn now is made, as far as that takes no longer than a turn may."""
        self._choose_index()
        ends = time.perf_counter() + TURN_SECS
        while self._search_in is not None and self._search_in.advance(self._query):
            if time.perf_counter() > ends:
                return False
        return True

    def _choose_index(self) -> None:
        drawing = self._session.drawing
        if drawing is None:
            self._index = self._indexed = self._search_in = None
            return
        if self._indexed is not drawing.graph or self._index is None:
            self._indexed, self._index = drawing.graph, SearchIndex(drawing.graph, drawing.scene.calls)
            self._search_in = None
        if self._search_in is None or not self._search_in.is_against(drawing.diff):
            self._search_in = Search(self._index, drawing.before, drawing.diff)

    def _mark(self) -> None:
        marks = self._session.marks
        if self.found:
            self._session.mark(Marks(frozenset(self.found), FOUND))
        elif marks.kind == FOUND:
            self._session.mark(NO_MARKS)
