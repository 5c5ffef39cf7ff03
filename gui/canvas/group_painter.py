"""Frames of open modules: a fill that deepens with nesting, and a title bar that closes them."""

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen

from gui.canvas.batches import draw_rects
from gui.canvas.detail import Detail
from gui.canvas.geometry import Floats, Ints
from gui.canvas.labels import Labels
from gui.canvas.scene import Scene
from gui.fonts import text_font
from gui.theme import Theme
from tracer.model.call_tree import LIVE

_PADDING = 10.0
_CHEVRON_ROOM = 12.0


class GroupPainter:
    """Paints the frames of one scene, outermost first."""

    def __init__(self, scene: Scene, theme: Theme) -> None:
        self._groups = scene.groups
        self._theme = theme
        self._depths = np.array(_depths(scene), dtype=np.int64)
        self._is_ghost = _ghosts(scene)
        self._titles = Labels(text_font(theme.sizes.group_title, QFont.Weight.DemiBold))
        self._border = QPen(QColor(theme.group_border), 1.0)
        self._ghost_border = QPen(QColor(theme.ghost.border), 1.0)
        self._ghost_border.setDashPattern([4.0, 3.0])
        self._graphless_border = QPen(QColor(theme.kinds["graphless"].border), 1.2)
        self._graphless_border.setDashPattern([5.0, 3.0])

    def paint(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail) -> None:
        """Paint the frames of these rows at these rectangles (m, 4)."""
        if detail == Detail.FLAT:
            self._paint_flat(painter, rects, rows)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        radius = float(self._theme.sizes.group_radius)
        for row, rect in zip(rows.tolist(), rects[rows].tolist(), strict=True):
            frame = QRectF(*rect)
            painter.setPen(self._border_of(row))
            painter.setBrush(self._fill(row))
            painter.drawRoundedRect(frame, radius, radius)

    def paint_titles(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail) -> None:
        """Paint the title bars' texts: after the links, which may run through a title bar."""
        if detail < Detail.SHAPES:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for row, rect in zip(rows.tolist(), rects[rows].tolist(), strict=True):
            self._paint_title(painter, row, QRectF(*rect))

    def _paint_flat(self, painter: QPainter, rects: Floats, rows: Ints) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(self._border.color(), 0))
        depths = self._depths[rows]
        for depth in np.unique(depths).tolist():
            painter.setBrush(QColor(self._fill_of_depth(depth)))
            draw_rects(painter, rects[rows[depths == depth]])

    def _paint_title(self, painter: QPainter, row: int, frame: QRectF) -> None:
        color = QColor(self._theme.ghost.text if self._is_ghost[row] else self._theme.group_text)
        left = frame.left() + _PADDING
        middle = frame.top() + min(self._theme.sizes.group_title_height, frame.height()) / 2
        room = frame.width() - 2 * _PADDING - _CHEVRON_ROOM
        text, width = self._titles.fitted(self._groups[row].title, room)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._fill(row))
        painter.drawRect(QRectF(left - 2.0, middle - 9.0, _CHEVRON_ROOM + width + 5.0, 18.0))
        painter.setBrush(color)
        painter.drawPolygon(
            [QPointF(left, middle - 2.5), QPointF(left + 7.0, middle - 2.5), QPointF(left + 3.5, middle + 2.5)]
        )
        painter.setPen(color)
        painter.setFont(self._titles.font)
        painter.drawText(QPointF(left + _CHEVRON_ROOM, middle + self._titles.middle), text)

    def _border_of(self, row: int) -> QPen:
        if self._is_ghost[row]:
            return self._ghost_border
        return self._graphless_border if self._groups[row].trait else self._border

    def _fill(self, row: int) -> QColor:
        return QColor(self._theme.canvas if self._is_ghost[row] else self._fill_of_depth(int(self._depths[row])))

    def _fill_of_depth(self, depth: int) -> str:
        return self._theme.group_fills[min(depth, len(self._theme.group_fills) - 1)]


def _depths(scene: Scene) -> list[int]:
    """How many frames lie around each frame. Groups come parents first."""
    depth_of: dict[str | None, int] = {None: -1}
    for group in scene.layout.view.groups:
        depth_of[group.key] = depth_of[group.parent] + 1
    return [depth_of[group.key] for group in scene.layout.view.groups]


def _ghosts(scene: Scene) -> list[bool]:
    """Whether each frame holds nothing of the current step, and is no call that ran in it without making a graph.
    Parents come first, so their content is known last.
    """
    view = scene.layout.view
    alive = {box.group for box, is_here in zip(view.boxes, scene.fit.is_present.tolist(), strict=True) if is_here}
    for group in reversed(view.groups):
        if group.key in alive:
            alive.add(group.parent)
    filled = {box.group for box in view.boxes} | {group.parent for group in view.groups}
    ran = {key for key, call in scene.calls.items() if call.state != LIVE}
    return [group.key in filled and group.key not in alive and group.key not in ran for group in view.groups]
