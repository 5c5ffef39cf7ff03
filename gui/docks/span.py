"""Which steps lie at which pixels, and which pixels show any of many steps: found without looking at all of these."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
"""Its multiples, without their whole parts, fill a stretch evenly and without a period."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which steps lie between which pixels: step `first` at `left_px`, step `last` at `right_px`."""

    first: float
    last: float
    left_px: float
    right_px: float

    @property
    def px_per_step(self) -> float:
        return (self.right_px - self.left_px) / max(self.last - self.first, 1e-9)

    def step_at(self, x_px: Floats | float) -> Floats | float:
        return self.first + (x_px - self.left_px) / self.px_per_step

    def px_at(self, step: Floats | float) -> Floats | float:
        return self.left_px + (step - self.first) * self.px_per_step

    def nearest(self, steps: NDArray[np.int64], left: int, right: int, shift: float = 0.0) -> NDArray[np.bool_]:
        """Of the pixels from `left` to before `right`, those nearest to any of the growing steps; each moved by so much
        of a step."""
        borders = np.arange(left, right + 1) - 0.5
        return _any_between(steps, np.asarray(self.step_at(borders)) - shift)

    def filled(self, steps: NDArray[np.int64], left: int, right: int) -> NDArray[np.bool_]:
        """Of the same pixels those in the room of any of the growing steps, half a step to either side of it: if steps
        are less wide, those that hold one."""
        if self.px_per_step < 1:
            return _any_between(steps, np.asarray(self.step_at(np.arange(left, right + 1, dtype=np.float64))))
        meant = np.rint(self.step_at(np.arange(left, right) + 0.5)).astype(np.int64)
        return contains(steps, meant)

    def sampled(self, left: int, right: int, most: int) -> NDArray[np.int64]:
        """Steps at the same pixels, (pixels, k): the nearest where steps are wider than pixels, else those that lie
        there, or `most` of them: at uneven distances, as what comes every so many steps would beat with even ones."""
        count = min(math.ceil(1 / self.px_per_step), most)
        places = np.arange(1, count + 1) * GOLDEN_RATIO % 1 if count == most else (np.arange(count) + 0.5) / count
        return np.rint(self.step_at(np.arange(left, right)[:, None] + places)).astype(np.int64)


def contains(steps: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the wanted are among the growing steps."""
    if not len(steps):
        return np.zeros(len(wanted), bool)
    places = np.searchsorted(steps, wanted)
    return steps[np.minimum(places, len(steps) - 1)] == wanted


def stretches(mask: NDArray[np.bool_], gap: int = 0) -> list[tuple[int, int]]:
    """(first, last) of each stretch of true places; those with no more than `gap` places between them are one."""
    places = np.flatnonzero(mask)
    if not len(places):
        return []
    ends = np.flatnonzero(np.diff(places) > gap + 1)
    firsts, lasts = places[np.append(0, ends + 1)], places[np.append(ends, -1)]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _any_between(steps: NDArray[np.int64], borders: Floats) -> NDArray[np.bool_]:
    """Whether any lies from each border to before the next."""
    places = np.searchsorted(steps, np.ceil(borders).astype(np.int64))  # of one type: else all steps are converted
    return places[1:] > places[:-1]
