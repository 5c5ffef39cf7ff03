"""A backward pass on the picture of the graph: what has run is tinted, what runs stands out."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.canvas.batches import draw_rects
from gui.canvas.box_painter import corner_radius
from gui.canvas.camera import Camera
from gui.canvas.detail import Detail
from gui.canvas.geometry import Area, Floats, Ints, rows_in
from gui.canvas.renderer import Renderer
from tracer.layout.result import Layout

_TINT_ALPHA = 70
_RUNNING_ALPHA = 64
_SMALLEST_PX = 9.0
_GAP_PX = 3.0
_PEN_PX = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Rows of one layout. `shares` (boxes,) of what each box shows have run; `boxes` and `groups` show what runs."""

    layout: Layout
    shares: Floats
    boxes: Ints
    groups: Ints


def paint_replay(painter: QPainter, renderer: Renderer, replay: Replay, area: Area, camera: Camera) -> None:
    """Paint over the finished picture; `area` is what the view shows. A box of which a part has run is filled from
    below, as the backward climbs."""
    layout, color = replay.layout, QColor(renderer.theme.backward)
    _paint_what_has_run(painter, renderer, replay, area, camera)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(color, _PEN_PX))
    painter.setBrush(_with_alpha(color, _RUNNING_ALPHA))
    running = _grown(_on_screen(layout.boxes[replay.boxes], camera))
    for row, rect in zip(replay.boxes.tolist(), running.tolist(), strict=True):
        radius = _radius(renderer, layout, row, camera) + _GAP_PX
        painter.drawRoundedRect(QRectF(*rect), radius, radius)
    radius = renderer.theme.sizes.radius * camera.scale + _GAP_PX
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for rect in _grown(_on_screen(layout.groups[replay.groups], camera)).tolist():
        painter.drawRoundedRect(QRectF(*rect), radius, radius)


def _paint_what_has_run(painter: QPainter, renderer: Renderer, replay: Replay, area: Area, camera: Camera) -> None:
    """In the shapes of the boxes, which from afar are plain rectangles."""
    layout = replay.layout
    seen = rows_in(layout.boxes, area)
    seen = seen[(replay.shares[seen] > 0) & renderer.presence.boxes[seen]]
    whole = _on_screen(layout.boxes[seen], camera)
    filled = _filled(whole, replay.shares[seen])
    has_shapes = renderer.detail(area, camera.scale) >= Detail.SHAPES
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, has_shapes)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_with_alpha(QColor(renderer.theme.backward), _TINT_ALPHA))
    if not has_shapes:
        draw_rects(painter, filled)
        return
    for row, rect, part in zip(seen.tolist(), whole.tolist(), filled.tolist(), strict=True):
        radius = _radius(renderer, layout, row, camera)
        painter.save()
        painter.setClipRect(QRectF(*part), Qt.ClipOperation.IntersectClip)
        painter.drawRoundedRect(QRectF(*rect), radius, radius)
        painter.restore()


def _radius(renderer: Renderer, layout: Layout, row: int, camera: Camera) -> float:
    """Of a box's corners, in pixels."""
    rect = QRectF(*layout.boxes[row].tolist())
    return corner_radius(renderer.scene.boxes[row], rect, renderer.theme) * camera.scale


def _with_alpha(color: QColor, alpha: int) -> QColor:
    return QColor(color.red(), color.green(), color.blue(), alpha)


def _on_screen(rects: Floats, camera: Camera) -> Floats:
    return np.concatenate([(rects[:, :2] - (camera.x, camera.y)) * camera.scale, rects[:, 2:] * camera.scale], axis=1)


def _filled(rects: Floats, shares: Floats) -> Floats:
    """The lower part of each."""
    heights = rects[:, 3] * shares
    return np.column_stack([rects[:, 0], rects[:, 1] + rects[:, 3] - heights, rects[:, 2], heights])


def _grown(rects: Floats) -> Floats:
    """With a gap around, and never too small to be found from afar."""
    sizes = np.maximum(rects[:, 2:] + 2 * _GAP_PX, _SMALLEST_PX)
    return np.concatenate([rects[:, :2] - (sizes - rects[:, 2:]) / 2, sizes], axis=1)
