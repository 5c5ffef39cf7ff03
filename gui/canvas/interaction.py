"""What mouse, wheel, pinch and keyboard do to the canvas: an event filter, so that the widget itself only shows."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QHelpEvent, QKeyEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QToolTip

from gui.canvas.hit_testing import NOTHING, Hit
from gui.canvas.navigation import DOWN, LEFT, RIGHT, UP
from gui.canvas.pointer import Pointer
from gui.canvas.tooltip import tooltip_of

if TYPE_CHECKING:
    from gui.canvas.canvas import GraphCanvas

_WHEEL_ZOOM = 1.0015
_CHEVRON_WIDTH = 24.0  # in scene units
_ALONG = {Qt.Key.Key_Up: UP, Qt.Key.Key_Down: DOWN}
# With Shift: alone they are the way to the next step, and reach the canvas where there is none.
_ASIDE = {Qt.Key.Key_Left: LEFT, Qt.Key.Key_Right: RIGHT}
_SECOND = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier
_DRAGGING = (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton)


class Interaction(QObject):
    """Turns the events of one canvas into calls of its public methods.

    Dragging pans, with the space bar held from anywhere at once; a click selects, a click on a triangle or a double
    click opens and closes. A click with Shift or Ctrl chooses a second thing beside the selection.
    """

    _has_space = False  # of the class: the last events come when the garbage collector has taken the object's own

    def __init__(self, canvas: "GraphCanvas") -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._pointer = Pointer()
        self._press_has_toggled = False
        canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        handler = _HANDLERS.get(event.type())
        return handler is not None and handler(self, event)

    # -- mouse

    def _press(self, event: QMouseEvent) -> bool:
        self._press_has_toggled = False
        if event.button() == Qt.MouseButton.BackButton:
            self._canvas.back_requested.emit()
            return True
        if event.button() == Qt.MouseButton.ForwardButton:
            self._canvas.forward_requested.emit()
            return True
        if event.button() not in _DRAGGING:
            return False
        drags_at_once = self._has_space or event.button() == Qt.MouseButton.MiddleButton
        self._pointer.press(event.position(), drags_at_once)
        if drags_at_once:
            self._canvas.setCursor(Qt.CursorShape.ClosedHandCursor)
        return True

    def _move(self, event: QMouseEvent) -> bool:
        if not self._pointer.is_down:
            self._hover_at(event.position())
            return True
        step = self._pointer.move(event.position())
        if step is not None:
            self._canvas.setCursor(Qt.CursorShape.ClosedHandCursor)
            self._canvas.pan(step.x(), step.y())
        return True

    def _release(self, event: QMouseEvent) -> bool:
        is_click = self._pointer.release()
        self._reset_cursor()
        if is_click and event.modifiers() & _SECOND:
            self._canvas.second_chosen.emit(self._canvas.key_of(self._canvas.hit_at(event.position())))
        elif is_click:
            self._click(event.position())
        return True

    def _double_click(self, event: QMouseEvent) -> bool:
        if event.button() == Qt.MouseButton.LeftButton and not self._press_has_toggled and not self._has_space:
            self._canvas.activate(self._canvas.key_of(self._canvas.hit_at(event.position())))
        return True

    def _click(self, position: QPointF) -> None:
        canvas = self._canvas
        found = canvas.hit_at(position)
        if found.what == "link":
            canvas.select_link(found.index)
            return
        key = canvas.key_of(found)
        canvas.select(key)
        if key and self._is_on_chevron(found, position):
            # The second press of a double click would undo it.
            self._press_has_toggled = True
            canvas.activate(key)

    def _is_on_chevron(self, found: Hit, position: QPointF) -> bool:
        """Whether a point is on the little triangle that opens or closes a module."""
        scene = self._canvas.scene
        if scene is None or (found.what == "box" and not scene.boxes[found.index].can_open):
            return False
        rect = self._canvas.rect_of(self._canvas.key_of(found))
        return rect is not None and self._canvas.camera.to_scene(position.x(), 0.0)[0] - rect[0] < _CHEVRON_WIDTH

    def _hover_at(self, position: QPointF) -> None:
        found = NOTHING if self._has_space else self._canvas.hit_at(position)
        if self._canvas.set_hover(found):
            self._reset_cursor(can_click=found != NOTHING)

    def _reset_cursor(self, can_click: bool = False) -> None:
        if self._has_space:
            self._canvas.setCursor(Qt.CursorShape.OpenHandCursor)
        elif can_click:
            self._canvas.setCursor(Qt.CursorShape.PointingHandCursor)
        else:
            self._canvas.unsetCursor()

    def _leave(self, event: QEvent) -> bool:
        self._canvas.set_hover(NOTHING)
        return False

    def _wheel(self, event: QWheelEvent) -> bool:
        delta = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._canvas.pan((delta.x() or delta.y()) / 2, 0.0)
        else:
            self._canvas.zoom_by(_WHEEL_ZOOM ** delta.y(), event.position())
        event.accept()
        return True

    def _pinch(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() != Qt.NativeGestureType.ZoomNativeGesture:
            return False
        self._canvas.zoom_by(1.0 + event.value(), event.position())
        return True

    def _ask_for_menu(self, event: QContextMenuEvent) -> bool:
        """With the mouse what is under it is meant, with the keyboard what is selected."""
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            self._canvas.select(self._canvas.key_of(self._canvas.hit_at(QPointF(event.pos()))))
        self._canvas.menu_requested.emit(event.globalPos())
        return True

    def _show_tooltip(self, event: QHelpEvent) -> bool:
        found, scene = self._canvas.hit_at(QPointF(event.pos())), self._canvas.scene
        if scene is None or found.what != "box":
            QToolTip.hideText()
        else:
            box = scene.boxes[found.index]
            text = tooltip_of(box, scene.graph, scene.fit.copies_of(box.fold))
            QToolTip.showText(event.globalPos(), text, self._canvas)
        return True

    # -- keyboard

    def _key_press(self, event: QKeyEvent) -> bool:
        canvas, key = self._canvas, Qt.Key(event.key())
        commands = {
            Qt.Key.Key_F: canvas.fit,
            Qt.Key.Key_Z: canvas.zoom_to_selection,
            Qt.Key.Key_Plus: canvas.zoom_in,
            Qt.Key.Key_Equal: canvas.zoom_in,
            Qt.Key.Key_Minus: canvas.zoom_out,
            Qt.Key.Key_0: canvas.zoom_to_actual_size,
        }
        is_plain = not event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        if is_plain and key in commands:
            commands[key]()
        elif is_plain and key in _ALONG:
            canvas.walk(_ALONG[key])
        elif is_plain and key in _ASIDE and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            canvas.walk(_ASIDE[key])
        elif is_plain and key == Qt.Key.Key_Space:
            self._hold_space(True)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and canvas.selected_key:
            canvas.activate(canvas.selected_key)
        elif key == Qt.Key.Key_Escape and canvas.highlight is not None:
            canvas.highlight_dismissed.emit()
        elif key == Qt.Key.Key_Escape and canvas.progress.isVisible():
            canvas.cancel_requested.emit()
        elif key == Qt.Key.Key_Escape and canvas.selection:
            canvas.select("")
        else:
            return False
        return True

    def _key_release(self, event: QKeyEvent) -> bool:
        if event.key() != Qt.Key.Key_Space or event.isAutoRepeat():
            return False
        self._hold_space(False)
        return True

    def _focus_out(self, event: QEvent) -> bool:
        """The release of the space bar goes elsewhere."""
        self._hold_space(False)
        return False

    def _hold_space(self, is_held: bool) -> None:
        if is_held == self._has_space:
            return
        self._has_space = is_held
        self._canvas.set_hover(NOTHING)
        if not self._pointer.is_down:
            self._reset_cursor()


_HANDLERS: dict[QEvent.Type, Callable[[Interaction, Any], bool]] = {
    QEvent.Type.MouseButtonPress: Interaction._press,
    QEvent.Type.MouseMove: Interaction._move,
    QEvent.Type.MouseButtonRelease: Interaction._release,
    QEvent.Type.MouseButtonDblClick: Interaction._double_click,
    QEvent.Type.Wheel: Interaction._wheel,
    QEvent.Type.KeyPress: Interaction._key_press,
    QEvent.Type.KeyRelease: Interaction._key_release,
    QEvent.Type.Leave: Interaction._leave,
    QEvent.Type.FocusOut: Interaction._focus_out,
    QEvent.Type.ToolTip: Interaction._show_tooltip,
    QEvent.Type.ContextMenu: Interaction._ask_for_menu,
    QEvent.Type.NativeGesture: Interaction._pinch,
}
