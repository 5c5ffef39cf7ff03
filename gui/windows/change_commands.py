"""What the actions do that change a paused training: freeze, unfreeze, undo, redo."""

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from gui.actions import Actions
from gui.breakpoint_hints import trainable_of
from gui.live_changes import LiveChanges
from gui.session import Session


class ChangeCommands(QObject):
    """The texts of undo and redo say what of."""

    def __init__(self, actions: Actions, session: Session, changes: LiveChanges, window: QWidget) -> None:
        super().__init__(window)
        self._actions, self._session, self._changes = actions, session, changes
        stack = changes.undo_stack
        actions["undo"].triggered.connect(stack.undo)
        actions["redo"].triggered.connect(stack.redo)
        actions["freeze"].triggered.connect(self._freeze)
        actions["unfreeze"].triggered.connect(self._unfreeze)
        stack.indexChanged.connect(self._refresh)
        for fact in (changes.changed, session.selection_changed, session.drawing_changed, session.run_state_changed):
            fact.connect(self._refresh)
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        actions, stack = self._actions, self._changes.undo_stack
        for name, text, can, of in (
            ("undo", self.tr("Undo"), stack.canUndo(), stack.undoText()),
            ("redo", self.tr("Redo"), stack.canRedo(), stack.redoText()),
        ):
            actions[name].setText(f"{text} {of}".strip())
            actions[name].setEnabled(can and self._changes.can_change)
        name = trainable_of(self._session.drawing, self._session.selection)
        for verb, text in (("freeze", self.tr("Freeze {0}")), ("unfreeze", self.tr("Unfreeze {0}"))):
            actions[verb].setText(text.format(name).strip())
            actions[verb].setEnabled(bool(name) and self._changes.can_change)

    @Slot()
    def _freeze(self) -> None:
        self._set_trainable(False)

    @Slot()
    def _unfreeze(self) -> None:
        self._set_trainable(True)

    def _set_trainable(self, is_trainable: bool) -> None:
        name = trainable_of(self._session.drawing, self._session.selection)
        if name:
            self._changes.set_trainable((name,), is_trainable)
