"""Left and Right open and close the rows of a tree that has the focus, although elsewhere they change the step."""

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QTreeView


class TreeKeys(QObject):
    """Claims the two keys for `tree` before the window's shortcuts get them."""

    def __init__(self, tree: QTreeView) -> None:
        super().__init__(tree)
        tree.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        is_override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if is_override and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and not _has_modifier(event):
            event.accept()
            return True
        return super().eventFilter(watched, event)


def _has_modifier(event: QKeyEvent) -> bool:
    return bool(event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier)
