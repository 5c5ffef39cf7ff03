"""A backward pass on the picture of the graph: what has run is tinted, what runs stands out."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.canvas.batches import draw_rects
from gui.canvas.camera import Camera
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
    seen = rows_in(layout.boxes, area)
    seen = seen[(replay.shares[seen] > 0) & renderer.presence.boxes[seen]]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_with_alpha(color, _TINT_ALPHA))
    draw_rects(painter, _filled(_on_screen(layout.boxes[seen], camera), replay.shares[seen]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(color, _PEN_PX))
    radius = renderer.theme.sizes.radius * camera.scale + _GAP_PX
    painter.setBrush(_with_alpha(color, _RUNNING_ALPHA))
    for rect in _grown(_on_screen(layout.boxes[replay.boxes], camera)).tolist():
        painter.drawRoundedRect(QRectF(*rect), radius, radius)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for rect in _grown(_on_screen(layout.groups[replay.groups], camera)).tolist():
        painter.drawRoundedRect(QRectF(*rect), radius, radius)


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
