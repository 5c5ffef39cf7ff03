"""The thread that draws: takes the latest question, answers it with a finished scene, then with why it differs."""

import time
from collections import deque
from pathlib import Path

from PySide6.QtCore import QObject, QThread, Signal

from gui.drafter import Drafter
from gui.drawing import Drawing, Question, Undrawn
from gui.mailbox import Mailbox
from tracer import Tape
from tracer.errors import TapeError
from tracer.layout import Cancelled
from tracer.model.step_table import StepTable

LONG_SECS = 0.2
"""A drawing that takes longer says how far it is."""
EXPLAINED_AT_ONCE, REST_SECS = 3_000, 0.25
"""Nodes of a graph: what differs in it is explained in some 30 ms; and how long that of a larger one waits."""


class Draftsman(QThread):
    """Keeps one question waiting, the latest; a drawing under way is given up only for other options, or at the end.

    Otherwise a run that is faster than its layout would never be shown.
    """

    drawn = Signal(object)  # Drawing
    explained = Signal(object)  # Explained, of a drawing that was not overtaken by another question
    failed = Signal(object)  # Undrawn
    progressed = Signal(float)  # of a drawing that takes long: 0 to 1, and less than 0 at its end

    def __init__(self, tape: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = tape
        self._asked: Mailbox[Question] = Mailbox()
        self._steps_read: deque[StepTable] = deque()
        self._given_up: Question | None = None
        self._started = 0.0
        self._has_told = False

    def note(self, steps: StepTable) -> None:
        """Takes in what was read of the tape's steps, before any of these is asked for."""
        if steps:
            self._steps_read.append(steps)

    def ask(self, question: Question) -> None:
        self._asked.put(question)

    def give_up(self) -> None:
        """Lets go of the drawing under way; there will be no answer to it."""
        self._given_up = self._asked.current

    def finish(self) -> None:
        """Ends the thread and waits for it, some milliseconds."""
        self._asked.close()
        self.wait()

    def run(self) -> None:
        question = self._asked.take()
        if question is None:
            return
        try:
            with Tape(self._path) as tape:
                drafter = Drafter(tape, self._is_unwanted, self._tell, self._steps_read)
                while question is not None:
                    self._answer(drafter, question)
                    question = question if self._has_better(drafter) else self._asked.take()
        except TapeError as error:
            if question is not None:
                self.failed.emit(Undrawn(question, None, str(error)))

    def _answer(self, drafter: Drafter, question: Question) -> None:
        self._started, self._has_told = time.monotonic(), False
        try:
            drawing = drafter.draw(question)
            self.drawn.emit(drawing)
            if self._is_looked_at(drawing):
                self.explained.emit(drafter.explain(drawing))
        except Cancelled:
            pass
        except (TapeError, IndexError) as error:
            self.failed.emit(drafter.undrawn(question, str(error)))
        finally:
            if self._has_told:
                self.progressed.emit(-1.0)

    def _is_looked_at(self, drawing: Drawing) -> bool:
        """Whether nothing else is asked; for a large graph, not soon either: while the user hurries from step to step,
        the next one is not to wait for why the last one differs."""
        secs = REST_SECS if len(drawing.graph) > EXPLAINED_AT_ONCE else 0.0
        return self._asked.stays_empty(secs)

    def _has_better(self, drafter: Drafter) -> bool:
        """Looks ahead in the tape until something is asked; whether the question answered last has another answer now:
        once all is known, the picture moves no more."""
        while self._asked.waiting is None and not self._asked.is_closed:
            if not drafter.look_ahead():
                return drafter.is_outdated
        return False

    def _tell(self, share: float) -> None:
        if time.monotonic() - self._started > LONG_SECS:
            self._has_told = True
            self.progressed.emit(share)

    def _is_unwanted(self) -> bool:
        waiting, current = self._asked.waiting, self._asked.current
        has_other_options = waiting is not None and current is not None and waiting.options != current.options
        is_given_up = current is not None and self._given_up is current
        return self._asked.is_closed or is_given_up or has_other_options
