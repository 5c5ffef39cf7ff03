"""The context menu of a box of the graph, and of the rows of trees and tables that stand for one."""

from PySide6.QtCore import QObject, QPoint, Qt, Slot
from PySide6.QtWidgets import QAbstractItemView, QMenu, QWidget

from gui.actions import Actions
from gui.models.tree import KEY_ROLE
from gui.session import Session

ALWAYS = ("toggle_call", "focus", "zoom_selection", "open_source")
BREAK = ("break_module_ran", "break_module_not_run", "break_op_appears", "break_structure_is")
CHANGE = ("freeze", "unfreeze")


class GraphMenu(QObject):
    """What is clicked is selected first, so that the actions are about it."""

    def __init__(self, session: Session, actions: Actions, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._actions, self._window = session, actions, window

    def attach(self, view: QAbstractItemView) -> None:
        """Gives a view, whose rows have keys, the menu."""
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._open_in_view)

    @Slot(QPoint)
    def open_at(self, place: QPoint) -> None:
        """Shows the menu of the selection at a place of the screen."""
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    def menu(self) -> QMenu:
        """What can be done with the selection; what cannot be is left out, but for how to change the training."""
        menu = QMenu(self._window)
        for names in (ALWAYS, BREAK):
            for name in names:
                if self._actions[name].isEnabled():
                    menu.addAction(self._actions[name])
            menu.addSeparator()
        if self._session.selection:
            for name in CHANGE:
                menu.addAction(self._actions[name])
        return menu

    @Slot(QPoint)
    def _open_in_view(self, place: QPoint) -> None:
        view = self.sender()
        if not isinstance(view, QAbstractItemView):
            return
        index = view.indexAt(place)
        key = (index if index.isValid() else view.currentIndex()).data(KEY_ROLE)
        if key:
            self._session.select(key)
            self.open_at(view.viewport().mapToGlobal(place))
