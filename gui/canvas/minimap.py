"""The whole graph in a corner, with a frame around what the canvas shows."""

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from gui.canvas.camera import Camera, fitted
from gui.canvas.geometry import Area
from gui.canvas.renderer import Renderer

_WIDTH, _HEIGHT = 168, 128
_INSET = 8.0


class Minimap(QWidget):
    """Shows a renderer's scene as a whole; pressing or dragging asks for a scene point to be centred."""

    center_requested = Signal(float, float)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(_WIDTH, _HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(self.tr("Overview of the graph"))
        self._renderer: Renderer | None = None
        self._view: Area = (0.0, 0.0, 0.0, 0.0)
        self._pixmap: QPixmap | None = None

    def set_renderer(self, renderer: Renderer | None) -> None:
        """Show another scene."""
        self._renderer = renderer
        self._pixmap = None
        self.update()

    def set_view(self, area: Area) -> None:
        """Frame another part of the scene."""
        if area != self._view:
            self._view = area
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._renderer is None:
            return
        theme = self._renderer.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(QColor(theme.border), 1.0))
        painter.setBrush(QColor(theme.panel))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8.0, 8.0)
        painter.drawPixmap(0, 0, self._picture(self._renderer))
        camera = self._camera()
        left, top = camera.to_view(self._view[0], self._view[1])
        frame = QRectF(left, top, self._view[2] * camera.scale, self._view[3] * camera.scale)
        soft = QColor(theme.accent)
        soft.setAlphaF(0.12)
        painter.setPen(QPen(QColor(theme.accent), 1.4))
        painter.setBrush(soft)
        painter.drawRoundedRect(frame.intersected(QRectF(self.rect()).adjusted(2, 2, -2, -2)), 3.0, 3.0)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._request(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._request(event.position())

    def _request(self, position: QPointF) -> None:
        self.center_requested.emit(*self._camera().to_scene(position.x(), position.y()))

    def _camera(self) -> Camera:
        """The whole scene inside the inset."""
        assert self._renderer is not None
        room = (_WIDTH - 2 * _INSET, _HEIGHT - 2 * _INSET)
        size = self._renderer.scene.layout.size
        camera = fitted((0.0, 0.0, *size), room, margin_px=0.0)
        return camera.panned(_INSET, _INSET)

    def _picture(self, renderer: Renderer) -> QPixmap:
        ratio = self.devicePixelRatioF()
        if self._pixmap is None or self._pixmap.devicePixelRatioF() != ratio:
            self._pixmap = QPixmap(round(_WIDTH * ratio), round(_HEIGHT * ratio))
            self._pixmap.setDevicePixelRatio(ratio)
            self._pixmap.fill(Qt.GlobalColor.transparent)
            camera = self._camera()
            painter = QPainter(self._pixmap)
            painter.scale(camera.scale, camera.scale)
            painter.translate(-camera.x, -camera.y)
            renderer.paint(painter, camera.visible((_WIDTH, _HEIGHT)), camera.scale)
            painter.end()
        return self._pixmap
