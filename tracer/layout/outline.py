"""How wide a part of a level is at each height, so that parts stand as close as their outlines allow."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tracer.layout.routing import Point
from tracer.layout.sizes import PART_GAP

Floats = NDArray[np.float64]

BANDS = 64
"""So many heights are told apart; what shares one must stand side by side."""


class Outline:
    """`left` and `right` (BANDS,) are the ends of what stands in each band down to `depth`; inf and -inf where nothing
    does. Boxes reach half a gap further up and down than they do, lines do not. From the last `exits` centres lines go
    on to the bottom of the frame.
    """

    def __init__(
        self,
        centres: Sequence[Point],
        sizes: Sequence[tuple[float, float]],
        routes: Sequence[Sequence[Point]],
        exits: int,
        depth: float,
    ) -> None:
        self.left, self.right = np.full(BANDS, np.inf), np.full(BANDS, -np.inf)
        rects = [
            (x - width / 2, x + width / 2, y - (height + PART_GAP) / 2, y + (height + PART_GAP) / 2)
            for (x, y), (width, height) in zip(centres, sizes, strict=False)
        ]
        rects += [(x, x, y, depth) for x, y in centres[len(centres) - exits :]]
        rects += [
            (min(a[0], b[0]), max(a[0], b[0]), min(a[1], b[1]), max(a[1], b[1]))
            for route in routes
            for a, b in pairwise(route)
        ]
        lefts, rights, tops, bottoms = np.array(rects).T
        band = max(depth, 1.0) / BANDS
        first = np.clip(np.floor(tops / band), 0, BANDS).astype(np.int64)
        last = np.clip(np.floor(bottoms / band), -1, BANDS - 1).astype(np.int64)
        for number in range(int(first.min(initial=BANDS)), int(last.max(initial=-1)) + 1):
            inside = (first <= number) & (number <= last)
            self.left[number] = lefts[inside].min(initial=np.inf)
            self.right[number] = rights[inside].max(initial=-np.inf)

    @property
    def start(self) -> float:
        """The left end of what stands highest."""
        return float(self.left[np.isfinite(self.left).argmax()])


def shift_clear_of(taken: Floats, outline: Outline) -> float:
    """The least way to the right that leaves a gap to what reaches this far right in each band."""
    ways = taken - outline.left + PART_GAP
    return float(ways.max()) if np.isfinite(ways.max()) else 0.0
