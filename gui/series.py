"""Numbers over steps, in buffers that grow, thinned to what a screen can show."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Series:
    """An append-only curve. Steps only grow; appending n points costs O(n) on average."""

    def __init__(self) -> None:
        self._steps: Floats = np.empty(1024)
        self._values: Floats = np.empty(1024)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def steps(self) -> Floats:
        return self._steps[: self._count]

    @property
    def values(self) -> Floats:
        return self._values[: self._count]

    def append(self, steps: ArrayLike, values: ArrayLike) -> None:
        """Adds points, `steps` (n,) and `values` (n,), in any order; a step logged again takes the later value."""
        more = np.asarray(steps, dtype=np.float64)
        end = self._count + len(more)
        was_ordered = not len(more) or (bool(np.all(np.diff(more) > 0)) and self._is_past_the_end(more[0]))
        if end > len(self._steps):
            self._steps = _grown(self._steps, end)
            self._values = _grown(self._values, end)
        self._steps[self._count : end] = more
        self._values[self._count : end] = values
        self._count = end
        if not was_ordered:
            self._sort()

    def at(self, step: int) -> float | None:
        """The value logged at `step` itself, None where there is none."""
        place = int(np.searchsorted(self.steps, step))
        if place == self._count or self._steps[place] != step:
            return None
        return float(self._values[place])

    def thinned(self, first: float, last: float, width_px: int) -> tuple[Floats, Floats]:
        """The curve between two steps, as at most about two points (lowest, highest) a pixel.

        One point beyond either end is kept, so that the line runs out of the picture. Infinite values become holes.
        """
        begin = max(int(np.searchsorted(self.steps, first)) - 1, 0)
        end = min(int(np.searchsorted(self.steps, last, side="right")) + 1, self._count)
        steps, values = self.steps[begin:end], self.values[begin:end]
        values = np.where(np.isinf(values), np.nan, values)
        if len(steps) <= 2 * max(width_px, 1):
            return steps.copy(), values
        return _lowest_and_highest(steps, values, width_px)

    def _is_past_the_end(self, step: float) -> bool:
        return self._count == 0 or bool(step > self._steps[self._count - 1])

    def _sort(self) -> None:
        order = np.argsort(self.steps, kind="stable")
        steps, values = self.steps[order], self.values[order]
        is_last = np.append(np.diff(steps) > 0, True)
        self._count = int(np.count_nonzero(is_last))
        self._steps[: self._count], self._values[: self._count] = steps[is_last], values[is_last]


def _lowest_and_highest(steps: Floats, values: Floats, buckets: int) -> tuple[Floats, Floats]:
    starts = np.linspace(0, len(steps), buckets, endpoint=False).astype(np.intp)
    ends = np.append(starts[1:], len(steps)) - 1
    thin_steps, thin_values = np.empty(2 * buckets), np.empty(2 * buckets)
    thin_steps[0::2], thin_steps[1::2] = steps[starts], steps[ends]
    thin_values[0::2] = np.fmin.reduceat(values, starts)
    thin_values[1::2] = np.fmax.reduceat(values, starts)
    return thin_steps, thin_values


def _grown(buffer: Floats, needed: int) -> Floats:
    bigger = np.empty(max(needed, 2 * len(buffer)))
    bigger[: len(buffer)] = buffer
    return bigger
