"""What the colours and marks of a scene mean: a compact list of those that occur."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.canvas.box_painter import paint_badge, paint_inner_border
from gui.canvas.labels import Labels
from gui.canvas.scene import Scene
from gui.coloring import LegendEntry
from gui.fonts import text_font
from gui.theme import Theme
from tracer.model.view import DETACHED, NO_GRAD, OPAQUE

_MOST_ENTRIES = 14
_LINE_HEIGHT = 20.0
_PADDING = 10.0
_SWATCH = QRectF(0.0, 0.0, 16.0, 11.0)
_TEXT_LEFT = 25.0
_TEXT_ROOM = 240.0


class Legend:
    """The legend of one scene, painted in pixels (not in scene units) wherever its host wants it."""

    def __init__(self, scene: Scene, theme: Theme) -> None:
        self._theme = theme
        self._labels = Labels(text_font(theme.sizes.small_text))
        self._entries = _shortened(scene.legend, theme)

    def size(self) -> tuple[float, float]:
        """Width and height; nothing where there is nothing to explain."""
        if not self._entries:
            return 0.0, 0.0
        widest = max(self._labels.fitted(entry.label, _TEXT_ROOM)[1] for entry in self._entries)
        return _TEXT_LEFT + widest + 2 * _PADDING, len(self._entries) * _LINE_HEIGHT + 2 * _PADDING - 4.0

    def paint(self, painter: QPainter, left: float, top: float) -> None:
        """Paint it with its top left corner there."""
        if not self._entries:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        panel = QColor(self._theme.panel)
        panel.setAlphaF(0.94)
        painter.setPen(QPen(QColor(self._theme.border), 1.0))
        painter.setBrush(panel)
        painter.drawRoundedRect(QRectF(left, top, *self.size()), 8.0, 8.0)
        for number, entry in enumerate(self._entries):
            middle = top + _PADDING - 2.0 + (number + 0.5) * _LINE_HEIGHT
            self._paint_entry(painter, entry, left + _PADDING, middle)

    def _paint_entry(self, painter: QPainter, entry: LegendEntry, left: float, middle: float) -> None:
        if entry.mark:
            center = QPointF(left + _SWATCH.width() / 2, middle)
            paint_badge(painter, center, entry.mark, QColor(entry.swatch.strong), self._theme)
        elif entry.label:
            pen = QPen(QColor(entry.swatch.border), 1.2)
            if entry.is_ghost or entry.trait in (DETACHED, NO_GRAD):
                pen.setDashPattern([3.0, 2.0])
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush if entry.is_ghost else QColor(entry.swatch.fill))
            swatch = _SWATCH.translated(left, middle - _SWATCH.height() / 2)
            painter.drawRoundedRect(swatch, 3.0, 3.0)
            if entry.trait == OPAQUE:
                paint_inner_border(painter, swatch, 3.0, QColor(entry.swatch.muted_text), gap=2.5)
        text, _ = self._labels.fitted(entry.label, _TEXT_ROOM)
        painter.setPen(QColor(self._theme.text))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setFont(self._labels.font)
        painter.drawText(QPointF(left + _TEXT_LEFT, middle + self._labels.middle), text)


def _shortened(entries: tuple[LegendEntry, ...], theme: Theme) -> list[LegendEntry]:
    """The entries, colours beyond the room counted in one line; states and traits always stay."""
    states = [entry for entry in entries if entry.mark or entry.is_ghost or entry.trait]
    colors = [entry for entry in entries if not (entry.mark or entry.is_ghost or entry.trait)]
    room = _MOST_ENTRIES - len(states)
    if len(colors) > room:
        rest = LegendEntry(f"{len(colors) - room + 1} more", theme.neutral)
        colors = [*colors[: room - 1], rest]
    return colors + states
