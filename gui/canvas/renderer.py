"""Paints a scene on any QPainter: the screen, the minimap, PNG and SVG all come from here."""

import numpy as np
from PySide6.QtGui import QPainter

from gui.canvas.box_painter import BoxPainter
from gui.canvas.detail import MAX_LABELS, Detail, detail_at
from gui.canvas.geometry import Area, Curves, Floats, Ints, curves_of, rows_in
from gui.canvas.group_painter import GroupPainter
from gui.canvas.link_painter import LinkPainter
from gui.canvas.scene import Scene
from gui.theme import Theme

_DEFAULT_BOX_HEIGHT = 36.0


class Renderer:
    """Paints one scene in one theme.

    The painter's transform maps scene units to its device, and `scale` says how many pixels one becomes. `area` limits
    what is painted, in scene units; nothing outside it costs time.
    """

    def __init__(self, scene: Scene, theme: Theme, curves: Curves | None = None) -> None:
        self.scene = scene
        self.theme = theme
        self.curves = curves_of(scene.layout) if curves is None else curves
        heights = scene.layout.boxes[:, 3]
        self._box_height = float(np.median(heights)) if len(heights) else _DEFAULT_BOX_HEIGHT
        self._groups = GroupPainter(scene, theme)
        self._links = LinkPainter(scene, self.curves, theme)
        self._boxes = BoxPainter(scene, theme)

    def paint(self, painter: QPainter, area: Area, scale: float, most_labels: float = MAX_LABELS) -> None:
        """Frames, links and boxes of the area, with the detail that the zoom and the number of boxes in it allow."""
        rows = rows_in(self.scene.layout.boxes, area)
        detail = detail_at(scale, self._box_height, len(rows), most_labels)
        groups = self.scene.layout.groups
        frames = rows_in(groups, area)
        self.paint_groups(painter, groups, frames, detail)
        self._links.paint(painter, area, detail, scale)
        self.paint_titles(painter, groups, frames, detail)
        self._boxes.paint(painter, self.scene.layout.boxes, rows, detail, scale)

    def paint_everything(self, painter: QPainter) -> None:
        """The whole scene in full detail with true curves: for vector files."""
        layout = self.scene.layout
        area = (-1e9, -1e9, 2e9, 2e9)
        frames = np.arange(len(layout.groups))
        self.paint_groups(painter, layout.groups, frames, Detail.ALL)
        self._links.paint(painter, area, Detail.ALL, 1.0, as_paths=True)
        self.paint_titles(painter, layout.groups, frames, Detail.ALL)
        self._boxes.paint(painter, layout.boxes, np.arange(len(layout.boxes)), Detail.ALL, 1.0)

    def paint_groups(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail) -> None:
        """Some frames, at rectangles that may differ from the layout's."""
        self._groups.paint(painter, rects, rows, detail)

    def paint_titles(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail) -> None:
        """The titles of some frames."""
        self._groups.paint_titles(painter, rects, rows, detail)

    def paint_links(self, painter: QPainter, area: Area, scale: float) -> None:
        """The links alone."""
        self._links.paint(painter, area, self.detail(area, scale), scale)

    def paint_boxes(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail, scale: float) -> None:
        """Some boxes, at rectangles that may differ from the layout's."""
        self._boxes.paint(painter, rects, rows, detail, scale)

    def paint_highlight(self, painter: QPainter, links: Ints, color: str, area: Area, scale: float) -> None:
        """Some links again, stronger, over the picture."""
        self._links.paint_highlight(painter, links, color, self.detail(area, scale), scale)

    def detail(self, area: Area, scale: float) -> Detail:
        """The level of detail of an area at a zoom."""
        return detail_at(scale, self._box_height, len(rows_in(self.scene.layout.boxes, area)))
