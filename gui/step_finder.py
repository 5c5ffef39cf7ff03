"""The search among the steps of the tape: which of them are found, and at which of these the user is."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from gui.session import Session
from gui.step_seeker import FoundSteps, StepSeeker
from tracer.model.query import Query

AGAIN_MSECS = 220
"""Between two answers to one query while a run brings new steps."""


class StepFinder(QObject):
    """Has what is found marked on the timeline; while the run goes on, more of it is found.

    `place` counts from 0 and is -1 where the shown step is none of those found.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._seeker: StepSeeker | None = None
        self._query: Query | None = None
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(AGAIN_MSECS)
        self._again.timeout.connect(self._ask)
        self._wished = 0
        self.found: NDArray[np.int64] = np.zeros(0, np.int64)
        self.error = ""
        self.is_searching = False
        session.tape_changed.connect(self._start_over)
        session.steps_appended.connect(self._look_again)
        session.scalars_appended.connect(self._look_again)
        session.events_appended.connect(self._look_again)
        session.step_changed.connect(self._on_step)

    @property
    def place(self) -> int:
        at = int(np.searchsorted(self.found, self._session.step))
        return at if at < len(self.found) and self.found[at] == self._session.step else -1

    def look_for(self, query: Query) -> None:
        if query != self._query:
            self._query, self._wished = query, 0
            self._ask()
            self.changed.emit()

    def leave(self) -> None:
        """Looks for nothing; what was marked no longer is."""
        if self._query is not None:
            self._again.stop()
            self._query, self._wished, self.error, self.is_searching = None, 0, "", False
            self.found = self.found[:0]
            self._session.mark_steps(None)

    def go(self, by: int) -> None:
        """Shows the next step that was found, or the one before, round and round; as soon as it is known."""
        if self.is_searching and not len(self.found):
            self._wished = by
        if not len(self.found):
            return
        side = "right" if by > 0 else "left"
        at = int(np.searchsorted(self.found, self._session.step, side=side))
        self._session.go_to(int(self.found[(at if by > 0 else at - 1) % len(self.found)]))

    @Slot()
    def _ask(self) -> None:
        self._again.stop()
        tape = self._session.tape
        if not self._query or tape is None:
            self.is_searching, self.error, self.found = False, "", self.found[:0]
            self._session.mark_steps(None)
            return
        if self._seeker is None:
            self._seeker = StepSeeker(tape, self)
            self._seeker.answered.connect(self._on_answer)
            self._seeker.start()
        self.is_searching = True
        self._seeker.ask(self._query)

    @Slot()
    def _look_again(self) -> None:
        if self._query and not self._again.isActive():
            self._again.start()

    @Slot(object)
    def _on_answer(self, answer: FoundSteps) -> None:
        if self.sender() is not self._seeker or answer.query != self._query:
            return
        self.found, self.error, self.is_searching = answer.steps, answer.error, False
        self._session.mark_steps(None if answer.error else answer.steps)
        self.changed.emit()
        if self._wished:
            by, self._wished = self._wished, 0
            self.go(by)

    @Slot()
    def _on_step(self) -> None:
        if self._query:
            self.changed.emit()

    @Slot()
    def _start_over(self) -> None:
        """The thread has another tape's connection, or none is wanted any more."""
        self.leave()
        if self._seeker is not None:
            self._seeker.finish()
            self._seeker.deleteLater()
            self._seeker = None
