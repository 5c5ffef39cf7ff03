"""What lies over the canvas at its edges, each keeping clear of the rest: legend, overview, how far a layout is."""

from PySide6.QtWidgets import QWidget

from gui.canvas.legend_panel import LegendPanel
from gui.canvas.minimap import Minimap
from gui.canvas.progress_pill import ProgressPill
from gui.theme import Theme


class Corners:
    """The children of one canvas, and where they stand."""

    def __init__(self, theme: Theme, canvas: QWidget) -> None:
        self._canvas = canvas
        self._margin = theme.sizes.margin
        self.covered_px = 0  # at the top right corner, by what lies over the canvas
        self.minimap = Minimap(canvas)
        self.minimap.hide()
        self.legend = LegendPanel(theme, canvas)
        self.progress = ProgressPill(theme, canvas)

    def place(self, wants_minimap: bool) -> None:
        """Each where it belongs at the canvas's size."""
        self._place_minimap()
        self.minimap.setVisible(wants_minimap)
        self._place_legend()
        self.place_progress()

    def place_progress(self) -> None:
        """In the middle of the lower edge."""
        pill, canvas = self.progress, self._canvas
        pill.move((canvas.width() - pill.width()) // 2, canvas.height() - pill.height() - self._margin)

    def covered(self) -> tuple[float, float]:
        """What the legend takes of the upper right corner, in pixels, with its margins."""
        width, height = self.legend.covered()
        return (width + 2.0 * self._margin, height + 2.0 * self._margin) if width else (0.0, 0.0)

    def _place_minimap(self) -> None:
        """In the lower right corner, up to a third as high as the view."""
        canvas, minimap = self._canvas, self.minimap
        minimap.fit_into(canvas.height() // 3)
        minimap.move(canvas.width() - self._margin - minimap.width(), canvas.height() - self._margin - minimap.height())

    def _place_legend(self) -> None:
        """In the upper right corner, away from where one starts to read; not where it would meet the minimap."""
        margin = self._margin
        minimap_px = self.minimap.height() + margin if self.minimap.isVisible() else 0
        self.legend.fit_into(self._canvas.height() - self.covered_px - minimap_px - 2 * margin)
        self.legend.move(self._canvas.width() - margin - self.legend.width(), self.covered_px + margin)
