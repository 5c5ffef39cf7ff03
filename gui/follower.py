"""Reads what is appended to a tape, in a thread of its own with a connection of its own."""

import math
import threading
import time
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QThread, Signal

from gui.portions import portions
from tracer import Batch, Tape
from tracer.errors import TapeError
from tracer.model.last_finite import last_finite
from tracer.model.step_table import StepTable

POLL_SECS = 0.02
PATIENCE_SECS = 1.0
SHORT_STEPS = 10_000
"""Of no more than so many steps all scalars are read at once."""


class Follower(QThread):
    """Sends the whole tape so far, then whatever is added, until the run has ended or `finish` is called.

    Receivers must be methods of QObjects (a plain function would run in this thread) and call `took_batch` when they
    are done with a batch: the next is read only then, so a slow app gets few large batches, never a long queue. Of a
    very large one they get a portion at a time.
    """

    opened = Signal(object)  # the tape's meta
    exception_found = Signal()  # what is about to be read ends in one
    batch_read = Signal(object)  # tracer.store.reader.Batch
    state_read = Signal(str)  # Tape.state
    last_finite_found = Signal(int, object)  # the id of an event "not_finite", tracer.model.last_finite.LastFinite
    failed = Signal(str)  # one sentence; nothing follows

    def __init__(self, tape: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = tape
        self._is_finishing = threading.Event()
        self._is_ready = threading.Event()
        self._is_ready.set()

    def finish(self) -> None:
        """Ends the thread and waits for it, a few milliseconds unless a large read is under way."""
        self._is_finishing.set()
        self._is_ready.set()
        self.wait()

    def took_batch(self) -> None:
        self._is_ready.set()

    def run(self) -> None:
        try:
            tape = self._open()
            if tape is not None:
                with tape:
                    self._follow(tape)
        except TapeError as error:
            self.failed.emit(str(error))

    def _open(self) -> Tape | None:
        """Waits for a run to begin its tape; None if told to finish.

        Until it has imported torch the run only holds the place, and what it then begins is no tape for some
        milliseconds: a file with content gets some patience before its error is believed.
        """
        patience_ends = math.inf
        while not self._is_finishing.is_set():
            try:
                return Tape(self._path)
            except TapeError:
                if not _has_content(self._path):
                    patience_ends = math.inf
                elif patience_ends == math.inf:
                    patience_ends = time.monotonic() + PATIENCE_SECS
                elif time.monotonic() > patience_ends:
                    raise
            self._is_finishing.wait(POLL_SECS)
        return None

    def _follow(self, tape: Tape) -> None:
        self.opened.emit(dict(tape.meta))
        has_sent_scalars = len(tape) <= SHORT_STEPS
        while not self._is_finishing.is_set():
            # The state is read before the rest: what was added before the run ended is then in this batch.
            state = tape.state
            batch = tape.refresh(with_scalars=has_sent_scalars)
            self._send(batch)
            if not has_sent_scalars:
                self._send_scalars(tape)
                has_sent_scalars = True
            self.state_read.emit(state)
            self._trace(tape, batch)
            if state != "live":
                return
            self._is_finishing.wait(POLL_SECS)
            self._is_ready.wait()

    def _trace(self, tape: Tape, batch: Batch) -> None:
        """After all else: structures may have to be read for it."""
        for event in batch.events:
            if event.kind == "not_finite" and not self._is_finishing.is_set():
                with suppress(TapeError):
                    found = last_finite(tape, event)
                    if found is not None:
                        self.last_finite_found.emit(event.id, found)

    def _send_scalars(self, tape: Tape) -> None:
        """All there are as of the last refresh, one after another: the first is drawn before the last is read."""
        for name in sorted(tape.scalars, key=lambda name: name != "loss"):
            if not self._is_finishing.is_set():
                self._send(Batch(StepTable(), (), {name: tape.series(name)}))

    def _send(self, batch: Batch) -> None:
        if any(event.kind == "exception" for event in batch.events):
            self.exception_found.emit()
        for portion in portions(batch):
            self._is_ready.wait()
            if self._is_finishing.is_set():
                return
            self._is_ready.clear()
            self.batch_read.emit(portion)


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
