"""What lies over the canvas at its edges, each keeping clear of the rest: legend, overview, how far a layout is."""

from PySide6.QtWidgets import QWidget

from gui.canvas.camera import Camera, Size
from gui.canvas.geometry import Area, rows_in
from gui.canvas.legend_panel import LegendPanel
from gui.canvas.minimap import Minimap
from gui.canvas.progress_pill import ProgressPill
from gui.theme import Theme
from tracer.layout.result import Layout

SMALL_PX = 480, 360
"""A canvas narrower or lower than this shows of the legend only the title until one asks for more."""
TINY_PX = 280, 200
"""One narrower or lower than this has no room for an overview."""


class Corners:
    """The children of one canvas, and where they stand."""

    def __init__(self, theme: Theme, canvas: QWidget) -> None:
        self._canvas = canvas
        self._margin = theme.sizes.margin
        self.covered_px = 0  # at the top right corner, by what lies over the canvas
        self._is_minimap_left = False
        self._is_small = self._is_crowded = False
        self.minimap = Minimap(canvas)
        self.minimap.hide()
        self.legend = LegendPanel(theme, canvas)
        self.progress = ProgressPill(theme, canvas)

    def place(self, wants_minimap: bool) -> None:
        """Each where it belongs at the canvas's size."""
        self._place_minimap()
        self.minimap.setVisible(wants_minimap and not self._is_below(TINY_PX))
        if self._is_below(SMALL_PX) != self._is_small:
            self._tuck()
        self._place_legend()
        self.place_progress()

    def place_progress(self) -> None:
        """In the middle of the lower edge."""
        pill, canvas = self.progress, self._canvas
        pill.move((canvas.width() - pill.width()) // 2, canvas.height() - pill.height() - self._margin)

    def covered(self) -> tuple[Size, Size]:
        """What legend and overview take of the right corners, upper and lower, in pixels, with their margins."""
        self._fit_minimap()
        legend = self.legend.full_size()
        sizes = (legend[0], legend[1] + self.covered_px), (self.minimap.width(), self.minimap.height())
        upper, lower = ((width + 2.0 * self._margin, height + 2.0 * self._margin) for width, height in sizes)
        return (upper if legend[0] else (0.0, 0.0)), ((0.0, 0.0) if self._is_below(TINY_PX) else lower)

    def settle(self, layout: Layout, camera: Camera) -> None:
        """At the first look: the overview in that lower corner, of two, where it covers less; where the legend would
        lie on boxes only its title shows."""
        canvas, minimap, legend = self._canvas, self.minimap, self.legend
        top = canvas.height() - self._margin - minimap.height()
        sides = (canvas.width() - self._margin - minimap.width(), self._margin)
        crowds = [_boxes_under(layout, camera, (x, top, minimap.width(), minimap.height())) for x in sides]
        self._is_minimap_left = crowds[1] < crowds[0]
        width, height = legend.full_size()
        area = canvas.width() - self._margin - width, self.covered_px + self._margin, width, height
        self._is_crowded = bool(width and _boxes_under(layout, camera, area))
        self._tuck()

    def _tuck(self) -> None:
        self._is_small = self._is_below(SMALL_PX)
        self.legend.tuck(self._is_small or self._is_crowded)

    def _is_below(self, size_px: tuple[int, int]) -> bool:
        return self._canvas.width() < size_px[0] or self._canvas.height() < size_px[1]

    def _fit_minimap(self) -> None:
        self.minimap.fit_into(self._canvas.width() // 3, self._canvas.height() // 4)

    def _place_minimap(self) -> None:
        """In a lower corner, up to a third as wide and a quarter as high as the view."""
        canvas, minimap = self._canvas, self.minimap
        self._fit_minimap()
        x = self._margin if self._is_minimap_left else canvas.width() - self._margin - minimap.width()
        minimap.move(x, canvas.height() - self._margin - minimap.height())

    def _place_legend(self) -> None:
        """In the upper right corner, away from where one starts to read; not where it would meet the minimap."""
        margin = self._margin
        is_above_minimap = self.minimap.isVisible() and not self._is_minimap_left
        minimap_px = self.minimap.height() + margin if is_above_minimap else 0
        self.legend.fit_into(self._canvas.height() - self.covered_px - minimap_px - 2 * margin)
        self.legend.move(self._canvas.width() - margin - self.legend.width(), self.covered_px + margin)


def _boxes_under(layout: Layout, camera: Camera, area_px: Area) -> int:
    """How many boxes show in a part of the view."""
    x, y = camera.to_scene(area_px[0], area_px[1])
    return len(rows_in(layout.boxes, (x, y, area_px[2] / camera.scale, area_px[3] / camera.scale)))
