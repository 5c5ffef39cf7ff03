"""Two canvases that look at the same place of the same layout: where the one goes the other goes too."""

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QObject, Slot

from gui.canvas.camera import Camera
from gui.canvas.canvas import GraphCanvas


class LinkedCameras(QObject):
    """The middle and the zoom of both views are the same while it is on; `lead` is the one that is followed then."""

    def __init__(self, lead: GraphCanvas, other: GraphCanvas) -> None:
        super().__init__(lead)
        self._lead = lead
        self._other = other
        self._is_on = False
        self._is_moving = False
        lead.camera_changed.connect(self._follow_lead)
        other.camera_changed.connect(self._follow_other)
        lead.resized.connect(self._follow_lead)
        other.resized.connect(self._follow_lead)

    @property
    def is_on(self) -> bool:
        return self._is_on

    def set_on(self, is_on: bool) -> None:
        """Link or let go."""
        self._is_on = is_on
        self._follow_lead()

    @contextmanager
    def together(self) -> Iterator[None]:
        """While both are given other scenes neither follows the other; at the end the lead is followed."""
        self._is_moving = True
        yield
        self._is_moving = False
        self._follow_lead()

    @Slot()
    def _follow_lead(self) -> None:
        self._follow(self._lead, self._other)

    @Slot()
    def _follow_other(self) -> None:
        self._follow(self._other, self._lead)

    def _follow(self, leader: GraphCanvas, follower: GraphCanvas) -> None:
        """Not back again: the follower's own news is none."""
        are_shown = leader.scene is not None and follower.scene is not None
        if not self._is_on or self._is_moving or not are_shown:
            return
        self._is_moving = True
        follower.set_camera(same_middle(leader.camera, _size(leader), _size(follower)))
        self._is_moving = False


def same_middle(camera: Camera, viewport: tuple[int, int], other: tuple[int, int]) -> Camera:
    """The camera with the same zoom and the same scene point in the middle of a view of another size."""
    if viewport == other:
        return camera
    x, y, width, height = camera.visible(viewport)
    return camera.centered_on(x + width / 2, y + height / 2, other)


def _size(canvas: GraphCanvas) -> tuple[int, int]:
    return canvas.width(), canvas.height()
