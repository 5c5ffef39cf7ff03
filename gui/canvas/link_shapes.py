"""The shapes of what flows along links, written beside them where the boxes do not tell."""

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QPainter

from gui.canvas.box_painter import FOLD_DEPTH
from gui.canvas.figure import Figure
from gui.canvas.fit import Fit
from gui.canvas.geometry import Area, Floats, Ints, rows_in
from gui.canvas.lettering import Lettering
from gui.theme import Theme
from tracer.model.labels import shape_text

SHAPES_FROM_SCALE = 1.15
_ROOM = 110.0
_HEIGHT = 13.0
_BESIDE, _BESIDE_COUNT = 5.0, 18.0
_BELOW = 9.0
"""How far right of a link and below its source a text stands, in scene units."""


class LinkShapes:
    """Writes the shapes of one fit. An op has its first output's on itself: only others, and those of what leaves a
    closed module, are written."""

    def __init__(self, fit: Fit, figure: Figure, lettering: Lettering) -> None:
        self._fit = fit
        self._figure = figure
        self._labels = lettering.subtitles

    def paint(self, painter: QPainter, links: Ints, area: Area, theme: Theme, taken: Floats) -> None:
        """Those of some links, in their order, each where it meets no box, no frame's border and no other text;
        `taken` (t, 4) are the rectangles of texts that are there already."""
        boxes = self._fit.layout.boxes.copy()
        boxes[self._fit.folded, 2:] += FOLD_DEPTH
        taken = np.concatenate([boxes[rows_in(boxes, area)], taken])
        written: set[tuple[float, float, str]] = set()
        painter.setFont(self._labels.font)
        painter.setPen(QColor(theme.edge_label))
        for link in links.tolist():
            text = self._text(link)
            if not text:
                continue
            fitted, width = self._labels.fitted(text, _ROOM)
            x, y = self._fit.layout.points[self._fit.layout.starts[link]].tolist()
            y += _BELOW + (FOLD_DEPTH if self._fit.boxes[self._figure.sources[link]].fold else 0.0)
            if (x, y, text) in written or not fitted:
                continue
            written.add((x, y, text))
            for left in (x + _BESIDE, x + _BESIDE_COUNT, x - _BESIDE - width):
                place = np.array([left, y - _HEIGHT / 2, width, _HEIGHT])
                if self._is_free(place, taken):
                    taken = np.vstack([taken, place])
                    painter.drawText(QPointF(left, y + self._labels.middle), fitted)
                    break

    def _is_free(self, place: Floats, taken: Floats) -> bool:
        x, y, width, height = place.tolist()
        if len(rows_in(taken, (x, y, width, height))):
            return False
        bands = self._figure.taken
        return not bool(((y + height > bands[:, 0]) & (y < bands[:, 1])).any())

    def _text(self, link: int) -> str:
        texts = self._fit.link_texts
        if link not in texts:
            texts[link] = _text_of(self._fit, self._figure, link)
        return texts[link]


def _text_of(fit: Fit, figure: Figure, link: int) -> str:
    """The shape of what flows along a link; "" where it is on the source, is not known, or where shapes differ."""
    source, target = fit.boxes[figure.sources[link]], fit.boxes[figure.targets[link]]
    if source.kind in ("parameter", "input"):
        return ""
    members = fit.nodes & set(source.members)
    leaving = [
        (node, after, data.get("output_nr", 0))
        for node in members
        for _, after, data in fit.graph.out_edges(node, data=True)
        if after not in members
    ]
    ends = set(target.members)
    # Where what lies between is hidden, no edge leads to the target itself.
    meant = [edge for edge in leaving if edge[1] in ends] or leaving
    texts = {_shape(fit, node, output_nr) for node, _, output_nr in meant}
    text = texts.pop() if len(texts) == 1 else ""
    return "" if text == source.subtitle else text


def _shape(fit: Fit, node: str, output_nr: int) -> str:
    shapes = fit.graph.nodes[node].get("shapes", [])
    return shape_text(shapes[output_nr : output_nr + 1])
