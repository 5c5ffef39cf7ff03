"""The thread that searches among steps, with a connection to the tape of its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QThread, Signal

from gui.mailbox import Mailbox
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
        self._asked: Mailbox[Query] = Mailbox()

    def ask(self, query: Query) -> None:
        self._asked.put(query)

    def finish(self) -> None:
        """Ends the thread and waits for it, some milliseconds unless a large tape is being opened."""
        self._asked.close()
        self.wait()

    def run(self) -> None:
        query = self._asked.take()
        while query is not None:
            try:
                with Tape(self._path) as tape:
                    search = StepSearch(tape, self._is_wanted)
                    while query is not None:
                        self._answer(tape, search, query)
                        query = self._asked.take()
            except TapescopeError as error:
                self._tell(FoundSteps(query, np.zeros(0, np.int64), 0, str(error)))
                query = self._asked.take()

    def _answer(self, tape: Tape, search: StepSearch, query: Query) -> None:
        """Raises TapeError where the tape is damaged; the next query then opens it anew."""
        tape.catch_up()
        try:
            answer = FoundSteps(query, search.find(query), len(tape))
        except QueryError as error:
            answer = FoundSteps(query, np.zeros(0, np.int64), len(tape), str(error))
        self._tell(answer)

    def _tell(self, answer: FoundSteps) -> None:
        if self._is_wanted():
            self.answered.emit(answer)

    def _is_wanted(self) -> bool:
        waiting = self._asked.waiting
        return not self._asked.is_closed and (waiting is None or waiting == self._asked.current)
