"""Marked boxes and frames over the picture: outlined, and where the rest steps back, painted again above a veil."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.canvas.batches import draw_rects
from gui.canvas.camera import Camera
from gui.canvas.geometry import Area, Floats, Ints, rows_in, stretches_in
from gui.canvas.renderer import Renderer
from gui.canvas.rows import rows_of
from gui.canvas.scene import Scene
from gui.marks import Marks
from tracer.layout.result import Layout
from tracer.model.stand_ins import StandIns

_VEIL_ALPHA = 160
_TINT_ALPHA = 38
_GAP_PX = 2.0
_SMALLEST_PX = 5.0
_FILLED_BELOW_PX = 9.0
_MOST_ROUNDED = 1_500


@dataclass(frozen=True, slots=True, eq=False)
class Highlight:
    """Rows of one layout: marked boxes and frames, the links that join marked boxes, the frames around these."""

    layout: Layout
    boxes: Ints
    groups: Ints
    links: Ints
    around: Ints
    dims_others: bool


def highlight_of(scene: Scene, stand_ins: StandIns, marks: Marks) -> Highlight:
    """The boxes that stand for anything marked; a frame only where it is marked itself."""
    layout, rows = scene.layout, rows_of(scene.layout)
    shown = {
        drawn for key in marks.keys if key not in scene.fit.nodes for drawn in stand_ins.of(key)
    }  # nodes are found faster by the boxes' members
    is_marked = np.array(
        [box.key in shown or not marks.keys.isdisjoint(box.members) for box in layout.view.boxes], np.bool_
    )
    groups = np.array(sorted(rows.groups[key] for key in shown if key in rows.groups), np.int64)
    joins = np.zeros(0, np.int64)
    if marks.dims_others and len(rows.sources):
        joins = np.flatnonzero(scene.links_present & is_marked[rows.sources] & is_marked[rows.targets])
    boxes = np.flatnonzero(is_marked)
    around = _frames_around(layout, boxes) if marks.dims_others else np.zeros(0, np.int64)
    return Highlight(layout, boxes, groups, joins, around, marks.dims_others)


def _frames_around(layout: Layout, boxes: Ints) -> Ints:
    view = layout.view
    keys = {view.boxes[row].group for row in boxes.tolist()}
    rows = []
    for row in range(len(view.groups) - 1, -1, -1):  # parents first
        if view.groups[row].key in keys:
            keys.add(view.groups[row].parent)
            rows.append(row)
    return np.array(rows[::-1], np.int64)


def paint_highlight(painter: QPainter, renderer: Renderer, highlight: Highlight, area: Area, camera: Camera) -> None:
    """Paint over the finished picture; `area` is what the view shows."""
    rects = highlight.layout.boxes
    boxes = np.intersect1d(highlight.boxes, rows_in(rects, area), assume_unique=True)
    if highlight.dims_others:
        _paint_veil(painter, renderer, highlight, boxes, area, camera)
    theme, scale = renderer.theme, camera.scale
    accent = QColor(theme.accent)
    _paint_boxes(painter, _on_screen(rects[boxes], camera), accent, highlight.dims_others, theme.sizes.radius * scale)
    groups = np.intersect1d(highlight.groups, rows_in(highlight.layout.groups, area), assume_unique=True)
    painter.setPen(QPen(accent, 1.8))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    _draw_rounded(painter, _on_screen(highlight.layout.groups[groups], camera), theme.sizes.group_radius * scale)


def _paint_veil(
    painter: QPainter, renderer: Renderer, highlight: Highlight, boxes: Ints, area: Area, camera: Camera
) -> None:
    veil = QColor(renderer.theme.canvas)
    veil.setAlpha(_VEIL_ALPHA)
    painter.fillRect(painter.viewport(), veil)
    painter.save()
    painter.scale(camera.scale, camera.scale)
    painter.translate(-camera.x, -camera.y)
    near = np.unique(renderer.curves.link[stretches_in(renderer.curves, area)])
    links = np.intersect1d(highlight.links, near, assume_unique=True)
    renderer.paint_highlight(painter, links, renderer.theme.accent, area, camera.scale)
    detail = renderer.detail(area, camera.scale)
    frames = np.intersect1d(highlight.around, rows_in(highlight.layout.groups, area), assume_unique=True)
    renderer.paint_titles(painter, highlight.layout.groups, frames, detail)
    renderer.paint_boxes(painter, highlight.layout.boxes, boxes, detail, camera.scale)
    painter.restore()


def _tint(color: QColor) -> QColor:
    tint = QColor(color)
    tint.setAlpha(_TINT_ALPHA)
    return tint


def _on_screen(rects: Floats, camera: Camera) -> Floats:
    """In pixels, with a gap around; never so small that it could not be seen from afar."""
    corners = (rects[:, :2] - (camera.x, camera.y)) * camera.scale
    sizes = rects[:, 2:] * camera.scale
    grown = np.maximum(sizes + 2 * _GAP_PX, _SMALLEST_PX)
    return np.concatenate([corners - (grown - sizes) / 2, grown], axis=1)


def _paint_boxes(painter: QPainter, rects: Floats, accent: QColor, dims_others: bool, radius_px: float) -> None:
    """Rounded outlines; of very many, plain ones; and what is tiny is filled, to be seen from afar."""
    if len(rects) and np.median(rects[:, 3]) < _FILLED_BELOW_PX:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(accent)
        draw_rects(painter, rects)
        return
    is_few = len(rects) <= _MOST_ROUNDED
    painter.setPen(QPen(accent, (1.2 if dims_others else 1.8) if is_few else 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush if dims_others else _tint(accent))
    if is_few:
        _draw_rounded(painter, rects, radius_px)
    else:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        draw_rects(painter, rects)


def _draw_rounded(painter: QPainter, rects: Floats, radius_px: float) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for rect in rects.tolist():
        painter.drawRoundedRect(QRectF(*rect), radius_px + _GAP_PX, radius_px + _GAP_PX)
