"""Boxes: flat batches from afar, shapes with titles and badges from near."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen

from gui.canvas.badge import paint_badge
from gui.canvas.batches import draw_rects
from gui.canvas.detail import Detail
from gui.canvas.geometry import Floats, Ints
from gui.canvas.labels import Labels
from gui.canvas.lettering import Lettering
from gui.canvas.presence import Presence
from gui.canvas.scene import Scene
from gui.canvas.states import MARKS, State
from gui.coloring import ALARM, LOOP
from gui.scales import alarm_swatch
from gui.theme import Swatch, Theme, mix
from tracer.model.view import GRAPHLESS, OPAQUE, Box

_PADDING = 5.0
_CHEVRON_ROOM = 9.0
_SHEET_STEP = 3.0
FOLD_DEPTH = 2 * _SHEET_STEP
"""So far the sheets behind the box of a fold reach beyond it, to the right and below."""
_QUIET = 0.45  # of its colour is left of a bookkeeping op
_INNER_GAP = 3.0  # between the two borders of an opaque op
# Two lines of text need this height.
_TWO_LINES = 33.0


class BoxPainter:
    """Paints the boxes of one scene. `rects` are passed to each call, so that an animation may move them."""

    def __init__(self, scene: Scene, theme: Theme, presence: Presence, lettering: Lettering) -> None:
        self._scene = scene
        self._theme = theme
        self._is_shown = presence.boxes
        self._lettering = lettering
        # Bookkeeping ops step back in a paler version of their colour, numbered after all others; not on a scale, where
        # a paler colour is another number.
        is_quiet = scene.fit.quiet & (scene.states == State.PRESENT) & (scene.coloration.bar is None)
        self._colors = scene.colors.astype(np.int16) + np.int16(len(scene.swatches)) * is_quiet
        self._pens: dict[int, _Pens] = {}  # as they are asked for: from afar none is
        self._alarm = QColor(alarm_swatch(theme).strong)
        self._alarms = np.flatnonzero(scene.coloration.alarms)
        self._alarming = frozenset(self._alarms.tolist())
        self._opaque = scene.fit.opaque
        self._folded = scene.fit.folded

    def paint(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail, scale: float) -> None:
        """Paint the boxes of these rows, as far as they are shown, at these rectangles (n, 4)."""
        rows = rows[self._is_shown[rows]]
        if not len(rows):
            return
        if detail < Detail.SHAPES:
            self._paint_batches(painter, rects, rows, detail, scale)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for row, rect in zip(rows.tolist(), rects[rows].tolist(), strict=True):
            self._paint_one(painter, row, QRectF(*rect), detail)

    def _paint_batches(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail, scale: float) -> None:
        """One call a colour; what changed comes last, and never smaller than 3 pixels, so that it is seen from afar."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if detail == Detail.OUTLINES and len(self._folded):
            self._paint_sheet_batch(painter, rects[np.intersect1d(rows, self._folded)])
        batches = _by_color(self._colors[rows], rows)
        for color in sorted(batches, key=lambda color: (State.ADDED <= color <= State.CHANGED, color)):
            batch = rects[batches[color]]
            if State.ADDED <= color <= State.CHANGED:
                batch = _at_least(batch, 3.0 / scale)
            self._set_batch_colors(painter, color, detail)
            draw_rects(painter, batch)
        if len(self._opaque):
            self._paint_opaque_batch(painter, rects, np.intersect1d(rows, self._opaque), detail, scale)
        if len(self._alarms):
            painter.setPen(QPen(self._alarm, 0))
            painter.setBrush(self._alarm)
            draw_rects(painter, _at_least(rects[np.intersect1d(rows, self._alarms)], 5.0 / scale))

    def _swatch(self, color: int) -> Swatch:
        plain = self._scene.swatches
        return plain[color] if color < len(plain) else _quiet(plain[color - len(plain)], self._theme)

    def _pens_of(self, color: int) -> "_Pens":
        if color not in self._pens:
            self._pens[color] = _Pens(self._swatch(color))
        return self._pens[color]

    def _paint_sheet_batch(self, painter: QPainter, rects: Floats) -> None:
        painter.setPen(QPen(QColor(self._theme.kinds["module"].border), 0))
        painter.setBrush(QColor(self._theme.canvas))
        for number in (2, 1):
            draw_rects(painter, rects + np.array([number * _SHEET_STEP, number * _SHEET_STEP, 0.0, 0.0]))

    def _paint_opaque_batch(self, painter: QPainter, rects: Floats, rows: Ints, detail: Detail, scale: float) -> None:
        """The double border from afar; dark specks from further away."""
        rows = rows[self._scene.states[rows] != State.GHOST]
        color = QColor(self._theme.kinds["op"].text)
        if detail == Detail.FLAT:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            draw_rects(painter, _at_least(rects[rows], 3.0 / scale))
            return
        painter.setPen(QPen(color, 0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        draw_rects(painter, rects[rows])
        draw_rects(painter, _smaller(rects[rows], 2.0 / scale))

    def _set_batch_colors(self, painter: QPainter, color: int, detail: Detail) -> None:
        swatch = self._swatch(color)
        if detail == Detail.FLAT:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(swatch.strong))
            return
        painter.setPen(QPen(QColor(swatch.strong), 0))
        painter.setBrush(QColor(swatch.strong if State.ADDED <= color <= State.CHANGED else swatch.fill))

    def _paint_one(self, painter: QPainter, row: int, rect: QRectF, detail: Detail) -> None:
        box = self._scene.boxes[row]
        state = State(self._scene.states[row])
        pens = self._pens_of(int(self._colors[row]))
        is_graphless = box.trait in GRAPHLESS
        marking = pens if state == State.PRESENT else self._pens_of(state)
        painter.setPen(marking.dashed_outline_of(state) if is_graphless else marking.outline_of(state))
        painter.setBrush(Qt.BrushStyle.NoBrush if state == State.GHOST else pens.fill)
        radius = corner_radius(box, rect, self._theme)
        if box.fold:
            paint_sheets(painter, rect, radius, _SHEET_STEP)
        painter.drawRoundedRect(rect, radius, radius)
        if box.trait == OPAQUE:
            paint_inner_border(painter, rect, radius, pens.muted_text)
        if detail >= Detail.TITLES:
            self._paint_text(painter, box, rect, pens, detail)
        if state in MARKS:
            paint_badge(painter, rect.topRight() + QPointF(-3.0, 2.0), MARKS[state], marking.strong, self._theme)
        if row in self._alarming:
            paint_badge(painter, rect.topLeft() + QPointF(3.0, 2.0), ALARM, self._alarm, self._theme)
        if box.is_chained and state not in (State.GHOST, State.REMOVED):
            paint_badge(
                painter, rect.bottomLeft() + QPointF(3.0, -2.0), LOOP, QColor(self._theme.edge_label), self._theme
            )

    def _paint_text(self, painter: QPainter, box: Box, rect: QRectF, pens: "_Pens", detail: Detail) -> None:
        left = rect.left() + _PADDING
        if box.can_open:
            _paint_chevron(painter, QPointF(left + 4.0, rect.center().y()), pens.muted_text)
            left += _CHEVRON_ROOM
        lettering = self._lettering
        titles = lettering.quiet_titles if box.kind == "parameter" else lettering.titles
        has_subtitle = bool(box.subtitle) and rect.height() >= _TWO_LINES and detail == Detail.ALL
        middle = rect.center().y() - rect.height() * (0.17 if has_subtitle else 0.0)
        _paint_line(painter, titles, box.title, rect, left, middle, pens.text)
        if has_subtitle:
            middle = rect.center().y() + rect.height() * 0.21
            _paint_line(painter, lettering.subtitles, box.subtitle, rect, left, middle, pens.muted_text)


class _Pens:
    """Qt's objects for one swatch, made once."""

    def __init__(self, swatch: Swatch) -> None:
        self.fill = QBrush(QColor(swatch.fill))
        self.text = QColor(swatch.text)
        self.muted_text = QColor(swatch.muted_text)
        self.strong = QColor(swatch.strong)
        self._plain = QPen(QColor(swatch.border), 1.0)
        self._marked = QPen(self.strong, 2.0)
        self._dashed = QPen(QColor(swatch.border), 1.0)
        self._dashed.setDashPattern([4.0, 3.0])
        self._marked_dashed = QPen(self.strong, 1.6)
        self._marked_dashed.setDashPattern([3.0, 2.0])
        self._graphless = QPen(QColor(swatch.border), 1.4)
        self._graphless.setDashPattern([4.0, 2.5])

    def outline_of(self, state: State) -> QPen:
        if state == State.PRESENT:
            return self._plain
        if state == State.GHOST:
            return self._dashed
        return self._marked_dashed if state == State.REMOVED else self._marked

    def dashed_outline_of(self, state: State) -> QPen:
        """Of a call that made no graph."""
        if state in (State.PRESENT, State.GHOST):
            return self._graphless if state == State.PRESENT else self._dashed
        return self._marked_dashed


def corner_radius(box: Box, rect: QRectF, theme: Theme) -> float:
    """Parameters are pills; everything else has the theme's small round corners."""
    return rect.height() / 2 if box.kind in ("parameter", "input") else float(theme.sizes.radius)


def paint_sheets(painter: QPainter, rect: QRectF, radius: float, step: float) -> None:
    """The sheets behind a box or frame that is drawn for several, in the pen and brush of the painter."""
    for number in (2, 1):
        painter.drawRoundedRect(rect.translated(number * step, number * step), radius, radius)


def paint_inner_border(painter: QPainter, rect: QRectF, radius: float, color: QColor, gap: float = _INNER_GAP) -> None:
    """The second border of an opaque op: a box in a box."""
    painter.setPen(QPen(color, 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    inner = max(radius - gap, 1.0)
    painter.drawRoundedRect(rect.adjusted(gap, gap, -gap, -gap), inner, inner)


def _paint_chevron(painter: QPainter, center: QPointF, color: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    x, y = center.x(), center.y()
    painter.drawPolygon([QPointF(x - 2.0, y - 4.0), QPointF(x + 3.0, y), QPointF(x - 2.0, y + 4.0)])


def _paint_line(
    painter: QPainter, labels: Labels, text: str, rect: QRectF, left: float, middle: float, color: QColor
) -> None:
    """A line of text in the middle of a box, further right only where it would begin before `left`."""
    fitted, width = labels.fitted(text, rect.right() - _PADDING - left)
    painter.setFont(labels.font)
    painter.setPen(color)
    painter.drawText(QPointF(max(rect.center().x() - width / 2, left), middle + labels.middle), fitted)


def _by_color(colors: NDArray[np.int16], rows: Ints) -> dict[int, Ints]:
    """The rows of each colour, in their order."""
    order = np.argsort(colors, kind="stable")
    present, starts = np.unique(colors[order], return_index=True)
    return dict(zip(present.tolist(), np.split(rows[order], starts[1:]), strict=True))


def _quiet(swatch: Swatch, theme: Theme) -> Swatch:
    """Half way to the canvas, its text muted."""
    fill, border, strong = (mix(color, theme.canvas, _QUIET) for color in (swatch.fill, swatch.border, swatch.strong))
    return Swatch(fill, border, theme.muted_text, theme.muted_text, strong)


def _smaller(rects: Floats, gap: float) -> Floats:
    """The rectangles with that gap on every side, as far as there is room for it."""
    gaps = np.minimum(gap, rects[:, 2:] / 2)
    return np.concatenate([rects[:, :2] + gaps, rects[:, 2:] - 2 * gaps], axis=1)


def _at_least(rects: Floats, length: float) -> Floats:
    """The rectangles about the same centres with sides of at least this length."""
    sides = np.maximum(rects[:, 2:], length)
    return np.concatenate([rects[:, :2] - (sides - rects[:, 2:]) / 2, sides], axis=1)
