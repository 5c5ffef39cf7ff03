"""The map of gradients: a row for each module or parameter, a column for each measured step, beside it the shown step
as bars."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QToolTip, QWidget

from gui.flow_map import ZERO, FlowMap, norm_text
from gui.fonts import text_font
from gui.plain_text import plain_tip
from gui.scales import alarm_swatch, plain, ramp
from gui.theme import Theme, mix

LABEL_PX, WIDEST_LABEL_PX = 60, 240
BAR_SHARE = 0.24
VALUE_PX = 62
ROW_PX, LEAST_ROW_PX = 20, 15
"""The lowest has room for its label; where all together are higher than the dock, the map scrolls."""
GAP_PX = 10
SPACE_PX = 4.0
"""Between one bar and the next."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts stand, in pixels."""

    label_px: float
    map: QRectF
    bars: QRectF
    row_px: float


def map_colors(theme: Theme) -> list[str]:
    """By the entries of `FlowMap`: sizes from small to large, zero, not finite, none."""
    strong = [swatch.fill for swatch in ramp("viridis", theme)]
    return [*strong, mix(theme.text, theme.panel, 0.42), alarm_swatch(theme).fill, theme.window]


class GradientMap(QWidget):
    """Clicking or Enter picks a cell; the arrow keys go from cell to cell."""

    picked = Signal(int, int)  # step, row
    row_reached = Signal(int)  # by a key
    resized = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._map: FlowMap | None = None
        self._row = -1
        self._image: tuple[object, QImage] | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Gradient norms by module and step"))

    @property
    def flow(self) -> FlowMap | None:
        return self._map

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def show_map(self, flow: FlowMap, row: int) -> None:
        """`row` is the one selected, -1 for none."""
        self._map, self._row = flow, row
        self.setMinimumHeight(len(flow.norms.names) * LEAST_ROW_PX)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, 160)

    # -- where things are

    def places(self) -> Places:
        """Labels, the map, the bars with their numbers, from left to right."""
        names = () if self._map is None else self._map.norms.names
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(name) for name in names), default=0)
        label = min(max(widest + 2 * GAP_PX, LABEL_PX), WIDEST_LABEL_PX, self.width() * 0.3)
        row = min(max(self.height() / max(len(names), 1), LEAST_ROW_PX), ROW_PX)
        bars = max(self.width() * BAR_SHARE, 80.0)
        width = max(self.width() - label - bars - VALUE_PX - 2 * GAP_PX, 10.0)
        tall = row * len(names)
        return Places(label, QRectF(label, 0, width, tall), QRectF(label + width + GAP_PX, 0, bars, tall), row)

    def cell_at(self, place: QPointF) -> tuple[int, int] | None:
        """Row and column under a pixel; the column is that of the shown step beside the map."""
        flow = self._map
        if flow is None or not len(flow.norms.steps):
            return None
        places = self.places()
        row = int(place.y() / places.row_px)
        if not 0 <= row < len(flow.norms.names):
            return None
        if places.map.left() <= place.x() < places.map.right():
            share = (place.x() - places.map.left()) / places.map.width()
            return row, min(int(share * len(flow.norms.steps)), len(flow.norms.steps) - 1)
        return row, max(flow.column, 0)

    # -- what the user does

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and cell is not None:
            self._pick(*cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Return: (0, 0),
            Qt.Key.Key_Enter: (0, 0),
        }
        flow, move = self._map, moves.get(Qt.Key(event.key()))
        if flow is None or move is None or not len(flow.norms.steps) or not flow.norms.names:
            super().keyPressEvent(event)
            return
        row = min(max(self._row + move[0], 0), len(flow.norms.names) - 1)
        self._pick(row, min(max(flow.column + move[1], 0), len(flow.norms.steps) - 1))
        self.row_reached.emit(row)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            cell = self.cell_at(QPointF(event.pos()))
            if cell is None or self._map is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), plain_tip(self._map.tip(*cell)), self)
            return True
        return super().event(event)

    def _pick(self, row: int, column: int) -> None:
        assert self._map is not None
        self._row = row
        self.update()
        self.picked.emit(self._map.step_of(column), row)

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        flow = self._map
        if flow is None or not len(flow.norms.steps):
            return
        painter, places = QPainter(self), self.places()
        rows = self._rows_in(places, event.rect())
        painter.setFont(text_font(self._theme.sizes.small_text))
        self._paint_selection(painter, places)
        self._paint_labels(painter, places, flow, rows)
        self._paint_map(painter, places, flow)
        self._paint_bars(painter, places, flow, rows)
        self._paint_cursor(painter, places, flow)

    def _rows_in(self, places: Places, area: QRect) -> range:
        """The rows that an area of the widget shows a part of."""
        count = 0 if self._map is None else len(self._map.norms.names)
        return range(max(int(area.top() / places.row_px), 0), min(int(area.bottom() / places.row_px) + 1, count))

    def _paint_selection(self, painter: QPainter, places: Places) -> None:
        if self._row >= 0:
            band = QRectF(0, self._row * places.row_px, self.width(), places.row_px)
            painter.fillRect(band, QColor(self._theme.accent_soft))

    def _paint_labels(self, painter: QPainter, places: Places, flow: FlowMap, rows: range) -> None:
        for row in rows:
            painter.setPen(QColor(self._theme.text if row == self._row else self._theme.muted_text))
            name = flow.norms.names[row] or self.tr("the model itself")
            box = QRectF(GAP_PX, row * places.row_px, places.label_px - 2 * GAP_PX, places.row_px)
            shown = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideLeft, int(box.width()))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, shown)

    def _paint_map(self, painter: QPainter, places: Places, flow: FlowMap) -> None:
        image = self._image_of(flow, int(places.map.width() * self.devicePixelRatioF()))
        painter.drawImage(places.map, image, QRectF(image.rect()))
        painter.setPen(QPen(QColor(self._theme.plot_background), 1))
        for row in range(1, image.height()):
            y = round(row * places.row_px)
            painter.drawLine(round(places.map.left()), y, round(places.map.right()), y)

    def _image_of(self, flow: FlowMap, width: int) -> QImage:
        """A pixel for each cell; made anew only where something else is measured, or the map is as wide no more."""
        key = flow.norms, width, self._theme.name
        if self._image is None or self._image[0] != key:
            palette = np.array([QColor(color).rgb() for color in map_colors(self._theme)], np.uint32)
            pixels = np.ascontiguousarray(palette[flow.entries(width)])
            rows, columns = pixels.shape
            image = QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
            self._image = key, image.copy()
        return self._image[1]

    def _paint_bars(self, painter: QPainter, places: Places, flow: FlowMap, rows: range) -> None:
        colors, entries, lengths = map_colors(self._theme), flow.shown_entries().tolist(), flow.bars().tolist()
        painter.setPen(QPen(QColor(self._theme.border), 1))
        painter.drawLine(places.bars.topLeft(), places.bars.bottomLeft())
        for row in rows:
            top = row * places.row_px + SPACE_PX / 2
            bar = QRectF(places.bars.left(), top, lengths[row] * places.bars.width(), places.row_px - SPACE_PX)
            painter.fillRect(bar, QColor(colors[entries[row]]))
            self._paint_value(painter, places, row, float(flow.values[row]), entries[row] == ZERO)

    def _paint_value(self, painter: QPainter, places: Places, row: int, value: float, is_zero: bool) -> None:
        is_number = np.isfinite(value) and not is_zero
        text = plain(float(f"{value:.3g}")) if is_number else "0" if is_zero else norm_text(value).split()[0]
        color = self._theme.text if is_number else self._theme.error if np.isinf(value) else self._theme.muted_text
        painter.setPen(QColor(color))
        box = QRectF(places.bars.right(), row * places.row_px, VALUE_PX, places.row_px)
        shown = {"no": self.tr("none"), "not": self.tr("not finite")}.get(text, text)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, shown)

    def _paint_cursor(self, painter: QPainter, places: Places, flow: FlowMap) -> None:
        """A frame around the shown step's column, at least wide enough to be seen."""
        if flow.column < 0:
            return
        width = places.map.width() / len(flow.norms.steps)
        left = places.map.left() + flow.column * width
        frame = QRectF(left + min(width - 4, 0) / 2, 0, max(width, 4.0), places.map.height())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, pen_px in ((self._theme.plot_background, 3.0), (self._theme.text, 1.4)):
            painter.setPen(QPen(QColor(color), pen_px))
            painter.drawRect(frame)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._theme.accent), 1.5))
            painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))
