"""Numbers over steps, in buffers that grow, thinned to what a screen can show."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gui.buffer import Buffer
from gui.extremes import Extremes, finite
from gui.runs import Runs

Floats = NDArray[np.float64]


class Series:
    """A curve that grows. Appending n points costs O(n) on average, and for those that come late as much as all the
    steps after them.

    A value takes four bytes while all are numbers of single precision, as those of a loss are, else eight.
    """

    def __init__(self) -> None:
        self._steps = Runs()
        self._values: Buffer[np.floating[Any]] = Buffer(np.float32)
        self._extremes = Extremes()

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def steps(self) -> NDArray[np.int64]:
        """Made anew."""
        return self._steps.between(0, len(self))

    @property
    def values(self) -> NDArray[np.floating[Any]]:
        return self._values.array

    def append(self, steps: ArrayLike, values: ArrayLike) -> None:
        """Adds points, `steps` (n,) and `values` (n,), in any order; a step logged again takes the later value."""
        more, numbers = np.asarray(steps, np.int64), np.asarray(values, np.float64)
        if not len(more):
            return
        begin = int(self._steps.before(more.min()))
        if begin < len(self) or not np.all(np.diff(more) > 0):
            more = np.concatenate([self._steps.between(begin, len(self)), more])
            numbers = np.concatenate([self.values[begin:], numbers])
            more, numbers = _ordered(more, numbers)
        if self.values.dtype != np.float64 and not _is_single(numbers):
            self._values.convert(np.float64)
        self._steps.cut(begin)
        self._steps.append(more)
        self._values.resize(begin)
        self._values.append(numbers)
        self._extremes.update(self.values, begin)

    def at(self, step: int) -> float | None:
        """The value logged at `step` itself, None where there is none."""
        place, end = self._steps.before([step, step + 1]).tolist()
        return float(self.values[place]) if place < end else None

    def thinned(self, first: float, last: float, width_px: int) -> tuple[Floats, Floats]:
        """The curve between two steps, as at most about two points (lowest, highest) a pixel.

        One point beyond either end is kept, so that the line runs out of the picture. Infinite values become holes.
        """
        edges = self._steps.before(np.append(np.linspace(first, last, max(width_px, 1) + 1)[:-1], math.floor(last) + 1))
        begin, end = max(int(edges[0]) - 1, 0), min(int(edges[-1]) + 1, len(self))
        if end - begin <= 2 * max(width_px, 1):
            return self._steps.between(begin, end).astype(np.float64), finite(self.values[begin:end].astype(np.float64))
        starts = np.append(begin, edges[edges < end])
        starts = starts[np.diff(starts, prepend=-1) > 0]
        ends = np.append(starts[1:], end)
        thin_steps, thin_values = np.empty(2 * len(starts)), np.empty(2 * len(starts))
        thin_steps[0::2], thin_steps[1::2] = self._steps.at(starts), self._steps.at(ends - 1)
        thin_values[0::2], thin_values[1::2] = self._extremes.within(self.values, starts, ends)
        return thin_steps, thin_values


def _ordered(steps: NDArray[np.int64], values: Floats) -> tuple[NDArray[np.int64], Floats]:
    order = np.argsort(steps, kind="stable")
    steps, values = steps[order], values[order]
    is_last = np.append(np.diff(steps) > 0, True)
    return steps[is_last], values[is_last]


def _is_single(numbers: Floats) -> bool:
    """Whether none of them would lose anything."""
    with np.errstate(over="ignore"):
        return np.array_equal(numbers.astype(np.float32), numbers, equal_nan=True)
