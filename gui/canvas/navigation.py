"""Where keys lead: arrows along links up and down and to neighbours left and right, Tab through siblings."""

import numpy as np
from numpy.typing import NDArray

from gui.canvas.rows import box_row, end_row, group_row, rows_of
from tracer.layout.result import Layout

Bools = NDArray[np.bool_]
UP, DOWN, LEFT, RIGHT = "up", "down", "left", "right"


def walk(layout: Layout, key: str, direction: str, links_present: Bools | None = None) -> str:
    """The key reached from a key: from a box a neighbour, from a group its first box, from nothing the loss."""
    if not layout.view.boxes:
        return ""
    row, group = box_row(layout, key), group_row(layout, key)
    if row >= 0:
        row = neighbor(layout, row, direction, links_present)
    else:
        row = first_in_group(layout, group) if group >= 0 else end_row(layout)
    return layout.view.boxes[row].key


def neighbor(layout: Layout, index: int, direction: str, links_present: Bools | None = None) -> int:
    """The box reached from a box, its own index where there is none.

    Up leads to the predecessor that stands nearest sideways, down to such a successor; left and right to the next box
    of about the same height, in the same group if it has one there. `links_present` (k,) tells the links that the step
    has; the others are followed only where none of those leads on.
    """
    if direction in (UP, DOWN):
        candidates = _linked(layout, index, direction, links_present)
        if not candidates and links_present is not None:
            candidates = _linked(layout, index, direction, None)
        return _nearest(layout, index, candidates) if len(candidates) else index
    return _sibling(layout, index, -1 if direction == LEFT else 1)


def sibling(layout: Layout, key: str, forwards: bool) -> str:
    """The next box or frame beside this one in the same frame, in reading order; "" at the end, and for no key."""
    view = layout.view
    row, group = box_row(layout, key), group_row(layout, key)
    if row < 0 and group < 0:
        return ""
    frame = view.boxes[row].group if row >= 0 else view.groups[group].parent
    boxes = [number for number, box in enumerate(view.boxes) if box.group == frame]
    groups = [number for number, other in enumerate(view.groups) if other.parent == frame]
    keys = [view.boxes[number].key for number in boxes] + [view.groups[number].key for number in groups]
    rects = np.concatenate([layout.boxes[boxes], layout.groups[groups]])
    centers = rects[:, :2] + rects[:, 2:] / 2
    ordered = [keys[place] for place in np.lexsort((centers[:, 0], np.round(centers[:, 1]))).tolist()]
    place = ordered.index(key) + (1 if forwards else -1)
    return ordered[place] if 0 <= place < len(ordered) else ""


def _linked(layout: Layout, index: int, direction: str, links_present: Bools | None) -> list[int]:
    rows = rows_of(layout)
    near, far = (rows.targets, rows.sources) if direction == UP else (rows.sources, rows.targets)
    chosen = near == index if links_present is None else (near == index) & links_present
    found: list[int] = np.unique(far[chosen]).tolist()
    return found


def _nearest(layout: Layout, index: int, candidates: list[int]) -> int:
    """The candidate on the nearest level; among those the one that needs the least step sideways."""
    centers = layout.boxes[:, :2] + layout.boxes[:, 2:] / 2
    gaps = np.abs(centers[candidates] - centers[index])
    return candidates[int(np.lexsort((gaps[:, 0], np.round(gaps[:, 1])))[0])]


def _sibling(layout: Layout, index: int, sign: int) -> int:
    boxes = layout.boxes
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    gap_x = (centers[:, 0] - centers[index, 0]) * sign
    gap_y = np.abs(centers[:, 1] - centers[index, 1])
    level = np.flatnonzero((gap_x > 0.5) & (gap_y <= (boxes[:, 3] + boxes[index, 3]) / 2))
    if not len(level):
        return index
    group = layout.view.boxes[index].group
    same = [row for row in level.tolist() if layout.view.boxes[row].group == group]
    candidates = same or level.tolist()
    return int(candidates[int(gap_x[candidates].argmin())])


def first_in_group(layout: Layout, group: int) -> int:
    """The topmost box that stands inside a frame, the nearest to its top where the frame holds none."""
    x, y, width, height = layout.groups[group]
    centers = layout.boxes[:, :2] + layout.boxes[:, 2:] / 2
    inside = np.flatnonzero(
        (centers[:, 0] >= x) & (centers[:, 0] <= x + width) & (centers[:, 1] >= y) & (centers[:, 1] <= y + height)
    )
    if not len(inside):
        return int(np.abs(centers[:, 1] - y).argmin())
    return int(inside[np.lexsort((centers[inside, 0], centers[inside, 1]))[0]])
