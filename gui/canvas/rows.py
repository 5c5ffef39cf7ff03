"""Where in a layout's arrays a key stands, and which links a box has: looked up in tables made once for each layout."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gui.canvas.geometry import Area, Ints
from tracer.layout.result import Layout

_KEPT_LAYOUTS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """`boxes` and `groups` are rows by key. `sources` and `targets` (k,) are the rows of the boxes that links join."""

    boxes: dict[str, int]
    groups: dict[str, int]
    sources: Ints
    targets: Ints


@lru_cache(maxsize=_KEPT_LAYOUTS)
def rows_of(layout: Layout) -> Rows:
    """The tables of a layout."""
    view = layout.view
    boxes = {box.key: row for row, box in enumerate(view.boxes)}
    groups = {group.key: row for row, group in enumerate(view.groups)}
    sources = np.array([boxes[link.source] for link in view.links], dtype=np.int64)
    targets = np.array([boxes[link.target] for link in view.links], dtype=np.int64)
    return Rows(boxes, groups, sources, targets)


def box_row(layout: Layout, key: str) -> int:
    """The row of a box, -1 where the layout has none of that key."""
    return rows_of(layout).boxes.get(key, -1)


def group_row(layout: Layout, key: str) -> int:
    """The row of a group, -1 where the layout has none of that key."""
    return rows_of(layout).groups.get(key, -1)


def rect_of(layout: Layout, key: str) -> Area | None:
    """The rectangle of a box or group; None for a key that is neither."""
    row = box_row(layout, key)
    if row >= 0:
        return _as_area(layout.boxes[row].tolist())
    row = group_row(layout, key)
    return _as_area(layout.groups[row].tolist()) if row >= 0 else None


def linked_links(layout: Layout, row: int) -> Ints:
    """The indices of the links that enter or leave a box."""
    rows = rows_of(layout)
    return np.flatnonzero((rows.sources == row) | (rows.targets == row))


def start_point(layout: Layout) -> tuple[float, float] | None:
    """Where reading begins: above the first op, as high as what flows into it. Calls beside the graph that made none
    count only where there is nothing else."""
    boxes = layout.view.boxes
    if not boxes:
        return None
    rows = [row for row, box in enumerate(boxes) if box.members] or list(range(len(boxes)))
    ops = [row for row in rows if boxes[row].kind != "parameter"] or rows
    centers = layout.boxes[:, :2] + layout.boxes[:, 2:] / 2
    first = min(ops, key=lambda row: float(layout.boxes[row, 1]))
    top = min(rows, key=lambda row: float(layout.boxes[row, 1]))
    return float(centers[first, 0]), float(centers[top, 1])


def span_near(layout: Layout, y: float, height: float) -> tuple[float, float] | None:
    """The left and right end of the boxes of a screen of that height around y; None where there are none."""
    tops, bottoms = layout.boxes[:, 1], layout.boxes[:, 1] + layout.boxes[:, 3]
    start = min(max(y - height / 2, 0.0), max(layout.size[1] - height, 0.0))
    near = layout.boxes[(tops < start + height) & (bottoms > start)]
    return (float(near[:, 0].min()), float((near[:, 0] + near[:, 2]).max())) if len(near) else None


def end_row(layout: Layout) -> int:
    """The box where reading begins: the last output, the loss; the last box where there is no output; -1 for none."""
    outputs = [row for row, box in enumerate(layout.view.boxes) if box.kind == "output"]
    return outputs[-1] if outputs else len(layout.view.boxes) - 1


def _as_area(row: list[float]) -> Area:
    x, y, width, height = row
    return x, y, width, height
