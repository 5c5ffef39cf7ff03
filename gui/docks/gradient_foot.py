"""What stands under the map of gradients, which may scroll: its first and last step, and what its colours mean."""

from PySide6.QtCore import QRect, QRectF, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui import format as fmt
from gui.docks.gradient_map import VALUE_PX, GradientMap, map_colors
from gui.flow_map import ZERO, FlowMap
from gui.fonts import text_font
from gui.scales import plain
from gui.theme import Theme

LINE_PX, TOP_PX = 17, 4
SCALE_PX, BOX_PX = 120, 8
TEXT_GAP_PX, ITEM_GAP_PX = 6, 14


class GradientFoot(QWidget):
    """As wide as the map; what does not fit in a line of the legend goes to the next."""

    def __init__(self, of: GradientMap, theme: Theme) -> None:
        super().__init__()
        self._of, self._theme = of, theme
        self.setFont(text_font(theme.sizes.small_text))
        of.resized.connect(self.refresh)
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    @Slot()
    def refresh(self) -> None:
        n_lines = 1 + max((line for line, _, _, _ in self.legend()), default=0)
        self.setFixedHeight(TOP_PX + (1 + n_lines) * LINE_PX + TOP_PX)
        self.update()

    def legend(self) -> list[tuple[int, int, int, str]]:
        """Line, place and width of each patch of colour in pixels, and its words: the scale, zero, not finite, none."""
        flow = self._of.flow
        if flow is None or flow.scale is None:
            return []
        sizes = f"{plain(flow.scale.low)} … {plain(flow.scale.high)}"
        words = (sizes, self.tr("zero"), self.tr("not finite"), self.tr("none"))
        start = round(self._of.places().map.left())
        line, at, placed = 0, start, []
        for word, patch in zip(words, (SCALE_PX, BOX_PX, BOX_PX, BOX_PX), strict=True):
            width = patch + TEXT_GAP_PX + self.fontMetrics().horizontalAdvance(word)
            if at > start and at + width > self.width():
                line, at = line + 1, start
            placed.append((line, at, patch, word))
            at += width + ITEM_GAP_PX
        return placed

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        flow = self._of.flow
        if flow is None or not len(flow.norms.steps):
            return
        painter = QPainter(self)
        painter.setPen(QColor(self._theme.plot_axis))
        self._paint_steps(painter, flow)
        colors = map_colors(self._theme)
        for number, (line, at, patch, word) in enumerate(self.legend()):
            top = TOP_PX + (1 + line) * LINE_PX + (LINE_PX - BOX_PX) // 2
            self._paint_patch(painter, QRect(at, top, patch, BOX_PX), colors, number)
            painter.setPen(QColor(self._theme.plot_axis))
            painter.drawText(at + patch + TEXT_GAP_PX, top + BOX_PX, word)

    def _paint_steps(self, painter: QPainter, flow: FlowMap) -> None:
        places = self._of.places()
        line = QRectF(places.map.left(), TOP_PX, places.map.width(), LINE_PX)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, self.tr("step {0}").format(fmt.count(flow.step_of(0))))
        if len(flow.norms.steps) > 1:
            painter.drawText(line, Qt.AlignmentFlag.AlignRight, fmt.count(flow.step_of(-1)))
        if flow.column >= 0:
            heading = QRectF(places.bars.left(), TOP_PX, places.bars.width() + VALUE_PX, LINE_PX)
            shown = self.tr("norm at step {0}").format(fmt.count(flow.step_of(flow.column)))
            painter.drawText(heading, Qt.AlignmentFlag.AlignLeft, shown)

    def _paint_patch(self, painter: QPainter, patch: QRect, colors: list[str], number: int) -> None:
        """The first is the whole scale."""
        if not number:
            for x in range(patch.width()):
                painter.fillRect(patch.left() + x, patch.top(), 1, patch.height(), QColor(colors[x * ZERO // SCALE_PX]))
            return
        painter.fillRect(patch, QColor(colors[ZERO + number - 1]))
        painter.setPen(QColor(self._theme.border))
        painter.drawRect(patch)
