"""Moves a canvas's camera smoothly to where the user asked to look."""

from PySide6.QtCore import QEasingCurve, QObject, QVariantAnimation, Slot

from gui.canvas.camera import Camera
from gui.canvas.canvas import GraphCanvas
from gui.canvas.look import between

DURATION_MS = 240


class Flight(QObject):
    """One flight at a time; a user who moves the camera meanwhile ends it."""

    def __init__(self, canvas: GraphCanvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._start = self._end = self._last = canvas.camera
        self._clock = QVariantAnimation(self)
        self._clock.setStartValue(0.0)
        self._clock.setEndValue(1.0)
        self._clock.setDuration(DURATION_MS)
        self._clock.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._clock.valueChanged.connect(self._move)

    def to(self, camera: Camera) -> None:
        """Fly there; be there at once where the canvas does not animate, or is not in view."""
        canvas = self._canvas
        self._clock.stop()
        if not (canvas.animates and canvas.isVisible()):
            canvas.set_camera(camera)
            return
        self._start = self._last = canvas.camera
        self._end = camera
        self._clock.start()

    @property
    def destination(self) -> Camera:
        """Where the canvas looks, or will when it has arrived."""
        is_flying = self._clock.state() == QVariantAnimation.State.Running
        return self._end if is_flying else self._canvas.camera

    @Slot(object)
    def _move(self, share: float) -> None:
        canvas = self._canvas
        if canvas.camera != self._last:
            self._clock.stop()
            return
        is_there = share >= 1.0
        viewport = float(canvas.width()), float(canvas.height())
        self._last = self._end if is_there else between(self._start, self._end, share, viewport)
        canvas.set_camera(self._last)
