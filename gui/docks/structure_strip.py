"""The strip under the plot: which structure each step had, one colour each, and a mark wherever it changed."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QHelpEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui import format as fmt
from gui.docks.span import Floats, Span, contains, stretches
from gui.fonts import text_font
from gui.happenings import Happenings
from gui.plain_text import plain_tip
from gui.theme import Theme
from gui.timeline import UNRECORDED, Timeline

MARK_HEIGHT = 5
BAND_HEIGHT = 14
SHAPE_MARK_HEIGHT = 3
INCIDENT_PX = 11
FOUND_HEIGHT = 4
FADED = 0.22
"""How much is left of the colour of a step that a search among the steps did not find."""
MOST_MIXED = 128
"""The colours of so many steps are mixed in one pixel."""
LEAST_COUNT_PX = 40
HIT_PX = 9
CHANGE_PX = 9
LEAST_GAP_PX = 4
"""Between two dots or diamonds; those that are closer become one long one."""


class StructureStrip(QWidget):
    """A step fills the pixels half a step to either side of it."""

    step_picked = Signal(int)
    menu_requested = Signal(int, QPoint)  # of a step, where on the screen

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._timeline = Timeline()
        self._span = Span(0, 1, 0, 1)
        self._step = -1
        self._pinned: int | None = None
        self._incidents: dict[int, str] = {}
        self._found: NDArray[np.int64] | None = None
        self._happenings = Happenings()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(self.tr("Structure of each step"))

    def sizeHint(self) -> QSize:
        return QSize(200, MARK_HEIGHT + BAND_HEIGHT + SHAPE_MARK_HEIGHT + 6)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def set_timeline(self, timeline: Timeline) -> None:
        """Another timeline, or the same one grown."""
        self._timeline = timeline
        self.update()

    def set_span(self, span: Span) -> None:
        if span != self._span:
            self._span = span
            self.update()

    def set_incidents(self, incidents: Mapping[int, str]) -> None:
        """Sentences by the step they are of; each gets a mark."""
        if incidents != self._incidents:
            self._incidents = dict(incidents)
            self.update()

    def set_found(self, steps: NDArray[np.int64] | None) -> None:
        """Lets these stand out, growing; None where no search is about steps."""
        self._found = steps
        self.update()

    def set_happenings(self, happenings: Happenings) -> None:
        """Others, or the same ones grown: hits of breakpoints get a dot, changes of the training a diamond."""
        self._happenings = happenings
        self.update()

    def set_step(self, step: int) -> None:
        if step != self._step:
            self._step = step
            self.update()

    def set_pinned(self, step: int | None) -> None:
        """Marks the step that the others are compared with."""
        if step != self._pinned:
            self._pinned = step
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        left, right = round(self._span.left_px), round(self._span.right_px)
        if right - left < 2 or not len(self._timeline):
            return
        if self._found is not None:
            self._paint_count(painter, left, self._found)
        painter.setClipRect(QRect(left, 0, right - left, self.height()))
        self._paint_band(painter, left, right)
        visible = (self._span.first - 1, self._span.last + 1)
        self._paint_ticks(painter, self._timeline.changes_between(*visible), self._theme.text, 0, MARK_HEIGHT - 1)
        below = MARK_HEIGHT + BAND_HEIGHT + 1
        shape_changes = self._timeline.shape_changes_between(*visible)
        self._paint_ticks(painter, shape_changes, self._theme.muted_text, below, SHAPE_MARK_HEIGHT)
        if self._pinned is not None:
            self._paint_frame(painter, self._pinned, self._theme.accent, Qt.PenStyle.DashLine)
        if self._step >= 0:
            self._paint_frame(painter, self._step, self._theme.text, Qt.PenStyle.SolidLine)
        self._paint_changes(painter, self._happenings.changes_between(*visible))
        self._paint_hits(painter, self._happenings.hits_between(*visible))
        self._paint_incidents(painter)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pick(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._pick(event.position().x())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            self._show_tip(event.pos(), event.globalPos())
            return True
        return super().event(event)

    def tip(self, step: int) -> str:
        """What hovering over a step says."""
        incident = self._incidents.get(step)
        is_found = self._found is not None and bool(contains(self._found, np.array([step]))[0])
        found = (self.tr("Found by the search"),) if is_found else ()
        more = (*((incident,) if incident else ()), *self._happenings.lines(step), *found)
        return "\n".join((self._structure_tip(step), *(f"{line[:1].upper()}{line[1:]}" for line in more)))

    def _structure_tip(self, step: int) -> str:
        structure = self._timeline.structure(step)
        if structure == UNRECORDED:
            return self.tr("Step {0}\nGraph not recorded").format(fmt.count(step))
        same = int(np.count_nonzero(self._timeline.structures == structure))
        share = self.tr("shared by {0}").format(fmt.plural(same, "step"))
        return self.tr("Step {0}\nStructure {1} of {2}, {3}").format(
            fmt.count(step), fmt.count(structure + 1), fmt.count(self._timeline.structure_count), share
        )

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if len(self._timeline):
            self.menu_requested.emit(self._step_at(event.pos().x()), event.globalPos())

    def _pick(self, x_px: float) -> None:
        if len(self._timeline):
            self.step_picked.emit(self._step_at(x_px))

    def _step_at(self, x_px: float) -> int:
        return max(0, min(round(float(self._span.step_at(x_px))), len(self._timeline) - 1))

    def _show_tip(self, place: QPoint, global_place: QPoint) -> None:
        step = round(float(self._span.step_at(place.x() + 0.5)))
        if 0 <= step < len(self._timeline):
            QToolTip.showText(global_place, plain_tip(self.tip(step)), self)

    def _paint_band(self, painter: QPainter, left: int, right: int) -> None:
        pixels = self._mixed(left, right)
        if self._found is not None:
            has_found = self._span.filled(self._found, left, right)
            background = _channels(QColor(self._theme.plot_background).rgb())
            pixels = np.where(has_found[:, None], pixels, pixels * FADED + background * (1 - FADED))
            self._paint_found(painter, left, has_found)
        red, green, blue = np.rint(pixels).astype(np.uint32).T
        packed = np.ascontiguousarray(0xFF000000 | red << 16 | green << 8 | blue, np.uint32)
        image = QImage(packed.data, len(packed), 1, QImage.Format.Format_RGB32)
        painter.drawImage(QRect(left, MARK_HEIGHT, right - left, BAND_HEIGHT), image)

    def _mixed(self, left: int, right: int) -> Floats:
        """The colours of the pixels, (n, 3): each is the mean of those of its steps, or of some of very many."""
        steps = self._span.sampled(left, right, MOST_MIXED)
        inside = (steps >= 0) & (steps < len(self._timeline))
        structures = self._timeline.structures[np.where(inside, steps, 0)]
        theme = self._theme
        colors = (*theme.structure_colors, theme.border, theme.plot_background)
        palette = np.stack([_channels(QColor(color).rgb()) for color in colors])
        unrecorded, outside = len(colors) - 2, len(colors) - 1
        numbers = np.where(structures == UNRECORDED, unrecorded, structures % len(theme.structure_colors))
        numbers = np.where(inside, numbers, outside) + np.arange(right - left)[:, None] * len(colors)
        counts = np.bincount(numbers.ravel(), minlength=(right - left) * len(colors)).reshape(-1, len(colors))
        mixed: Floats = counts @ palette / steps.shape[1]
        return mixed

    def _paint_found(self, painter: QPainter, left: int, has_found: NDArray[np.bool_]) -> None:
        """A bar below the band, a single step's wide enough to be seen."""
        top, color = self.height() - FOUND_HEIGHT, QColor(self._theme.selection)
        for first, last in stretches(has_found):
            painter.fillRect(left + first - 1, top, last - first + 3, FOUND_HEIGHT, color)

    def _paint_count(self, painter: QPainter, left: int, found: NDArray[np.int64]) -> None:
        if left < LEAST_COUNT_PX:
            return
        painter.setFont(text_font(self._theme.sizes.small_text))
        painter.setPen(QColor(self._theme.selection if len(found) else self._theme.muted_text))
        place = QRect(0, MARK_HEIGHT, left - 6, BAND_HEIGHT)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, fmt.count(len(found)))

    def _paint_ticks(
        self, painter: QPainter, steps: NDArray[np.int64], color: str, top_px: int, height_px: int
    ) -> None:
        """At the border before each of the steps."""
        left, right = round(self._span.left_px), round(self._span.right_px)
        for first, last in stretches(self._span.nearest(steps, left, right, shift=-0.5)):
            painter.fillRect(left + first, top_px, last - first + 1, height_px, QColor(color))

    def _paint_incidents(self, painter: QPainter) -> None:
        """A triangle that points into the step's band, with a rim so that it is seen on any colour."""
        steps = np.array(sorted(self._incidents), np.float64)
        places = np.unique(np.rint(np.asarray(self._span.px_at(steps))))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._theme.plot_background), 1.5))
        painter.setBrush(QColor(self._theme.error))
        for x_px in places.tolist():
            half, depth = INCIDENT_PX / 2, INCIDENT_PX
            painter.drawPolygon(QPolygonF([QPointF(x_px - half, 0), QPointF(x_px + half, 0), QPointF(x_px, depth)]))

    def _paint_hits(self, painter: QPainter, steps: NDArray[np.int64]) -> None:
        """A dot in the middle of the band, as editors have them beside a line."""
        self._begin_mark(painter, self._theme.breakpoint)
        for first, last in self._places(steps, HIT_PX):
            dot = QRectF(first - HIT_PX / 2, MARK_HEIGHT + (BAND_HEIGHT - HIT_PX) / 2, last - first + HIT_PX, HIT_PX)
            painter.drawRoundedRect(dot, HIT_PX / 2, HIT_PX / 2)

    def _paint_changes(self, painter: QPainter, steps: NDArray[np.int64]) -> None:
        """A diamond below the band."""
        self._begin_mark(painter, self._theme.text)
        half, middle = CHANGE_PX / 2, MARK_HEIGHT + BAND_HEIGHT + 4.0
        for first, last in self._places(steps, CHANGE_PX):
            corners = (
                (first - half, middle),
                (first, middle - half),
                (last, middle - half),
                (last + half, middle),
                (last, middle + half),
                (first, middle + half),
            )
            painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))

    def _begin_mark(self, painter: QPainter, color: str) -> None:
        """With a rim, so that it is seen on any colour."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._theme.plot_background), 1.5))
        painter.setBrush(QColor(color))

    def _places(self, steps: NDArray[np.int64], width_px: int) -> list[tuple[int, int]]:
        """The pixels, first to last, of steps and of such that are close to each other."""
        left, right = round(self._span.left_px) - width_px, round(self._span.right_px) + width_px
        found = stretches(self._span.nearest(steps, left, right), LEAST_GAP_PX)
        return [(left + first, left + last) for first, last in found]

    def _paint_frame(self, painter: QPainter, step: int, color: str, style: Qt.PenStyle) -> None:
        """A frame around a step, at least wide enough to be seen."""
        center = float(self._span.px_at(step))
        width = max(self._span.px_per_step, 4.0)
        frame = QRectF(center - width / 2, MARK_HEIGHT - 2.0, width, BAND_HEIGHT + 4.0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self._theme.plot_background), 4.0))
        painter.drawRect(frame)
        painter.setPen(QPen(QColor(color), 1.5, style))
        painter.drawRect(frame)


def _channels(rgb: int) -> Floats:
    """Red, green and blue of 0xffRRGGBB."""
    return np.array([rgb >> 16 & 0xFF, rgb >> 8 & 0xFF, rgb & 0xFF], float)
