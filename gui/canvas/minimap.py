"""The graph in a corner, with a frame around what the canvas shows. Of a long thin graph the surroundings of that."""

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.canvas.camera import Camera
from gui.canvas.geometry import Area
from gui.canvas.overview import Overview, overview, scale_of
from gui.canvas.renderer import Renderer

_LEAST_SIDE, _MOST_WIDTH, _LEAST_ROOM = 64, 176, 72
_INSET = 8.0
_LEAST_FRAME = 5.0
_REST_MS = 120
_AROUND = 1  # so many times the room on each side is pictured beyond what is shown


class Minimap(QWidget):
    """Shows a renderer's scene; pressing asks for a scene point to be centred, dragging moves on from there."""

    center_requested = Signal(float, float)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(self.tr("Overview of the graph"))
        self._renderer: Renderer | None = None
        self._view: Area = (0.0, 0.0, 0.0, 0.0)
        self._pixmap: QPixmap | None = None
        self._pictured = Camera()  # of the picture: what is at its top left
        self._grip: tuple[QPointF, QPointF] | None = None  # where it was pressed, and the scene point there
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

    def fit_into(self, width: int, height: int) -> None:
        """Take the shape of the graph within so many pixels: a tall graph gets a tall overview."""
        if self._renderer is None:
            return
        room = min(max(width, _LEAST_ROOM), _MOST_WIDTH), max(height, _LEAST_ROOM)
        inner = room[0] - 2 * _INSET, room[1] - 2 * _INSET
        size = self._renderer.scene.layout.size
        scale = scale_of(size, inner)
        sides = (round(min(length * scale, most) + 2 * _INSET) for length, most in zip(size, inner, strict=True))
        self.setFixedSize(*(max(side, _LEAST_SIDE) for side in sides))

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
        shown = self._overview().camera
        self._paint_picture(painter, self._renderer, shown)
        left, top = (place + _INSET for place in shown.to_view(self._view[0], self._view[1]))
        frame = _no_smaller(QRectF(left, top, self._view[2] * shown.scale, self._view[3] * shown.scale))
        soft = QColor(theme.accent)
        soft.setAlphaF(0.12)
        painter.setPen(QPen(QColor(theme.accent), 1.4))
        painter.setBrush(soft)
        painter.drawRoundedRect(frame.intersected(QRectF(self.rect()).adjusted(2, 2, -2, -2)), 3.0, 3.0)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        point = QPointF(*self._overview().camera.to_scene(position.x() - _INSET, position.y() - _INSET))
        self._grip = position, point
        self.center_requested.emit(point.x(), point.y())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None and event.buttons():
            (start, point), per_px = self._grip, self._overview().per_px
            moved = event.position() - start
            self.center_requested.emit(point.x() + moved.x() * per_px[0], point.y() + moved.y() * per_px[1])

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None

    def _room(self) -> tuple[float, float]:
        return self.width() - 2 * _INSET, self.height() - 2 * _INSET

    def _overview(self) -> Overview:
        assert self._renderer is not None
        return overview(self._renderer.scene.layout.size, self._view, self._room())

    def _paint_picture(self, painter: QPainter, renderer: Renderer, shown: Camera) -> None:
        """From a picture that reaches further up and down than what is shown, so that it lasts while the view moves."""
        width, height = self._room()
        before, ratio = self._pixmap, self.devicePixelRatioF()
        beyond = [(at - _AROUND * room / shown.scale) for at, room in ((shown.x, width), (shown.y, height))]
        left, top = self._pictured.to_view(shown.x, shown.y)
        is_within = 0 <= left <= 2 * _AROUND * width and 0 <= top <= 2 * _AROUND * height
        if (
            before is None
            or before.devicePixelRatioF() != ratio
            or self._pictured.scale != shown.scale
            or not is_within
        ):
            self._pictured = Camera(*beyond, shown.scale)
            self._pixmap = before = self._picture(renderer, (1 + 2 * _AROUND) * width, (1 + 2 * _AROUND) * height)
            left, top = _AROUND * width, _AROUND * height
        painter.save()
        painter.setClipRect(QRectF(1.0, 1.0, self.width() - 2.0, self.height() - 2.0))
        painter.drawPixmap(QPointF(round(_INSET - left), round(_INSET - top)), before)
        painter.restore()

    def _picture(self, renderer: Renderer, width: float, height: float) -> QPixmap:
        ratio, camera = self.devicePixelRatioF(), self._pictured
        pixmap = QPixmap(round(width * ratio), round(height * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.scale(camera.scale, camera.scale)
        painter.translate(-camera.x, -camera.y)
        renderer.paint(painter, camera.visible((width, height)), camera.scale)
        painter.end()
        return pixmap


def _no_smaller(frame: QRectF) -> QRectF:
    """The frame about the same centre, large enough to be seen."""
    width, height = max(frame.width(), _LEAST_FRAME), max(frame.height(), _LEAST_FRAME)
    center = frame.center()
    return QRectF(center.x() - width / 2, center.y() - height / 2, width, height)
