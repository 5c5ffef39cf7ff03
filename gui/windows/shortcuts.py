"""The list of keyboard shortcuts, menu by menu, with a field to find one."""

from PySide6.QtCore import QModelIndex, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHeaderView, QLineEdit, QTreeView, QVBoxLayout, QWidget

from gui.actions import Actions
from gui.models.shortcuts import GRAPH_KEYS, ShortcutModel
from gui.windows.menus import by_menu

SIZE_PX = (620, 720)


class ShortcutsDialog(QDialog):
    def __init__(self, actions: Actions, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.resize(*SIZE_PX)
        self.model = ShortcutModel(by_menu(actions), GRAPH_KEYS)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Find an action or a key"))
        self.filter.setClearButtonEnabled(True)
        self._list = _list_of(self.model)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setIcon(QIcon())  # the style's own is a cross, which none of the app's other buttons have
        close.setAutoDefault(False)  # Return in the field closes nothing
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        for widget in (self.filter, self._list, buttons):
            column.addWidget(widget)
        self.filter.textChanged.connect(self.model.set_filter)
        self.model.modelReset.connect(self._unfold)
        self._unfold()

    @Slot()
    def _unfold(self) -> None:
        for row in range(self.model.rowCount()):
            self._list.setFirstColumnSpanned(row, QModelIndex(), True)
        self._list.expandAll()


def _list_of(model: ShortcutModel) -> QTreeView:
    view = QTreeView()
    view.setModel(model)
    view.setRootIsDecorated(False)
    view.setItemsExpandable(False)
    view.setIndentation(12)
    view.setUniformRowHeights(True)
    view.header().setStretchLastSection(False)
    view.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    view.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
    return view
