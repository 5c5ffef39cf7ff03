"""The margin of a source file: how many nodes each line made, its number, and how many more or fewer than before."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import QEvent, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolTip, QWidget

from gui import format as fmt
from gui.fonts import text_font
from gui.plain_text import plain_tip
from gui.source_lines import LineMark, more_text
from gui.theme import Theme

GAP_PX = 8
BAND_PX = 3
LEAST_DIGITS = 3

Spread = Callable[[], list[tuple[int, QRect]]]


class SourceMargin(QWidget):
    """`spread` gives the lines in view, from 1 on, with where each stands; `tip_of` what a mark says in words."""

    line_clicked = Signal(int)

    def __init__(self, spread: Spread, tip_of: Callable[[int], str], theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._spread = spread
        self._tip_of = tip_of
        self._theme = theme
        self.marks: Mapping[int, LineMark] = {}
        self.line = 0
        self.cursor_line = 0
        self._widths = (0, 0, 0)
        self.setMouseTracking(True)

    @property
    def width_px(self) -> int:
        """What its columns need."""
        return sum(width + GAP_PX for width in self._widths if width) + GAP_PX

    def fit(self, line_count: int) -> None:
        """Makes room for what the marks and so many lines have to say; a column with nothing in it takes none."""
        metrics = QFontMetrics(self.font())
        counts = [fmt.count(len(mark.keys)) for mark in self.marks.values() if mark.keys]
        changes = [text for mark in self.marks.values() if (text := more_text(mark))]
        count = max(map(metrics.horizontalAdvance, counts), default=0)
        digits = max(LEAST_DIGITS, len(str(line_count)))
        more = max(map(metrics.horizontalAdvance, changes), default=0)
        self._widths = count + 2 * GAP_PX if count else 0, metrics.horizontalAdvance("0" * digits), more

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def line_at(self, y: int) -> int:
        """The line at this height, 0 below the last."""
        return next((line for line, rect in self._spread() if rect.top() <= y <= rect.bottom()), 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(event.rect(), QColor(self._theme.raised))
        painter.setFont(self.font())
        for line, rect in self._spread():
            if rect.top() <= event.rect().bottom() and rect.bottom() >= event.rect().top():
                self._paint_line(painter, line, QRect(0, rect.top(), self.width(), rect.height()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        mark = self.marks.get(self.line_at(event.position().toPoint().y()))
        leads = mark is not None and bool(mark.keys)
        self.setCursor(Qt.CursorShape.PointingHandCursor if leads else Qt.CursorShape.ArrowCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        line = self.line_at(event.position().toPoint().y())
        if event.button() == Qt.MouseButton.LeftButton and line:
            self.line_clicked.emit(line)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            line = self.line_at(event.pos().y())
            QToolTip.showText(event.globalPos(), plain_tip(self._tip_of(line)) if line in self.marks else "", self)
            return True
        return bool(super().event(event))

    def _paint_line(self, painter: QPainter, line: int, rect: QRect) -> None:
        theme, mark = self._theme, self.marks.get(line)
        if line == self.line:
            painter.fillRect(rect, QColor(theme.accent_soft))
            painter.fillRect(QRect(0, rect.top(), BAND_PX, rect.height()), QColor(theme.accent))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        count_rect, number_rect, more_rect = self._places(rect)
        if mark is not None and mark.keys:
            self._paint_count(painter, fmt.count(len(mark.keys)), count_rect)
        is_current = line in (self.line, self.cursor_line)
        painter.setPen(QColor(theme.text if is_current else theme.muted_text))
        painter.drawText(number_rect, right, str(line))
        if mark is not None and mark.more:
            painter.setPen(QColor((theme.added if mark.more > 0 else theme.removed).text))
            painter.drawText(more_rect, right, more_text(mark))

    def _places(self, rect: QRect) -> tuple[QRect, ...]:
        """Where the columns stand in a line."""
        left, places = GAP_PX, []
        for width in self._widths:
            places.append(QRect(left, rect.top(), width, rect.height()))
            left += width + GAP_PX if width else 0
        return tuple(places)

    def _paint_count(self, painter: QPainter, text: str, rect: QRect) -> None:
        swatch = self._theme.kinds["module"]
        painter.setPen(QColor(swatch.border))
        painter.setBrush(QColor(swatch.fill))
        pill = QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(pill, pill.height() / 2, pill.height() / 2)
        painter.setPen(QColor(swatch.text))
        painter.setFont(text_font(self._theme.sizes.small_text - 1))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
        painter.setFont(self.font())
