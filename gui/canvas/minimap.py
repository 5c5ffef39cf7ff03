"""The whole graph in a corner, with a frame around what the canvas shows."""

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.canvas.camera import Camera, fitted
from gui.canvas.geometry import Area
from gui.canvas.renderer import Renderer

_LEAST_SIDE, _MOST_WIDTH, _LEAST_ROOM = 64, 176, 72
_INSET = 8.0
_LEAST_FRAME = 5.0
_REST_MS = 120


class Minimap(QWidget):
    """Shows a renderer's scene as a whole; pressing or dragging asks for a scene point to be centred."""

    center_requested = Signal(float, float)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(self.tr("Overview of the graph"))
        self._renderer: Renderer | None = None
        self._view: Area = (0.0, 0.0, 0.0, 0.0)
        self._pixmap: QPixmap | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._repaint)

    def set_renderer(self, renderer: Renderer | None) -> None:
        """Show another scene. Of the same layout the last picture stands in until the steps come to rest."""
        before, self._renderer = self._renderer, renderer
        if before is not None and renderer is not None and before.figure is renderer.figure:
            self._rest.start()
            return
        self._repaint()

    def _repaint(self) -> None:
        self._rest.stop()
        self._pixmap = None
        self.update()

    def fit_into(self, height: int) -> None:
        """Take the shape of the graph within so many pixels: a tall graph gets a tall overview."""
        if self._renderer is None:
            return
        room = max(height, _LEAST_ROOM)
        inner = _MOST_WIDTH - 2 * _INSET, room - 2 * _INSET
        width, height = self._renderer.scene.layout.size
        scale = min(inner[0] / max(width, 1.0), inner[1] / max(height, 1.0))
        sides = round(width * scale + 2 * _INSET), round(height * scale + 2 * _INSET)
        self.setFixedSize(max(sides[0], _LEAST_SIDE), max(sides[1], _LEAST_SIDE))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._pixmap = None

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
        frame = _no_smaller(QRectF(left, top, self._view[2] * camera.scale, self._view[3] * camera.scale))
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
        room = (self.width() - 2 * _INSET, self.height() - 2 * _INSET)
        size = self._renderer.scene.layout.size
        camera = fitted((0.0, 0.0, *size), room, margin_px=0.0)
        return camera.panned(_INSET, _INSET)

    def _picture(self, renderer: Renderer) -> QPixmap:
        ratio = self.devicePixelRatioF()
        if self._pixmap is None or self._pixmap.devicePixelRatioF() != ratio:
            self._pixmap = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
            self._pixmap.setDevicePixelRatio(ratio)
            self._pixmap.fill(Qt.GlobalColor.transparent)
            camera = self._camera()
            painter = QPainter(self._pixmap)
            painter.scale(camera.scale, camera.scale)
            painter.translate(-camera.x, -camera.y)
            renderer.paint(painter, camera.visible((self.width(), self.height())), camera.scale)
            painter.end()
        return self._pixmap


def _no_smaller(frame: QRectF) -> QRectF:
    """The frame about the same centre, large enough to be seen."""
    width, height = max(frame.width(), _LEAST_FRAME), max(frame.height(), _LEAST_FRAME)
    center = frame.center()
    return QRectF(center.x() - width / 2, center.y() - height / 2, width, height)
