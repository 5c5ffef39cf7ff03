"""Frames of open modules: a fill that deepens with nesting, a title bar that closes them, a mark where they changed."""

import re

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.canvas.badge import paint_badge
from gui.canvas.batches import draw_rects
from gui.canvas.box_painter import paint_sheets
from gui.canvas.detail import Detail
from gui.canvas.figure import Figure
from gui.canvas.geometry import Area, Floats, Ints, rows_in
from gui.canvas.lettering import Lettering
from gui.canvas.presence import Presence
from gui.canvas.scene import Scene
from gui.canvas.states import MARKS, State
from gui.theme import Swatch, Theme, mix

_PADDING = 10.0
_CHEVRON_ROOM = 12.0
_SHEET_STEP = 4.0
_PIN_MARGIN_PX = 8.0
_PIN_ROOM = 90.0
"""Where a title stands that begins outside of the view, and how much of its frame must be in sight."""
_GROUND_HEIGHT = 20.0
_GROUND_MARGIN = 7.0
"""So far the ground of a title reaches beyond it, so that a link which runs through it is seen to pass behind."""
_COPIES = re.compile(r"×[\d,]+ → ×[\d,]+")


class GroupPainter:
    """Paints the frames of one scene, outermost first."""

    def __init__(self, scene: Scene, theme: Theme, figure: Figure, presence: Presence, lettering: Lettering) -> None:
        self._groups = scene.groups
        self._theme = theme
        self._states = scene.group_states.tolist()
        self._depths = figure.depths
        self._is_shown = presence.groups
        self._is_ghost = presence.ghost_groups.tolist()
        self._titles = lettering.group_titles
        self._border = QPen(QColor(theme.group_border), 1.0)
        self._ghost_border = QPen(QColor(theme.ghost.border), 1.0)
        self._ghost_border.setDashPattern([4.0, 3.0])
        self._graphless_border = QPen(QColor(theme.kinds["graphless"].border), 1.2)
        self._graphless_border.setDashPattern([5.0, 3.0])

    def paint(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail) -> None:
        """Paint the frames of these rows, as far as they are shown, at these rectangles (m, 4)."""
        rows = rows[self._is_shown[rows]]
        if detail == Detail.FLAT:
            self._paint_flat(painter, rects, rows)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        radius = float(self._theme.sizes.group_radius)
        for row, rect in zip(rows.tolist(), rects[rows].tolist(), strict=True):
            frame = QRectF(*rect)
            border = self._border_of(row, detail)
            painter.setBrush(self._fill(row))
            if self._groups[row].fold:
                painter.setPen(QPen(border.color(), 1.0))
                paint_sheets(painter, frame, radius, _SHEET_STEP)
            painter.setPen(border)
            painter.drawRoundedRect(frame, radius, radius)

    def paint_titles(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail) -> None:
        """Paint the title bars' texts: after the links, which may run through a title bar."""
        if detail < Detail.SHAPES:
            return
        rows = rows[self._is_shown[rows]]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for row, rect in zip(rows.tolist(), rects[rows].tolist(), strict=True):
            frame = QRectF(*rect)
            self._paint_title(painter, row, frame)
            state = State(self._states[row])
            if state in MARKS:
                color = QColor(self._swatch(state).strong)
                paint_badge(painter, frame.topRight() + QPointF(-4.0, 4.0), MARKS[state], color, self._theme)

    def paint_pinned_titles(self, painter: QPainter, rects: Floats, area: Area, scale: float) -> None:
        """Paint the titles that begin left of an area again, at its edge: in their title bars, where no boxes are."""
        rows = rows_in(rects, area)
        rows = rows[self._is_shown[rows]]
        x, y, _, height = area
        begins_outside = (rects[rows, 0] + _PADDING < x) & (rects[rows, 1] >= y)
        left = x + _PIN_MARGIN_PX / scale - _PADDING
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for row in rows[begins_outside].tolist():
            _, top, _, tall = rects[row].tolist()
            right = float(rects[row, 0] + rects[row, 2])
            if top + self._theme.sizes.group_title_height <= y + height and right - left >= _PIN_ROOM:
                self._paint_title(painter, row, QRectF(left, top, right - left, tall))

    def _paint_flat(self, painter: QPainter, rects: Floats, rows: Ints) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(self._border.color(), 0))
        depths = self._depths[rows]
        for depth in np.unique(depths).tolist():
            painter.setBrush(QColor(self._fill_of_depth(depth)))
            draw_rects(painter, rects[rows[depths == depth]])
        marked = [row for row in rows.tolist() if self._states[row] in MARKS]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for row in marked:
            painter.setPen(QPen(QColor(self._swatch(self._states[row]).strong), 0))
            draw_rects(painter, rects[[row]])

    def _paint_title(self, painter: QPainter, row: int, frame: QRectF) -> None:
        color = QColor(self._theme.ghost.text if self._is_ghost[row] else self._theme.group_text)
        left = frame.left() + _PADDING
        middle = frame.top() + min(self._theme.sizes.group_title_height, frame.height()) / 2
        room = frame.width() - 2 * _PADDING - _CHEVRON_ROOM
        text, width = self._titles.fitted(self._groups[row].title, room)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._fill(row))
        ground = QRectF(left, middle - _GROUND_HEIGHT / 2, _CHEVRON_ROOM + width, _GROUND_HEIGHT)
        painter.drawRect(ground.adjusted(-_GROUND_MARGIN, 0.0, _GROUND_MARGIN, 0.0))
        painter.setBrush(color)
        painter.drawPolygon(
            [QPointF(left, middle - 2.5), QPointF(left + 7.0, middle - 2.5), QPointF(left + 3.5, middle + 2.5)]
        )
        painter.setPen(color)
        painter.setFont(self._titles.font)
        painter.drawText(QPointF(left + _CHEVRON_ROOM, middle + self._titles.middle), text)
        if self._states[row] == State.CHANGED:
            self._paint_chip(painter, text, QPointF(left + _CHEVRON_ROOM, middle))

    def _paint_chip(self, painter: QPainter, text: str, start: QPointF) -> None:
        """What a title says of the copies before and now, again on a ground of its own; the text begins at `start`."""
        copies = _COPIES.search(text)
        if copies is None:
            return
        swatch = self._theme.changed
        left, right = (start.x() + self._titles.width(text[:place]) for place in copies.span())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(swatch.strong, swatch.fill, 0.22)))
        painter.drawRoundedRect(QRectF(left - 2.5, start.y() - 8.0, right - left + 5.0, 16.0), 4.0, 4.0)
        painter.setPen(QColor(swatch.text))
        painter.drawText(QPointF(left, start.y() + self._titles.middle), copies[0])

    def _swatch(self, state: int) -> Swatch:
        swatches = {
            State.ADDED: self._theme.added,
            State.REMOVED: self._theme.removed,
            State.CHANGED: self._theme.changed,
        }
        return swatches[State(state)]

    def _border_of(self, row: int, detail: Detail) -> QPen:
        state = self._states[row]
        if state in MARKS:
            pen = QPen(QColor(self._swatch(state).strong), 2.0)
            pen.setCosmetic(detail < Detail.SHAPES)
            if state == State.REMOVED:
                pen.setDashPattern([3.0, 2.0])
            return pen
        if self._is_ghost[row]:
            return self._ghost_border
        return self._graphless_border if self._groups[row].trait else self._border

    def _fill(self, row: int) -> QColor:
        return QColor(self._theme.canvas if self._is_ghost[row] else self._fill_of_depth(int(self._depths[row])))

    def _fill_of_depth(self, depth: int) -> str:
        return self._theme.group_fills[min(depth, len(self._theme.group_fills) - 1)]
