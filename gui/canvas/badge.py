"""The small round signs at the corners of boxes and frames, on links and in legends."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.coloring import ALARM, LOOP
from gui.theme import Theme

_RADIUS = 7.5
_LOOP_RADIUS = 4.2


def paint_badge(painter: QPainter, center: QPointF, mark: str, color: QColor, theme: Theme) -> None:
    """A disc with +, −, ~ or ! drawn as strokes: the sign by which a change or an alarm is told without its colour; or
    a loop, which is no alarm and has no ground of its own."""
    if mark == LOOP:
        _paint_loop(painter, center, color, theme)
        return
    painter.setPen(QPen(QColor(theme.canvas), 1.6))
    painter.setBrush(color)
    painter.drawEllipse(center, _RADIUS, _RADIUS)
    pen = QPen(QColor("#14161a" if theme.is_dark else "#ffffff"), 1.9)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    x, y = center.x(), center.y()
    if mark == "~":
        offsets = ((-3.8, 1.2), (-2.0, -1.2), (0.0, 0.0), (2.0, 1.2), (3.8, -1.2))
        painter.drawPolyline([QPointF(x + dx, y + dy) for dx, dy in offsets])
        return
    if mark == ALARM:
        painter.drawLine(QPointF(x, y - 4.2), QPointF(x, y + 0.8))
        painter.drawPoint(QPointF(x, y + 3.9))
        return
    painter.drawLine(QPointF(x - 3.6, y), QPointF(x + 3.6, y))
    if mark == "+":
        painter.drawLine(QPointF(x, y - 3.6), QPointF(x, y + 3.6))


def _paint_loop(painter: QPainter, center: QPointF, color: QColor, theme: Theme) -> None:
    """Most of a circle, clockwise, with an arrow head at its end."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.canvas))
    painter.drawEllipse(center, _RADIUS, _RADIUS)
    pen = QPen(color, 1.6)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    ring = QRectF(center.x() - _LOOP_RADIUS, center.y() - _LOOP_RADIUS, 2 * _LOOP_RADIUS, 2 * _LOOP_RADIUS)
    painter.drawArc(ring, 30 * 16, 290 * 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    x, y = center.x() + _LOOP_RADIUS, center.y()
    painter.drawPolygon([QPointF(x - 3.2, y - 1.6), QPointF(x + 2.6, y - 1.6), QPointF(x - 0.1, y + 2.4)])
