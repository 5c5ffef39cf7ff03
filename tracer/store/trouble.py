"""What the user is told where a tape cannot be written: one line while it happens, an event once it is over."""

import contextlib
import sys
import time
from pathlib import Path

from tracer.store.records import EventRecord

RETRY_SECS = 0.25
MOST_RETRY_SECS = 2.0


class Trouble:
    """Belongs to the writer's thread."""

    def __init__(self, path: Path) -> None:
        self.has_warned = False
        self._path = path
        self._error: Exception | None = None
        self._first_step = 0
        self._began_ns = 0
        self._retry_secs = RETRY_SECS

    @property
    def is_on(self) -> bool:
        return self._error is not None

    def met(self, error: Exception, step: int) -> None:
        """The disk refuses what was recorded from `step` on."""
        if self._error is None:
            self._error, self._first_step, self._began_ns = error, step, time.time_ns()
            self._retry_secs = RETRY_SECS
        self.warn(f"{error}", "the training goes on, recording waits")

    def next_pause(self) -> float:
        """How long to wait until it is tried again."""
        pause, self._retry_secs = self._retry_secs, min(2 * self._retry_secs, MOST_RETRY_SECS)
        return pause

    def over(self, last_step: int) -> EventRecord:
        """What to say of it on the tape, which is being written again. Steps up to `last_step` were appended."""
        secs = (time.time_ns() - self._began_ns) / 1e9
        text = f"the tape could not be written for {secs:.1f} s ({self._error})"
        first, self._error = self._first_step, None
        data = {"text": text, "first": first, "last": max(first, last_step), "seconds": secs}
        return EventRecord("disk", first, self._began_ns, data)

    def ended(self, text: str, last_step: int) -> EventRecord:
        """What to say on the tape where it ends before the training does, at `last_step` or so."""
        return EventRecord("disk", last_step, time.time_ns(), {"text": text, "first": last_step + 1})

    def warn(self, problem: str, consequence: str) -> None:
        """One line, once."""
        if self.has_warned:
            return
        self.has_warned = True
        with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr may be closed, or not be there
            print(f"tapescope: {self._path} cannot be written ({problem}); {consequence}.", file=sys.stderr)
