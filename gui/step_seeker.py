"""The thread that searches among steps, with a connection to the tape of its own."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QThread, Signal

from tracer import Tape
from tracer.errors import QueryError, TapescopeError
from tracer.model.query import Query
from tracer.model.step_search import StepSearch


@dataclass(frozen=True, slots=True, eq=False)
class FoundSteps:
    """The answer to a query: steps, growing, or the sentence that says why there are none. `reached` is how many steps
    the tape had."""

    query: Query
    steps: NDArray[np.int64]
    reached: int
    error: str = ""


class StepSeeker(QThread):
    """Keeps one query waiting, the latest; an answer under way that nobody waits for is given up.

    The same query asked again is answered for the steps that came since. The tape is opened at the first.
    """

    answered = Signal(object)  # FoundSteps

    def __init__(self, tape: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = tape
        self._changed = threading.Condition()
        self._waiting: Query | None = None
        self._current: Query | None = None
        self._is_finishing = False

    def ask(self, query: Query) -> None:
        with self._changed:
            self._waiting = query
            self._changed.notify()

    def finish(self) -> None:
        """Ends the thread and waits for it, some milliseconds unless a large tape is being opened."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify()
        self.wait()

    def run(self) -> None:
        query = self._next()
        while query is not None:
            try:
                with Tape(self._path) as tape:
                    search = StepSearch(tape, self._is_wanted)
                    while query is not None:
                        self._answer(tape, search, query)
                        query = self._next()
            except TapescopeError as error:
                self._tell(FoundSteps(query, np.zeros(0, np.int64), 0, str(error)))
                query = self._next()

    def _answer(self, tape: Tape, search: StepSearch, query: Query) -> None:
        """Raises TapeError where the tape is damaged; the next query then opens it anew."""
        tape.refresh()
        try:
            answer = FoundSteps(query, search.find(query), len(tape))
        except QueryError as error:
            answer = FoundSteps(query, np.zeros(0, np.int64), len(tape), str(error))
        self._tell(answer)

    def _tell(self, answer: FoundSteps) -> None:
        if self._is_wanted():
            self.answered.emit(answer)

    def _next(self) -> Query | None:
        """Waits for a query; None at the end."""
        with self._changed:
            while self._waiting is None and not self._is_finishing:
                self._changed.wait()
            self._current, self._waiting = self._waiting, None
            return None if self._is_finishing else self._current

    def _is_wanted(self) -> bool:
        waiting = self._waiting
        return not self._is_finishing and (waiting is None or waiting == self._current)
