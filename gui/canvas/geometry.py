"""Arrays made from a layout that painting and hit-testing share: extents for culling, links as smooth curves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.layout.result import Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Area = tuple[float, float, float, float]
"""x, y, width, height in scene units."""
ARROW_LENGTH = 7.0
TIP_GAP = 9.0
"""So far apart stand the arrow heads of links that enter a box from one side, if it is wide enough."""
_TIP_MARGIN = 10.0  # to the corners of the box
_LONGEST_TAIL = 24.0


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Every stretch of every link as a cubic Bézier curve: `control` (s, 4, 2) points, `link` (s,) the link of each.

    `tips` (k, 2) are the points where the arrow heads of the k links end; the curves stop where the heads begin.

    A stretch leaves and arrives vertically, or levelly where a level one follows or comes before, so that a link is
    smooth at its bends and no stretch leaves the rectangle between its ends: a layout whose polylines cross no box
    gives curves that cross no box. Where several links enter a box from one side, each ends a little nearer to where
    it comes from than the next: for the same reason never beyond.
    """

    control: Floats
    link: Ints
    tips: Floats
    low: Floats
    high: Floats


def curves_of(layout: Layout) -> Curves:
    """The curves of all links; the last stretch of each is the one that ends at its target box."""
    starts = layout.starts
    inner = np.ones(len(layout.points), dtype=bool)
    inner[starts[1:] - 1] = False
    first = np.flatnonzero(inner)
    link = np.searchsorted(starts, first, side="right") - 1
    a, b = layout.points[first], layout.points[first + 1]
    is_level = (a[:, 1] == b[:, 1]) & (a[:, 0] != b[:, 0])
    tips = _end_at_heads(layout, link, a, b, is_level)
    goes_on = link[1:] == link[:-1]
    leaves_level, arrives_level = is_level.copy(), is_level.copy()
    leaves_level[1:] |= is_level[:-1] & goes_on
    arrives_level[:-1] |= is_level[1:] & goes_on
    half = (b - a) / 2
    leaving = half * np.stack([leaves_level, ~leaves_level], axis=1)
    arriving = half * np.stack([arrives_level, ~arrives_level], axis=1)
    control = np.stack([a, a + leaving, b - arriving, b], axis=1)
    return Curves(control, link, tips, np.minimum(a, b), np.maximum(a, b))


def _end_at_heads(layout: Layout, link: Ints, a: Floats, b: Floats, is_level: Bools) -> Floats:
    """Moves the ends of stretches from `a` to `b` (s, 2), so that links stop where their heads begin and the heads of
    one box stand apart; the tips of the heads (k, 2).

    The last stretch of a link may be a short vertical one, or none at all: then the one before gives way.
    """
    last = np.searchsorted(link, np.arange(len(layout.starts) - 1), side="right") - 1
    tip_y, before = b[last, 1].copy(), np.maximum(last - 1, 0)
    has_tail = (link[before] == link[last]) & (before < last) & (a[last, 0] == b[last, 0]) & ~is_level[before]
    has_tail &= tip_y - a[last, 1] <= _LONGEST_TAIL
    shifts = _shifts(layout, np.where(has_tail, a[before, 0], a[last, 0]), b[last, 0])
    b[last, 0] += shifts
    tips = np.stack([b[last, 0], tip_y], axis=1)
    b[last, 1] -= np.clip((tip_y - a[last, 1]) / 2, 0.0, ARROW_LENGTH)
    tailed, before = last[has_tail], before[has_tail]
    half_way, base = (a[before, 1] + b[before, 1]) / 2, tip_y[has_tail] - ARROW_LENGTH
    joint = np.minimum(a[tailed, 1], np.maximum(base, half_way))
    b[before, 1] = a[tailed, 1] = joint
    b[before, 0] = a[tailed, 0] = b[tailed, 0]
    b[tailed, 1] = np.maximum(base, joint)
    return tips


def _shifts(layout: Layout, from_x: Floats, tip_x: Floats) -> Floats:
    """How far the tip of each link is moved towards where it comes from: those that come from further off further, as
    the box has room."""
    rows = {box.key: row for row, box in enumerate(layout.view.boxes)}
    targets = np.array([rows[link.target] for link in layout.view.links], dtype=np.int64)
    shifts, distances = np.zeros(len(targets)), from_x - tip_x
    is_shared = np.bincount(targets, minlength=1)[targets] > 1
    left = layout.boxes[targets, 0]
    room = {-1.0: tip_x - left, 1.0: left + layout.boxes[targets, 2] - tip_x}
    for side in (-1.0, 1.0):
        links = np.flatnonzero(is_shared & (distances * side > 0))
        links = links[np.lexsort((distances[links] * side, targets[links]))]
        first = np.searchsorted(targets[links], targets[links])
        rank = np.arange(len(links)) - first + 1
        most = np.bincount(targets[links], minlength=1)[targets[links]]
        step = np.minimum(TIP_GAP, (room[side][links] - _TIP_MARGIN) / most).clip(0.0)
        # Half way at most: the rest is for the bend.
        shifts[links] = side * np.minimum(rank * step, np.abs(distances[links]) / 2)
    return shifts


def flattened(control: Floats, pieces: int) -> Floats:
    """Curves (s, 4, 2) as straight lines (s, pieces, 4): x1, y1, x2, y2."""
    t = np.linspace(0.0, 1.0, pieces + 1)
    basis = np.stack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3], axis=1)
    points = basis @ control
    return np.concatenate([points[:, :-1], points[:, 1:]], axis=2)


def dashes_of(control: Floats, length: float) -> Floats:
    """Curves (s, 4, 2) as dashes (d, 4) of about this length, with gaps as long between them: x1, y1, x2, y2."""
    spans = np.abs(control[:, 3] - control[:, 0]).max(axis=1, initial=0.0)
    counts = np.maximum(np.round(spans / (2 * length)), 1).astype(np.int64)
    curve = np.repeat(np.arange(len(control)), counts)
    number = np.arange(len(curve)) - np.repeat(np.cumsum(counts) - counts, counts)
    ends = [_points_at(control[curve], (number + part) / counts[curve]) for part in (0.25, 0.75)]
    return np.concatenate(ends, axis=1)


def _points_at(control: Floats, t: Floats) -> Floats:
    """A point of each curve (s, 4, 2), at its own t (s,)."""
    basis = np.stack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3], axis=1)
    points: Floats = (basis[:, :, None] * control).sum(axis=1)
    return points


def rows_in(rects: Floats, area: Area) -> Ints:
    """Indices of the rows x, y, width, height that touch an area x, y, width, height."""
    x, y, width, height = area
    return np.flatnonzero(
        (rects[:, 0] <= x + width)
        & (rects[:, 0] + rects[:, 2] >= x)
        & (rects[:, 1] <= y + height)
        & (rects[:, 1] + rects[:, 3] >= y)
    )


def stretches_in(curves: Curves, area: Area, slack: float = 2.0) -> Ints:
    """Indices of the stretches that touch an area."""
    x, y, width, height = area
    return np.flatnonzero(
        (curves.low[:, 0] <= x + width + slack)
        & (curves.high[:, 0] >= x - slack)
        & (curves.low[:, 1] <= y + height + slack)
        & (curves.high[:, 1] >= y - slack)
    )
