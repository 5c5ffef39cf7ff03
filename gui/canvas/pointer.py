"""The mouse button held down: a click as long as it stays where it is, a drag from then on."""

from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication


class Pointer:
    """Follows one press from beginning to end. Positions are in view pixels."""

    def __init__(self) -> None:
        self._pressed_at: QPointF | None = None
        self._dragged_to: QPointF | None = None

    @property
    def is_down(self) -> bool:
        return self._pressed_at is not None

    def press(self, position: QPointF, drags_at_once: bool) -> None:
        """The button went down; the middle one drags at once, the left one once it has moved far enough."""
        self._pressed_at = position
        self._dragged_to = position if drags_at_once else None

    def move(self, position: QPointF) -> QPointF | None:
        """How far the content is dragged by this move; None while it may still become a click."""
        if self._dragged_to is None:
            if self._pressed_at is None:
                return None
            if (position - self._pressed_at).manhattanLength() < QApplication.startDragDistance():
                return None
            self._dragged_to = self._pressed_at
        step = position - self._dragged_to
        self._dragged_to = position
        return step

    def release(self) -> bool:
        """The button went up; says whether that was a click."""
        is_click = self._pressed_at is not None and self._dragged_to is None
        self._pressed_at = self._dragged_to = None
        return is_click
