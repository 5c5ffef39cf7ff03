"""Paints a scene on any QPainter: the screen, the minimap, PNG, SVG and PDF all come from here."""

import numpy as np
from PySide6.QtGui import QPainter

from gui.canvas.box_painter import BoxPainter
from gui.canvas.detail import MAX_LABELS, Detail, detail_at
from gui.canvas.figure import figure_of
from gui.canvas.geometry import Area, Curves, Floats, Ints, rows_in
from gui.canvas.group_painter import GroupPainter
from gui.canvas.lettering import Lettering
from gui.canvas.link_painter import LinkPainter
from gui.canvas.presence import presence_of
from gui.canvas.scene import Scene
from gui.theme import Theme


class Renderer:
    """Paints one scene in one theme; `before`, a renderer of the same thread, hands on what it measured of texts.

    The painter's transform maps scene units to its device, and `scale` says how many pixels one becomes. `area` limits
    what is painted, in scene units; nothing outside it costs time.
    """

    def __init__(self, scene: Scene, theme: Theme, before: "Renderer | None" = None) -> None:
        self.scene = scene
        self.theme = theme
        self.figure = figure_of(scene.layout)
        self.presence = presence_of(scene, self.figure)
        self.lettering = before.lettering if before is not None and before.theme is theme else Lettering(theme)
        self._groups = GroupPainter(scene, theme, self.figure, self.presence, self.lettering)
        self._links = LinkPainter(scene, theme, self.figure, self.presence, self.lettering)
        self._boxes = BoxPainter(scene, theme, self.presence, self.lettering)

    @property
    def curves(self) -> Curves:
        return self.figure.curves

    def paint(self, painter: QPainter, area: Area, scale: float, most_labels: float = MAX_LABELS) -> None:
        """Frames, links and boxes of the area, with the detail that the zoom and the number of boxes in it allow."""
        self.paint_ground(painter, area, scale, most_labels)
        self.paint_front(painter, area, scale, most_labels)

    def paint_ground(self, painter: QPainter, area: Area, scale: float, most_labels: float = MAX_LABELS) -> None:
        """What lies under the boxes: frames and links."""
        detail = self.detail(area, scale, most_labels)
        groups = self.scene.layout.groups
        frames = rows_in(groups, area)
        self.paint_groups(painter, groups, frames, detail)
        self._links.paint(painter, area, detail, scale)
        self.paint_titles(painter, groups, frames, detail)

    def paint_front(self, painter: QPainter, area: Area, scale: float, most_labels: float = MAX_LABELS) -> None:
        """The boxes."""
        boxes = self.scene.layout.boxes
        detail = self.detail(area, scale, most_labels)
        self._boxes.paint(painter, boxes, rows_in(boxes, area), detail, scale)

    def has_ground_of(self, other: "Renderer") -> bool:
        """Whether what lies under the boxes looks the same."""
        ours, theirs = self.presence, other.presence
        return (
            self.figure is other.figure
            and self.theme is other.theme
            and (self.scene.fit is other.scene.fit or self.scene.groups == other.scene.groups)
            and np.array_equal(self.scene.group_states, other.scene.group_states)
            and np.array_equal(self.scene.links_present, other.scene.links_present)
            and np.array_equal(ours.links, theirs.links)
            and np.array_equal(ours.faint_links, theirs.faint_links)
            and np.array_equal(ours.groups, theirs.groups)
            and np.array_equal(ours.ghost_groups, theirs.ghost_groups)
        )

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

    def paint_pinned_titles(self, painter: QPainter, area: Area, scale: float) -> None:
        """The titles of frames that begin left of the area, at its edge: over the picture, as they go with the view."""
        if self.detail(area, scale) >= Detail.SHAPES:
            self._groups.paint_pinned_titles(painter, self.scene.layout.groups, area, scale)

    def paint_links(self, painter: QPainter, area: Area, scale: float) -> None:
        """The links alone."""
        self._links.paint(painter, area, self.detail(area, scale), scale)

    def paint_boxes(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail, scale: float) -> None:
        """Some boxes, at rectangles that may differ from the layout's."""
        self._boxes.paint(painter, rects, rows, detail, scale)

    def paint_highlight(self, painter: QPainter, links: Ints, color: str, area: Area, scale: float) -> None:
        """Some links again, stronger, over the picture."""
        self._links.paint_highlight(painter, links, color, self.detail(area, scale), scale)

    def detail(self, area: Area, scale: float, most_labels: float = MAX_LABELS) -> Detail:
        """The level of detail of an area at a zoom."""
        in_sight = len(rows_in(self.scene.layout.boxes, area))
        return detail_at(scale, self.figure.box_height, in_sight, most_labels)
