"""The plots of the chosen scalars below each other, over the same steps."""

from collections.abc import Callable, Sequence

import pyqtgraph as pg
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame

from gui.docks.plot import ScalarPlot
from gui.series import Series
from gui.theme import Theme

LEAD_STRETCH = 3
"""How many times higher the first plot is than each further one."""


class PlotStack(pg.GraphicsLayoutWidget):
    """`follows` says whether all steps are shown; zooming in ends it, zooming out again begins it."""

    scrubbed = Signal(float)  # the place on the axis of steps that was clicked or dragged to
    view_changed = Signal()  # zoomed, panned or resized: what is drawn no longer fits

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.plots: dict[str, ScalarPlot] = {}
        self._theme = theme
        self._follows = True
        self._step_count = 0
        self.ci.layout.setContentsMargins(0, 4, 0, 0)
        self.ci.layout.setSpacing(0)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMinimumHeight(80)

    def start_over(self) -> None:
        self._follows = True

    def set_names(self, names: Sequence[str], color_of: Callable[[str], str]) -> None:
        """Makes the plots anew, one for each name, over the steps that were in view."""
        span = self.span
        self.ci.clear()
        self.plots = {}
        for row, name in enumerate(names):
            plot = ScalarPlot(name, self._theme, color_of(name))
            plot.set_place(is_first=row == 0, is_last=row == len(names) - 1)
            plot.box.scrubbed.connect(self.scrubbed)
            self.ci.addItem(plot, row, 0)
            self.ci.layout.setRowStretchFactor(row, LEAD_STRETCH if row == 0 else 1)
            self.plots[name] = plot
        self._link()
        if self._lead is not None and span is not None:
            self._lead.box.setXRange(*span[:2], padding=0)
        elif self._lead is not None:
            self._follows = True

    def draw(self, series: dict[str, Series], step_count: int) -> None:
        """Draws what the range of steps needs; all of them while nobody zoomed."""
        lead = self._lead
        if lead is None:
            return
        self._step_count = step_count
        if self._follows:
            lead.box.setXRange(-0.5, max(step_count - 0.5, 1.5), padding=0)
        first, last = lead.box.viewRange()[0]
        for name, plot in self.plots.items():
            plot.show_series(series[name], first, last)

    def set_cursor(self, step: int) -> None:
        for plot in self.plots.values():
            plot.set_cursor(step)

    @property
    def span(self) -> tuple[float, float, float, float] | None:
        """First and last step in view, and the pixels they stand at, of the first plot; None without plots."""
        lead = self._lead
        if lead is None:
            return None
        (first, last), area = lead.box.viewRange()[0], lead.box.sceneBoundingRect()
        return first, last, area.left(), area.right()

    def dress(self, theme: Theme, color_of: Callable[[str], str]) -> None:
        self._theme = theme
        self.setBackground(theme.plot_background)
        for name, plot in self.plots.items():
            plot.dress(theme, color_of(name))

    @property
    def _lead(self) -> ScalarPlot | None:
        return next(iter(self.plots.values()), None)

    def _link(self) -> None:
        plots = list(self.plots.values())
        for plot in plots[1:]:
            plot.setXLink(plots[0])
        if plots:
            plots[0].box.sigXRangeChanged.connect(self.view_changed)
            plots[0].box.sigResized.connect(self.view_changed)
            plots[0].box.sigRangeChangedManually.connect(self._on_zoomed)
        for plot in plots:
            plot.box.whole_requested.connect(self.show_all)

    @Slot()
    def show_all(self) -> None:
        """Back to all steps, and those to come."""
        self._follows = True
        self.view_changed.emit()

    @Slot(object)
    def _on_zoomed(self, _mask: object) -> None:
        if self._lead is not None:
            first, last = self._lead.box.viewRange()[0]
            self._follows = first <= 0 and last >= self._step_count - 1
