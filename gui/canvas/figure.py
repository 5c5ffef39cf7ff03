"""What painting, hit-testing and comparing need of a layout beside its own arrays: made once, shared by every scene."""

from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from gui.canvas.geometry import Bools, Curves, Floats, Ints, curves_of
from gui.canvas.rows import Rows, rows_of
from tracer.layout.result import Layout
from tracer.layout.sizes import FRAME_HEAD
from tracer.model.view import View

_DEFAULT_BOX_HEIGHT = 36.0
_CLEAR_OF_BORDER = 9.0


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """`box_height` is that of a typical box. `groups_of_boxes` (n,) and `parents` (m,) are rows of frames, -1 for none,
    and `depths` (m,) says how many frames lie around each; `is_filled` (m,) whether anything lies in it; `folds` (m,)
    are the keys of the folds around what lies in it, outer ones first. `is_parameter` (n,) tells boxes.

    `sources` and `targets` (k,) are the rows of the boxes that links join; `is_backward` (k,) tells those that lead up,
    against the flow: on to the next turn of a loop. No text of a link may stand between the two y of a row
    of `taken`: there frames have their borders and titles. `rows_of_nodes` has the boxes that come, go or change with
    each node.
    """

    curves: Curves
    box_height: float
    groups_of_boxes: Ints
    parents: Ints
    depths: Ints
    is_filled: Bools
    folds: tuple[tuple[str, ...], ...]
    is_parameter: Bools
    sources: Ints
    targets: Ints
    is_backward: Bools
    taken: Floats
    rows_of_nodes: dict[str, list[int]]


_figures: WeakKeyDictionary[Layout, Figure] = WeakKeyDictionary()


def figure_of(layout: Layout) -> Figure:
    """That of this very layout; made at the first question, which is best asked by the thread that laid it out."""
    figure = _figures.get(layout)
    if figure is None:
        figure = _figures[layout] = _made(layout, rows_of(layout))
    return figure


def _made(layout: Layout, rows: Rows) -> Figure:
    view, heights = layout.view, layout.boxes[:, 3]
    groups_of_boxes = _as_ints(rows.groups.get(box.group or "", -1) for box in view.boxes)
    parents = _as_ints(rows.groups.get(group.parent or "", -1) for group in view.groups)
    is_filled = np.zeros(len(view.groups), dtype=np.bool_)
    for inside in (groups_of_boxes, parents):
        is_filled[inside[inside >= 0]] = True
    return Figure(
        curves_of(layout),
        float(np.median(heights)) if len(heights) else _DEFAULT_BOX_HEIGHT,
        groups_of_boxes,
        parents,
        _depths(parents),
        is_filled,
        _folds(view, parents),
        np.array([box.kind == "parameter" for box in view.boxes], dtype=np.bool_),
        rows.sources,
        rows.targets,
        _is_backward(layout),
        _taken(layout.groups),
        _rows_of_nodes(view),
    )


def _as_ints(numbers: Iterable[int]) -> Ints:
    return np.array(list(numbers), dtype=np.int64)


def _depths(parents: Ints) -> Ints:
    """Parents come first."""
    depths: list[int] = []
    for parent in parents.tolist():
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
    return _as_ints(depths)


def _folds(view: View, parents: Ints) -> tuple[tuple[str, ...], ...]:
    """Parents come first."""
    folds: list[tuple[str, ...]] = []
    for group, parent in zip(view.groups, parents.tolist(), strict=True):
        folds.append((*(folds[parent] if parent >= 0 else ()), *([group.fold] if group.fold else [])))
    return tuple(folds)


def _is_backward(layout: Layout) -> Bools:
    leaving, arriving = layout.points[layout.starts[:-1]], layout.points[layout.starts[1:] - 1]
    is_backward: Bools = arriving[:, 1] < leaving[:, 1]
    return is_backward


def _taken(groups: Floats) -> Floats:
    top, bottom = groups[:, 1], groups[:, 1] + groups[:, 3]
    heads = np.stack([top - _CLEAR_OF_BORDER, top + FRAME_HEAD + _CLEAR_OF_BORDER], axis=1)
    feet = np.stack([bottom - _CLEAR_OF_BORDER, bottom + _CLEAR_OF_BORDER], axis=1)
    return np.concatenate([heads, feet])


def _rows_of_nodes(view: View) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, box in enumerate(view.boxes):
        nodes = {*box.members, *box.anchors} if box.anchors else box.members
        for node in nodes:
            rows.setdefault(node, []).append(row)
    return rows
