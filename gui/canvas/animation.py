"""From one layout to the next in a quarter of a second: boxes slide, what is new fades in, what is gone fades out."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QPainter

from gui.canvas.detail import Detail
from gui.canvas.geometry import Area, Floats, Ints, rows_in
from gui.canvas.renderer import Renderer
from gui.canvas.rows import box_row, rect_of
from gui.canvas.selection import Selection, carried_over
from tracer.layout.result import Layout

DURATION_MS = 220
# More boxes than this do not slide within a frame's time.
MOST_BOXES = 4_000


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Rows of two layouts that belong together: `kept` (n, 2) pairs (before, after), and the rows without a partner."""

    kept: Ints
    leaving: Ints
    entering: Ints


class Transition:
    """Paints the states between two scenes. Everything is in the coordinates of the later one."""

    def __init__(self, before: Renderer, after: Renderer, shift: tuple[float, float]) -> None:
        old, new = before.scene.layout, after.scene.layout
        self._before = before
        self._after = after
        self._shift = shift
        self._old_boxes = old.boxes + np.array([*shift, 0.0, 0.0])
        self._old_groups = old.groups + np.array([*shift, 0.0, 0.0])
        self._boxes = _matched([box.key for box in old.view.boxes], [box.key for box in new.view.boxes])
        self._groups = _matched([group.key for group in old.view.groups], [group.key for group in new.view.groups])
        self._group_starts = _starts_of_groups(old, new, self._old_boxes, self._old_groups)
        self._group_ends = _ends_of_groups(old, new, self._old_groups)

    def paint(self, painter: QPainter, area: Area, scale: float, progress: float) -> None:
        """Paint the moment `progress`, 0 to 1."""
        detail = self._after.detail(area, scale)
        x, y, width, height = area
        old_area = (x - self._shift[0], y - self._shift[1], width, height)
        self._paint_groups(painter, area, detail, progress)
        if progress < 0.4:
            painter.setOpacity(1.0 - progress / 0.4)
            painter.save()
            painter.translate(*self._shift)
            self._before.paint_links(painter, old_area, scale)
            painter.restore()
        elif progress > 0.6:
            painter.setOpacity((progress - 0.6) / 0.4)
            self._after.paint_links(painter, area, scale)
        self._paint_boxes(painter, area, scale, progress)
        painter.setOpacity(1.0)

    def _paint_groups(self, painter: QPainter, area: Area, detail: Detail, progress: float) -> None:
        """Frames that stay never fade; the others come and go as they grow out of a box or shrink into one."""
        rows = self._groups
        old = _between(self._old_groups, self._group_ends, progress)
        new = _between(self._group_starts, self._after.scene.layout.groups, progress)
        parts = [
            (self._after, new, rows.kept[:, 1], 1.0),
            (self._before, old, rows.leaving, 1.0 - progress),
            (self._after, new, rows.entering, progress),
        ]
        for renderer, rects, chosen, opacity in parts:
            painter.setOpacity(opacity)
            in_sight = np.intersect1d(chosen, rows_in(rects, area))
            renderer.paint_groups(painter, rects, in_sight, detail)
            renderer.paint_titles(painter, rects, in_sight, detail)

    def _paint_boxes(self, painter: QPainter, area: Area, scale: float, progress: float) -> None:
        detail = self._after.detail(area, scale)
        painter.setOpacity(1.0 - progress)
        leaving = np.intersect1d(self._boxes.leaving, rows_in(self._old_boxes, area))
        self._before.paint_boxes(painter, self._old_boxes, leaving, detail, scale)
        rects = self._after.scene.layout.boxes.copy()
        kept = self._boxes.kept
        rects[kept[:, 1]] = _between(self._old_boxes[kept[:, 0]], rects[kept[:, 1]], progress)
        visible = rows_in(rects, area)
        painter.setOpacity(progress)
        self._after.paint_boxes(painter, rects, np.intersect1d(self._boxes.entering, visible), detail, scale)
        painter.setOpacity(1.0)
        self._after.paint_boxes(painter, rects, np.intersect1d(kept[:, 1], visible), detail, scale)


def shift_between(old: Layout, new: Layout, anchor: str, area: Area) -> tuple[float, float] | None:
    """How far the scene moved from one layout to the next, so that the camera can move along and the eye need not.

    The anchor (what was opened or closed), or the closed module that it is in now, stays where it is; without one, the
    boxes in sight do: the median of their moves. Where none of those is left, what has become of the one in the middle
    stays. None where the layouts have nothing in common.
    """
    if anchor:
        start, end = rect_of(old, anchor), rect_of(new, carried_over(Selection(anchor), old, new).key)
        if start is not None and end is not None:
            return end[0] + end[2] / 2 - start[0] - start[2] / 2, end[1] - start[1]
    keys = _matched([box.key for box in old.view.boxes], [box.key for box in new.view.boxes])
    seen = rows_in(old.boxes, area)
    in_sight = np.isin(keys.kept[:, 0], seen)
    if len(seen) and not in_sight.any():
        turned = _shift_of_what_became(old, new, seen, area)
        if turned is not None:
            return turned
    kept = keys.kept[in_sight] if in_sight.any() else keys.kept
    if not len(kept):
        return None
    moves = np.median(new.boxes[kept[:, 1], :2] - old.boxes[kept[:, 0], :2], axis=0)
    return float(moves[0]), float(moves[1])


def _shift_of_what_became(old: Layout, new: Layout, seen: Ints, area: Area) -> tuple[float, float] | None:
    """Of the box nearest to the middle of the view that is a frame now, or lies in something that is a box now."""
    middle = np.array([area[0] + area[2] / 2, area[1] + area[3] / 2])
    away = np.abs(old.boxes[seen, :2] + old.boxes[seen, 2:] / 2 - middle).sum(axis=1)
    parents = {group.key: group.parent for group in old.view.groups}
    for row in seen[np.argsort(away, kind="stable")].tolist():
        box = old.view.boxes[row]
        end = rect_of(new, box.key)
        if end is not None:
            x, y, width, _ = old.boxes[row].tolist()
            return end[0] + end[2] / 2 - x - width / 2, end[1] - y
        around = box.group
        while around is not None and rect_of(new, around) is None:
            around = parents[around]
        end = rect_of(new, around) if around is not None else None
        if end is not None and box_row(new, around or "") >= 0:
            return end[0] + end[2] / 2 - float(middle[0]), end[1] + end[3] / 2 - float(middle[1])
    return None


def _matched(old: list[str], new: list[str]) -> Keys:
    row_of = {key: row for row, key in enumerate(old)}
    kept = [(row_of[key], row) for row, key in enumerate(new) if key in row_of]
    entering = [row for row, key in enumerate(new) if key not in row_of]
    remaining = set(new)
    leaving = [row for row, key in enumerate(old) if key not in remaining]
    pairs = np.array(kept, dtype=np.int64).reshape(-1, 2)
    return Keys(pairs, np.array(leaving, dtype=np.int64), np.array(entering, dtype=np.int64))


def _starts_of_groups(old: Layout, new: Layout, old_boxes: Floats, old_groups: Floats) -> Floats:
    """Where the new frames begin: where they were, or as the box that opens into them."""
    rects = _rects_by_key(old, old_boxes, old_groups)
    starts = new.groups.copy()
    for row, group in enumerate(new.view.groups):
        starts[row] = rects.get(group.key, new.groups[row])
    return starts


def _ends_of_groups(old: Layout, new: Layout, old_groups: Floats) -> Floats:
    """Where the old frames end: where they are now, or as the box that they close into."""
    rects = _rects_by_key(new, new.boxes, new.groups)
    ends = old_groups.copy()
    for row, group in enumerate(old.view.groups):
        ends[row] = rects.get(group.key, old_groups[row])
    return ends


def _rects_by_key(layout: Layout, boxes: Floats, groups: Floats) -> dict[str, Floats]:
    rects = {box.key: boxes[row] for row, box in enumerate(layout.view.boxes)}
    rects.update({group.key: groups[row] for row, group in enumerate(layout.view.groups)})
    return rects


def _between(start: Floats, end: Floats, progress: float) -> Floats:
    return start + (end - start) * progress
