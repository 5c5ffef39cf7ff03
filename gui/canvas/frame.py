"""The last picture of the graph, a little larger than the view: panning is one copy, zooming one scaled copy.

What lies under the boxes is kept as a picture of its own: in new colours only the boxes are painted again.
"""

import time

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPixmap

from gui.canvas.camera import Camera
from gui.canvas.renderer import Renderer

MARGIN_PX = 160
# A picture that takes longer than this is scaled while the zoom changes, and painted anew when it rests.
_SLOW_SECS = 0.014


class Frame:
    """A cached picture and the camera it was taken with. GUI thread only, as QPixmap is."""

    def __init__(self) -> None:
        self._pixmap: QPixmap | None = None
        self._ground: QPixmap | None = None
        self._renderer: Renderer | None = None
        self._is_stale = True
        self._camera = Camera()
        self._viewport = (0, 0)
        self._pixel_ratio = 1.0
        self.is_slow = False

    def clear(self) -> None:
        """Forget the picture."""
        self._pixmap = self._ground = self._renderer = None

    def outdate(self) -> None:
        """The scene has changed: the picture is to be painted anew, as far as it differs."""
        self._is_stale = True

    def can_stand_in(self, viewport: tuple[int, int], pixel_ratio: float) -> bool:
        """Whether there is a picture that may be shown scaled or shifted for a moment."""
        return self._pixmap is not None and (self._viewport, self._pixel_ratio) == (viewport, pixel_ratio)

    def is_sharp(self, camera: Camera, viewport: tuple[int, int], pixel_ratio: float) -> bool:
        """Whether the picture covers the view of this camera pixel by pixel."""
        if self._is_stale or not self.can_stand_in(viewport, pixel_ratio) or camera.scale != self._camera.scale:
            return False
        dx, dy = self._camera.to_view(camera.x, camera.y)
        return abs(dx) <= MARGIN_PX and abs(dy) <= MARGIN_PX

    def render(self, renderer: Renderer, camera: Camera, viewport: tuple[int, int], pixel_ratio: float) -> None:
        """Take the picture anew."""
        started = time.perf_counter()
        width, height = viewport[0] + 2 * MARGIN_PX, viewport[1] + 2 * MARGIN_PX
        size = QSize(round(width * pixel_ratio), round(height * pixel_ratio))
        wide = camera.panned(MARGIN_PX, MARGIN_PX)
        area = wide.visible((width, height))
        if not self._has_ground(renderer, camera, size, pixel_ratio):
            self._ground = _sized(self._ground, size, pixel_ratio)
            self._ground.fill(QColor(renderer.theme.canvas))
            painter = _looking(self._ground, wide)
            renderer.paint_ground(painter, area, wide.scale)
            painter.end()
        assert self._ground is not None
        self._pixmap = _sized(self._pixmap, size, pixel_ratio)
        painter = QPainter(self._pixmap)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawPixmap(0, 0, self._ground)
        painter.end()
        painter = _looking(self._pixmap, wide)
        renderer.paint_front(painter, area, wide.scale)
        painter.end()
        self._renderer, self._is_stale = renderer, False
        self._camera, self._viewport, self._pixel_ratio = camera, viewport, pixel_ratio
        self.is_slow = time.perf_counter() - started > _SLOW_SECS

    def _has_ground(self, renderer: Renderer, camera: Camera, size: QSize, pixel_ratio: float) -> bool:
        return (
            self._ground is not None
            and self._renderer is not None
            and (self._ground.size(), self._pixel_ratio, self._camera) == (size, pixel_ratio, camera)
            and renderer.has_ground_of(self._renderer)
        )

    def draw(self, painter: QPainter, camera: Camera) -> None:
        """Copy the picture to where this camera sees it; scaled, if the zoom differs."""
        assert self._pixmap is not None
        factor = camera.scale / self._camera.scale
        corner = self._camera.to_scene(-MARGIN_PX, -MARGIN_PX)
        x, y = camera.to_view(*corner)
        if factor == 1.0:
            # On whole device pixels, or the copy would be blurred.
            x, y = round(x * self._pixel_ratio) / self._pixel_ratio, round(y * self._pixel_ratio) / self._pixel_ratio
        width, height = self._viewport[0] + 2 * MARGIN_PX, self._viewport[1] + 2 * MARGIN_PX
        target = QRectF(x, y, width * factor, height * factor)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, factor != 1.0)
        painter.drawPixmap(target, self._pixmap, QRectF(self._pixmap.rect()))


def _sized(pixmap: QPixmap | None, size: QSize, pixel_ratio: float) -> QPixmap:
    """A pixmap of that size, the one there is if it will do."""
    if pixmap is None or pixmap.size() != size:
        pixmap = QPixmap(size)
    pixmap.setDevicePixelRatio(pixel_ratio)
    return pixmap


def _looking(pixmap: QPixmap, camera: Camera) -> QPainter:
    painter = QPainter(pixmap)
    painter.scale(camera.scale, camera.scale)
    painter.translate(-camera.x, -camera.y)
    return painter
