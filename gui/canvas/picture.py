"""A scene as a finished picture: a heading, the whole graph, its legend. What every picture exporter draws."""

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QFont, QPainter

from gui.canvas.labels import Labels
from gui.canvas.legend import Legend
from gui.canvas.renderer import Renderer
from gui.canvas.scene import Scene
from gui.fonts import text_font
from gui.theme import Theme

_MARGIN = 28.0
_GAP = 20.0
_LEAST_WIDTH = 420.0
_HEADING_HEIGHT = 26.0


@dataclass(frozen=True, slots=True)
class Heading:
    """The line above a picture: `title` in strong letters, `details` after it."""

    title: str
    details: str = ""


class Picture:
    """A scene with its heading and legend, laid out to its natural size in pixels."""

    def __init__(self, scene: Scene, heading: Heading, theme: Theme) -> None:
        self._renderer = Renderer(scene, theme)
        self._legend = Legend(scene, theme)
        self._heading = heading
        self._theme = theme
        self._title = Labels(text_font(theme.sizes.heading, QFont.Weight.DemiBold))
        self._details = Labels(text_font(theme.sizes.text))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels at 100 %."""
        graph_width, graph_height = self._renderer.scene.layout.size
        legend_width, legend_height = self._legend.size()
        width = max(graph_width, legend_width, self._heading_width(), _LEAST_WIDTH) + 2 * _MARGIN
        height = self._graph_top + graph_height + _MARGIN
        return width, height + (legend_height + _GAP if legend_height else 0.0)

    def paint(self, painter: QPainter, scale: float | None = None) -> None:
        """Paint all of it; the painter already maps natural pixels to its device.

        Without a scale everything is drawn as true curves and text, for vector files; with one, as a screen would
        show it at that zoom.
        """
        width, height = self.size
        painter.fillRect(QRectF(0, 0, width, height), QColor(self._theme.canvas))
        self._paint_heading(painter)
        graph_width, graph_height = self._renderer.scene.layout.size
        painter.save()
        painter.translate((width - graph_width) / 2, self._graph_top)
        if scale is None:
            self._renderer.paint_everything(painter)
        else:
            margin = _MARGIN / 2
            area = (-margin, -margin, graph_width + 2 * margin, graph_height + 2 * margin)
            self._renderer.paint(painter, area, scale, most_labels=math.inf)
        painter.restore()
        self._legend.paint(painter, _MARGIN, self._graph_top + graph_height + _GAP)

    @property
    def _graph_top(self) -> float:
        return _MARGIN + _HEADING_HEIGHT + _GAP

    def _heading_width(self) -> float:
        title = self._title.fitted(self._heading.title, 600.0)[1]
        return title + 16.0 + self._details.fitted(self._heading.details, 900.0)[1]

    def _paint_heading(self, painter: QPainter) -> None:
        middle = _MARGIN + _HEADING_HEIGHT / 2
        title, width = self._title.fitted(self._heading.title, 600.0)
        painter.setFont(self._title.font)
        painter.setPen(QColor(self._theme.text))
        painter.drawText(QPointF(_MARGIN, middle + self._title.middle), title)
        details, _ = self._details.fitted(self._heading.details, 900.0)
        painter.setFont(self._details.font)
        painter.setPen(QColor(self._theme.muted_text))
        painter.drawText(QPointF(_MARGIN + width + 16.0, middle + self._title.middle), details)
