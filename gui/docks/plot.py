"""One curve over the steps: a pyqtgraph plot that thins its data itself and hands every click to the timeline."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np
import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent, MouseDragEvent
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPen

from gui.fonts import text_font
from gui.series import Series
from gui.theme import Theme

AXIS_WIDTH_PX = 58
"""The same for all plots, so that equal steps stand under each other."""
TITLE_ROOM = 3.0


class StepAxis(pg.AxisItem):
    """Whole steps only, thousands apart."""

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [f"{int(value):,}" if float(value).is_integer() else "" for value in values]


class ScrubBox(pg.ViewBox):
    """Left button: pick a step, by click or drag; a double click shows all steps. Wheel: zoom in time. Middle button:
    pan."""

    scrubbed = Signal(float)
    whole_requested = Signal()

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=True, y=False)

    def mouseClickEvent(self, event: MouseClickEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        event.accept()
        if event.double():
            self.whole_requested.emit()
        else:
            self.scrubbed.emit(self.mapSceneToView(event.scenePos()).x())

    def mouseDragEvent(self, event: MouseDragEvent, axis: int | None = None) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.scrubbed.emit(self.mapSceneToView(event.scenePos()).x())
        else:
            super().mouseDragEvent(event, axis)


class ScalarPlot(pg.PlotItem):
    """A titled curve with a cursor. `show_series` draws what the current range needs."""

    def __init__(self, name: str, theme: Theme, color: str) -> None:
        self.box = ScrubBox()
        super().__init__(viewBox=self.box, axisItems={"bottom": StepAxis("bottom")})
        self.name = name
        self._curve = pg.PlotCurveItem()
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._title = pg.LabelItem(escape(name), justify="left")
        self._title.setParentItem(self.box)
        self._title.setZValue(1)  # over a curve that fills its plot
        self.addItem(self._curve, ignoreBounds=True)
        self.addItem(self._cursor, ignoreBounds=True)
        self.hideButtons()
        self.getAxis("left").setWidth(AXIS_WIDTH_PX)
        self.setContentsMargins(0, 0, 0, 0)
        self.dress(theme, color)

    def dress(self, theme: Theme, color: str) -> None:
        self._curve.setPen(pg.mkPen(color, width=1))
        self._cursor.setPen(pg.mkPen(theme.plot_cursor, width=1))
        name = f'<span style="background-color: {theme.plot_background}">{escape(self.name)}</span>'
        self._title.setText(name, color=theme.muted_text, size="11px")
        self._title.setPos(8, 2)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(theme.border))
            axis.setTextPen(pg.mkPen(theme.plot_axis))
            axis.setTickPen(pg.mkPen(theme.plot_grid))
            axis.setStyle(tickFont=text_font(theme.sizes.small_text), tickLength=-4, tickTextOffset=5)
        self.getAxis("left").setGrid(60)
        self.getAxis("bottom").setGrid(False)

    def set_place(self, is_first: bool, is_last: bool) -> None:
        """Only the lowest of several plots needs the steps below it; those after the first are low."""
        is_shown = is_last
        self.getAxis("left").setStyle(maxTickLevel=2 if is_first else 0)
        self.getAxis("bottom").setStyle(showValues=is_shown)
        self.getAxis("bottom").setHeight(None if is_shown else 0)

    def show_series(self, series: Series, first: float, last: float) -> None:
        steps, values = series.thinned(first, last, max(int(self.box.width()), 1))
        finite = np.isfinite(values)
        self._curve.setData(steps, values, connect="all" if finite.all() else "finite")
        if finite.any():
            self._set_value_range(float(values[finite].min()), float(values[finite].max()))

    def set_cursor(self, step: int) -> None:
        self._cursor.setVisible(step >= 0)
        self._cursor.setPos(step)

    @property
    def pen(self) -> QPen:
        return self._curve.opts["pen"]

    def _set_value_range(self, low: float, high: float) -> None:
        if math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-300):
            margin = abs(low) * 0.5 or 1.0
        else:
            margin = (high - low) * 0.08
        # More room above: the curve's name stands there.
        self.box.setYRange(low - margin, high + TITLE_ROOM * margin, padding=0)
