"""A widget that looks at a scene through a camera: zoom, pan, and who is told of it."""

from PySide6.QtCore import QPointF, QRectF, QTimer, Signal
from PySide6.QtWidgets import QWidget

from gui.canvas.camera import Camera

_ZOOM_STEP = 1.25
_REST_MS = 90


class CameraView(QWidget):
    """What is looked at, and how large. A subclass paints it, and says in `_view_changed` what else depends on it."""

    zoom_changed = Signal(float)
    camera_changed = Signal(object)  # Camera

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._camera = self._told_camera = Camera()
        self._has_moved = False  # by the user: from then on the camera is theirs
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self.update)

    @property
    def camera(self) -> Camera:
        """What part of the scene is looked at, and how large."""
        return self._camera

    @property
    def is_zooming(self) -> bool:
        """Whether the zoom changed a moment ago."""
        return self._rest.isActive()

    def set_camera(self, camera: Camera) -> None:
        """Look where another canvas with the same layout looks."""
        self._has_moved = True
        if camera != self._camera:
            self._set_camera(camera)

    def zoom_in(self) -> None:
        self.zoom_by(_ZOOM_STEP)

    def zoom_out(self) -> None:
        self.zoom_by(1 / _ZOOM_STEP)

    def zoom_to_actual_size(self) -> None:
        """100 %: one scene unit is one pixel."""
        self.zoom_by(1 / self._camera.scale)

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom at a pixel, at the middle without one."""
        point = QRectF(self.rect()).center() if at is None else at
        self._set_camera(self._camera.zoomed(factor, (point.x(), point.y())))

    def pan(self, dx: float, dy: float) -> None:
        """Move the content by so many pixels."""
        self._set_camera(self._camera.panned(dx, dy))

    def _center_on_point(self, x: float, y: float) -> None:
        self._set_camera(self._camera.centered_on(x, y, self._viewport()))

    def _set_camera(self, camera: Camera) -> None:
        """Look elsewhere because the user wants to."""
        self._has_moved = True
        has_zoomed = camera.scale != self._camera.scale
        self._camera = camera
        if has_zoomed:
            self._rest.start()
            self.zoom_changed.emit(camera.scale)
        self._view_changed()

    def _view_changed(self) -> None:
        self.update()
        if self._camera != self._told_camera:
            self._told_camera = self._camera
            self.camera_changed.emit(self._camera)

    def _viewport(self) -> tuple[int, int]:
        return self.width(), self.height()
