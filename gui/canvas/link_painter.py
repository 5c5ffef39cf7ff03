"""Links: straight hairlines from afar, smooth curves with arrow heads and counts from near."""

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from gui.canvas.badge import paint_badge
from gui.canvas.batches import draw_lines
from gui.canvas.box_painter import FOLD_DEPTH
from gui.canvas.detail import MAX_LABELS, Detail
from gui.canvas.figure import Figure
from gui.canvas.geometry import ARROW_LENGTH, Area, Floats, Ints, dashes_of, flattened, stretches_in
from gui.canvas.lettering import Lettering
from gui.canvas.link_shapes import SHAPES_FROM_SCALE, LinkShapes
from gui.canvas.presence import Presence
from gui.canvas.scene import Scene
from gui.coloring import LOOP
from gui.theme import Theme, mix

_HEAD_HALF_WIDTH = 3.6
_PIECES = {Detail.OUTLINES: 6, Detail.SHAPES: 12, Detail.TITLES: 16, Detail.ALL: 20}
_COUNT_PLACES = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2)
_SMOOTH_LINES = 24_000
_DASH_PX = 3.0  # of links against the flow, from afar
_DOTS = [0.1, 2.4]  # of those from near, in widths of the pen
_BESIDE_COUNT = 8.0
# A path is smoother than lines laid end to end, and several times slower.
_MOST_PATHS = 400
FAINT_EDGE = 0.35
"""How much of its colour a link keeps that touches no change, where these alone are to be seen."""


class LinkPainter:
    """Paints the links of one scene."""

    def __init__(self, scene: Scene, theme: Theme, figure: Figure, presence: Presence, lettering: Lettering) -> None:
        self._scene = scene
        self._figure = figure
        self._curves = figure.curves
        self._theme = theme
        self._is_shown = presence.links
        self._is_faint = presence.faint_links
        self._faint_edge = mix(theme.edge, theme.canvas, FAINT_EDGE)
        self._counts = scene.fit.link_counts
        self._is_backward = figure.is_backward
        self._taken = figure.taken
        self._labels = lettering.counts
        self._shapes = LinkShapes(scene.fit, figure, lettering)

    def paint(self, painter: QPainter, area: Area, detail: Detail, scale: float, as_paths: bool = False) -> None:
        """Paint the links that touch an area; `as_paths` gives true curves, for vector files."""
        stretches = stretches_in(self._curves, area)
        stretches = stretches[self._is_shown[self._curves.link[stretches]]]
        present = self._scene.links_present[self._curves.link[stretches]]
        faint = present & self._is_faint[self._curves.link[stretches]]
        if detail < Detail.SHAPES:
            self._paint_far(painter, stretches[~present], self._theme.ghost.strong, detail, scale)
            self._paint_far(painter, stretches[faint], self._faint_edge, detail, scale)
            self._paint_far(painter, stretches[present & ~faint], self._theme.edge, detail, scale)
            return
        self._paint_near(painter, stretches[~present], self._ghost_pen(), detail, as_paths)
        self._paint_both(painter, stretches[faint], self._faint_edge, 1.0, detail, as_paths)
        self._paint_both(painter, stretches[present & ~faint], self._theme.edge, 1.0, detail, as_paths)
        self._paint_loops(painter, self._curves.link[stretches[faint]], self._faint_edge)
        self._paint_loops(painter, self._curves.link[stretches[present & ~faint]], self._theme.edge_label)
        if detail < Detail.ALL:
            return
        taken = self._paint_counts(painter, np.unique(self._curves.link[stretches]))
        if scale >= SHAPES_FROM_SCALE and not as_paths:
            self._shapes.paint(painter, np.unique(self._curves.link[stretches[present]]), area, self._theme, taken)

    def paint_highlight(self, painter: QPainter, links: Ints, color: str, detail: Detail, scale: float) -> None:
        """Paint some links again, stronger, over the picture."""
        stretches = np.flatnonzero(np.isin(self._curves.link, links))
        if detail < Detail.SHAPES:
            self._paint_far(painter, stretches, color, detail, scale)
            return
        self._paint_both(painter, stretches, color, 1.7, detail, as_paths=False)
        self._paint_loops(painter, links, color)
        if detail == Detail.ALL:
            self._paint_counts(painter, links)

    def _paint_both(
        self, painter: QPainter, stretches: Ints, color: str, strength: float, detail: Detail, as_paths: bool
    ) -> None:
        """Links with the flow, and dotted ones against it."""
        is_backward = self._is_backward[self._curves.link[stretches]]
        self._paint_near(painter, stretches[~is_backward], self._pen(color, strength), detail, as_paths)
        self._paint_near(painter, stretches[is_backward], self._dotted_pen(color, strength), detail, as_paths)

    def _paint_loops(self, painter: QPainter, links: Ints, color: str) -> None:
        """The mark of links against the flow, in their middle, beside what is said there of their number."""
        for link in np.unique(links[self._is_backward[links]])[:MAX_LABELS].tolist():
            x, y = self._place_of_count(link)
            if self._counts[link] > 1:
                x -= self._labels.fitted(f"×{self._counts[link]}", 80.0)[1] / 2 + 5.0 + _BESIDE_COUNT
            paint_badge(painter, QPointF(x, y), LOOP, QColor(color), self._theme)

    def _paint_far(self, painter: QPainter, stretches: Ints, color: str, detail: Detail, scale: float) -> None:
        painter.setPen(QPen(QColor(color), 0))
        is_backward = self._is_backward[self._curves.link[stretches]]
        if is_backward.any():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            draw_lines(painter, dashes_of(self._curves.control[stretches[is_backward]], _DASH_PX / scale))
            stretches = stretches[~is_backward]
        if detail == Detail.FLAT:
            extent = (self._curves.high[stretches] - self._curves.low[stretches]).max(axis=1, initial=0.0)
            ends = self._curves.control[stretches[extent * scale >= 1.0]]
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            draw_lines(painter, np.concatenate([ends[:, 0], ends[:, 3]], axis=1))
            return
        lines = flattened(self._curves.control[stretches], _PIECES[detail])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, lines.shape[0] * lines.shape[1] < _SMOOTH_LINES)
        draw_lines(painter, lines)

    def _paint_near(self, painter: QPainter, stretches: Ints, pen: QPen, detail: Detail, as_paths: bool) -> None:
        if not len(stretches):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        control = self._curves.control[stretches]
        # A dash pattern starts anew with each line, so dashed curves have to be paths.
        if as_paths or len(stretches) <= _MOST_PATHS or pen.style() != Qt.PenStyle.SolidLine:
            for path in _paths(control, self._curves.link[stretches]):
                painter.drawPath(path)
        else:
            draw_lines(painter, flattened(control, _PIECES[detail]))
        self._paint_heads(painter, np.unique(self._curves.link[stretches]), pen.color())

    def _paint_heads(self, painter: QPainter, links: Ints, color: QColor) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        for x, y in self._curves.tips[links].tolist():
            base = y - ARROW_LENGTH
            painter.drawConvexPolygon(
                [QPointF(x - _HEAD_HALF_WIDTH, base), QPointF(x + _HEAD_HALF_WIDTH, base), QPointF(x, y)]
            )

    def _paint_counts(self, painter: QPainter, links: Ints) -> Floats:
        """×n beside the middle of every link that stands for several edges; where these texts are (t, 4)."""
        places = []
        counted = links[self._counts[links] > 1][:MAX_LABELS]
        painter.setFont(self._labels.font)
        for link in counted.tolist():
            text, width = self._labels.fitted(f"×{self._counts[link]}", 80.0)
            x, y = self._place_of_count(link)
            pill = QRectF(x - width / 2 - 5.0, y - 7.0, width + 10.0, 14.0)
            places.append(pill.getRect())
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._theme.canvas))
            painter.drawRoundedRect(pill, 7.0, 7.0)
            painter.setPen(QColor(self._theme.edge_label))
            painter.drawText(QPointF(x - width / 2, y + self._labels.middle), text)
        return np.array(places, dtype=np.float64).reshape(-1, 4)

    def _place_of_count(self, link: int) -> tuple[float, float]:
        """Near the middle of a link's middle stretch, where no frame has its border or title."""
        first, end = np.searchsorted(self._curves.link, [link, link + 1])
        control = self._curves.control[(first + end - 1) // 2]
        if self._scene.boxes[self._figure.sources[link]].fold and end - first == 1:
            control = control + np.array([[0.0, FOLD_DEPTH], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
        tries = control[0] + np.array(_COUNT_PLACES)[:, None] * (control[3] - control[0])
        rows = tries[:, 1, None]
        is_free = ~((rows > self._taken[:, 0]) & (rows < self._taken[:, 1])).any(axis=1)
        x, y = tries[int(np.argmax(is_free))].tolist()
        return x, y

    def _pen(self, color: str, strength: float) -> QPen:
        pen = QPen(QColor(color), self._theme.sizes.edge_width * strength)
        pen.setCapStyle(Qt.PenCapStyle.SquareCap)
        return pen

    def _dotted_pen(self, color: str, strength: float) -> QPen:
        pen = QPen(QColor(color), self._theme.sizes.edge_width * strength * 1.5)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setDashPattern(_DOTS)
        return pen

    def _ghost_pen(self) -> QPen:
        pen = QPen(QColor(self._theme.ghost.border), 1.0)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern([4.0, 4.0])
        return pen


def _paths(control: Floats, links: Ints) -> list[QPainterPath]:
    """One path for each link, of all its stretches given here."""
    paths: dict[int, QPainterPath] = {}
    for link, (a, b, c, d) in zip(links.tolist(), control.tolist(), strict=True):
        path = paths.get(link)
        if path is None:
            path = paths[link] = QPainterPath()
        end = path.currentPosition()
        if path.isEmpty() or (end.x(), end.y()) != tuple(a):
            path.moveTo(*a)
        path.cubicTo(*b, *c, *d)
    return list(paths.values())
