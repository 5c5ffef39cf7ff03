"""What the colours and marks of a scene mean: a compact list of those that occur, under the name of the colouring."""

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QLinearGradient, QPainter, QPen

from gui.canvas.badge import paint_badge
from gui.canvas.box_painter import paint_inner_border
from gui.canvas.labels import Labels, wrapped
from gui.canvas.scene import Scene
from gui.coloring import ColorBar, LegendEntry
from gui.fonts import text_font
from gui.theme import Theme
from tracer.model.view import GRAPHLESS, OPAQUE

TITLE_HEIGHT = 24.0
"""How far down a click on it folds and unfolds it, in pixels."""

_MOST_LINES = 14
_LINE_HEIGHT = 18.0
_PADDING = 10.0
_GAP = 7.0  # under the last line, and between the parts
_SWATCH = QRectF(0.0, 0.0, 16.0, 11.0)
_TEXT_LEFT = 25.0
_TEXT_ROOM = 210.0
_BAR_WIDTH, _BAR_HEIGHT = 160.0, 9.0
_CHEVRON_ROOM = 14.0
_CLOSED, _OPEN = ((-2.0, -3.5), (1.5, 0.0), (-2.0, 3.5)), ((-3.5, -2.0), (0.0, 1.5), (3.5, -2.0))


class Legend:
    """The legend of one scene, painted in pixels (not in scene units) wherever its host wants it.

    `is_folded` leaves the title alone; None is for pictures, whose title promises nothing. `note` is said
    beside what the scene says, and instead of the reason that it gives for having no colours. `entries` are its lines.
    """

    def __init__(self, scene: Scene, theme: Theme, is_folded: bool | None = None, note: str = "") -> None:
        self._theme = theme
        self._is_folded = is_folded
        self._labels = Labels(text_font(theme.sizes.small_text))
        self._titles = Labels(text_font(theme.sizes.small_text, QFont.Weight.DemiBold))
        coloration = scene.coloration
        self._title = coloration.title
        self._bar = coloration.bar
        notes = (note or coloration.note,) if coloration.is_unmeasured else (coloration.note, note)
        self._note = [line for text in notes for line in wrapped(self._labels, text, _TEXT_ROOM)]
        taken = len(self._note) + (2 if self._bar is not None else 0)
        entries = tuple(_told(entry, scene.shows_ghosts) for entry in coloration.legend)
        self.entries = _shortened(entries, _MOST_LINES - taken, theme)

    def size(self) -> tuple[float, float]:
        """Width and height; nothing where there is nothing to explain."""
        if not (self.entries or self._note or self._bar):
            return 0.0, 0.0
        if self._is_folded:
            return self._title_width() + 2 * _PADDING, TITLE_HEIGHT
        texts = [_TEXT_LEFT + self._labels.fitted(entry.label, _TEXT_ROOM)[1] for entry in self.entries]
        notes = [self._labels.fitted(line, _TEXT_ROOM)[1] for line in self._note]
        bars = [_BAR_WIDTH] if self._bar is not None else []
        return max([*texts, *notes, *bars, self._title_width()]) + 2 * _PADDING, self._height()

    def paint(self, painter: QPainter, left: float, top: float) -> None:
        """Paint it with its top left corner there."""
        width, height = self.size()
        if not width:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        panel = QColor(self._theme.panel)
        panel.setAlphaF(0.94)
        painter.setPen(QPen(QColor(self._theme.border), 1.0))
        painter.setBrush(panel)
        painter.drawRoundedRect(QRectF(left, top, width, height), 7.0, 7.0)
        self._paint_title(painter, left + _PADDING, top + TITLE_HEIGHT / 2 + 0.5)
        if self._is_folded:
            return
        left, top = left + _PADDING, top + TITLE_HEIGHT
        if self._bar is not None:
            self._paint_bar(painter, self._bar, left, top + 1.0)
            top += _bar_height()
        for entry in self.entries:
            self._paint_entry(painter, entry, left, top + _LINE_HEIGHT / 2)
            top += _LINE_HEIGHT
        for line in self._note:
            self._paint_text(painter, line, left, top + _LINE_HEIGHT / 2, self._theme.muted_text)
            top += _LINE_HEIGHT

    def _height(self) -> float:
        lines = len(self.entries) + len(self._note)
        return TITLE_HEIGHT + (_bar_height() if self._bar is not None else 0.0) + lines * _LINE_HEIGHT + _GAP

    def _title_width(self) -> float:
        room = 0.0 if self._is_folded is None else _CHEVRON_ROOM
        return room + self._titles.fitted(self._title, _TEXT_ROOM)[1]

    def _paint_title(self, painter: QPainter, left: float, middle: float) -> None:
        color = QColor(self._theme.text)
        if self._is_folded is not None:
            painter.setPen(QPen(QColor(self._theme.muted_text), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            across = (
                ((-2.0, -3.5), (1.5, 0.0), (-2.0, 3.5)) if self._is_folded else ((-3.5, -2.0), (0.0, 1.5), (3.5, -2.0))
            )
            painter.drawPolyline([QPointF(left + 4.0 + x, middle + y) for x, y in across])
            left += _CHEVRON_ROOM
        painter.setPen(color)
        painter.setFont(self._titles.font)
        painter.drawText(QPointF(left, middle + self._titles.middle), self._titles.fitted(self._title, _TEXT_ROOM)[0])

    def _paint_bar(self, painter: QPainter, bar: ColorBar, left: float, top: float) -> None:
        gradient = QLinearGradient(left, 0.0, left + _BAR_WIDTH, 0.0)
        for number, color in enumerate(bar.colors):
            gradient.setColorAt(number / (len(bar.colors) - 1), QColor(color))
        painter.setPen(QPen(QColor(self._theme.border), 1.0))
        painter.setBrush(gradient)
        painter.drawRoundedRect(QRectF(left, top, _BAR_WIDTH, _BAR_HEIGHT), 2.5, 2.5)
        below = top + _BAR_HEIGHT
        for tick in bar.ticks:
            x = left + tick.position * _BAR_WIDTH
            painter.setPen(QPen(QColor(self._theme.muted_text), 1.0))
            painter.drawLine(QPointF(x, below + 1.0), QPointF(x, below + 3.5))
            width = self._labels.fitted(tick.text, _BAR_WIDTH)[1]
            x = min(max(x - width / 2, left), left + _BAR_WIDTH - width)
            self._paint_text(painter, tick.text, x, below + 11.0, self._theme.text)

    def _paint_entry(self, painter: QPainter, entry: LegendEntry, left: float, middle: float) -> None:
        if entry.mark:
            center = QPointF(left + _SWATCH.width() / 2, middle)
            paint_badge(painter, center, entry.mark, QColor(entry.swatch.strong), self._theme)
        elif entry.label:
            pen = QPen(QColor(entry.swatch.border), 1.2)
            if entry.is_ghost or entry.trait in GRAPHLESS:
                pen.setDashPattern([3.0, 2.0])
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush if entry.is_ghost else QColor(entry.swatch.fill))
            swatch = _SWATCH.translated(left, middle - _SWATCH.height() / 2)
            painter.drawRoundedRect(swatch, 3.0, 3.0)
            if entry.trait == OPAQUE:
                paint_inner_border(painter, swatch, 3.0, QColor(entry.swatch.muted_text), gap=2.5)
        self._paint_text(painter, entry.label, left + _TEXT_LEFT, middle, self._theme.text)

    def _paint_text(self, painter: QPainter, text: str, left: float, middle: float, color: str) -> None:
        painter.setPen(QColor(color))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setFont(self._labels.font)
        painter.drawText(QPointF(left, middle + self._labels.middle), self._labels.fitted(text, _TEXT_ROOM)[0])


def _bar_height() -> float:
    """With the numbers under it, and the gap to what follows."""
    return _BAR_HEIGHT + _LINE_HEIGHT + 3.0


def _told(entry: LegendEntry, shows_ghosts: bool) -> LegendEntry:
    return replace(entry, label=f"{entry.label}, hidden") if entry.is_ghost and not shows_ghosts else entry


def _shortened(entries: tuple[LegendEntry, ...], most: int, theme: Theme) -> list[LegendEntry]:
    """The entries, colours beyond the room counted in one line; states and traits always stay."""
    states = [entry for entry in entries if entry.mark or entry.is_ghost or entry.trait]
    colors = [entry for entry in entries if not (entry.mark or entry.is_ghost or entry.trait)]
    room = most - len(states)
    if len(colors) > room:
        rest = LegendEntry(f"{len(colors) - room + 1} more", theme.neutral)
        colors = [*colors[: room - 1], rest]
    return colors + states
