"""A layout on its way: how far it is, and whether it is still wanted."""

from collections.abc import Callable

ORDERED = 0.6  # of the work on a level, once its rows are in order
STEP = 1 / 40  # of progress, between two reports


class Cancelled(Exception):
    """The layout is no longer wanted."""


class Watch:
    """Asks whether to go on, and reports progress from 0 to 1: by what is finished of the expected work.

    The work comes in portions of some weight; within one, or a `part` of it, `reach` says how much is done.
    """

    def __init__(
        self, cancelled: Callable[[], bool] | None = None, progress: Callable[[float], None] | None = None
    ) -> None:
        self._cancelled = cancelled
        self._progress = progress
        self._expected = 1.0
        self._finished = 0.0
        self._portion = 0.0
        self._part = 0.0, 1.0
        self._reported = -1.0

    def expect(self, weight: float) -> None:
        self._expected = weight
        self._report(0.0)

    def begin(self, weight: float) -> None:
        self._portion = weight
        self.part(0.0, 1.0)

    def part(self, start: float, end: float) -> None:
        self._part = start, end
        self.check()

    def reach(self, share: float) -> None:
        self.check()
        start, end = self._part
        self._report((self._finished + (start + share * (end - start)) * self._portion) / self._expected)

    def finish(self, weight: float) -> None:
        self._portion = 0.0
        self._finished += weight
        self.reach(0.0)

    def end(self) -> None:
        self._report(1.0)

    def check(self) -> None:
        """Raises Cancelled. To be called every few milliseconds."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled

    def _report(self, done: float) -> None:
        if self._progress is not None and min(done, 1.0) >= min(self._reported + STEP, 1.0) > self._reported:
            self._reported = min(done, 1.0)
            self._progress(self._reported)
