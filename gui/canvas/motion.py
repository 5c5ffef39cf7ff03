"""What drives the way from one layout to the next: a clock, and the transition it runs."""

from PySide6.QtCore import QEasingCurve, QObject, QVariantAnimation, Signal
from PySide6.QtGui import QPainter

from gui.canvas.animation import DURATION_MS, Transition
from gui.canvas.camera import Camera


class Motion(QObject):
    """Runs one transition at a time; `moved` asks for the next moment to be painted, and once more at the end."""

    moved = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._transition: Transition | None = None
        self._clock = QVariantAnimation(self)
        self._clock.setStartValue(0.0)
        self._clock.setEndValue(1.0)
        self._clock.setDuration(DURATION_MS)
        self._clock.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._clock.valueChanged.connect(self.moved)
        self._clock.finished.connect(self.stop)

    @property
    def is_running(self) -> bool:
        return self._transition is not None

    def start(self, transition: Transition) -> None:
        self._transition = transition
        self._clock.start()

    def stop(self) -> None:
        """Be at the end at once."""
        self._clock.stop()
        self._transition = None
        self.moved.emit()

    def paint(self, painter: QPainter, camera: Camera, viewport: tuple[int, int]) -> None:
        """Paint the moment that the clock shows."""
        if self._transition is None:
            return
        painter.save()
        painter.scale(camera.scale, camera.scale)
        painter.translate(-camera.x, -camera.y)
        progress = float(self._clock.currentValue())
        self._transition.paint(painter, camera.visible(viewport), camera.scale, progress)
        painter.restore()
