"""Where the arrow keys lead: along links up and down, between neighbours left and right."""

from itertools import compress

import numpy as np
from numpy.typing import NDArray

from gui.canvas.rows import box_row, end_row, group_row
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


def linked_links(layout: Layout, index: int) -> list[int]:
    """The indices of the links that enter or leave a box."""
    key = layout.view.boxes[index].key
    return [number for number, link in enumerate(layout.view.links) if key in (link.source, link.target)]


def _linked(layout: Layout, index: int, direction: str, links_present: Bools | None) -> list[int]:
    key = layout.view.boxes[index].key
    links = layout.view.links
    if links_present is not None:
        links = tuple(compress(links, links_present.tolist()))
    if direction == UP:
        keys = {link.source for link in links if link.target == key}
    else:
        keys = {link.target for link in links if link.source == key}
    return [number for number, box in enumerate(layout.view.boxes) if box.key in keys]


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
    same = [number for number in level.tolist() if layout.view.boxes[number].group == group]
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
