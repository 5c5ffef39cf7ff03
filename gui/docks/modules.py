"""The module calls of the shown step as a tree; selecting one selects it in the graph, a double click goes there."""

from PySide6.QtCore import QModelIndex, Qt, Slot
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView

from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.tree_keys import TreeKeys
from gui.models.modules import ModuleModel
from gui.models.tree import KEY_ROLE
from gui.session import Session


class ModulesDock(Dock):
    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self.model = ModuleModel()
        self.tree = _module_tree(self.model)
        super().__init__("modules", ModulesDock.tr("Modules"), self.tree)
        self.model.setParent(self)
        self._closed: set[str] = set()
        self.model.modelReset.connect(self._unfold)
        self.tree.collapsed.connect(self._note_closed)
        self.tree.expanded.connect(self._note_opened)
        self.tree.selectionModel().currentChanged.connect(self._on_current_changed)
        self.tree.doubleClicked.connect(self._on_activated)
        self.tree.activated.connect(self._on_activated)
        session.drawing_changed.connect(self.refresh)
        session.selection_changed.connect(self._select)

    @Slot()
    def refresh(self) -> None:
        if not self.isVisible():
            return
        drawing = self._session.drawing
        self.model.set_graph(drawing.graph if drawing is not None else None)
        self._select(self._session.selection)

    @Slot(str)
    def _select(self, key: str) -> None:
        index = self.model.find(key) if key else QModelIndex()
        if index != self.tree.currentIndex().siblingAtColumn(0):
            self.tree.setCurrentIndex(index)
            if not index.isValid():
                self.tree.selectionModel().clearSelection()

    @Slot()
    def _unfold(self) -> None:
        """Opens everything that the user did not close; hundreds of calls of a loop stay readable as rows."""
        self.tree.expandAll()
        for key in self._closed:
            index = self.model.find(key)
            if index.isValid():
                self.tree.collapse(index)

    @Slot(QModelIndex)
    def _note_closed(self, index: QModelIndex) -> None:
        self._closed.add(index.data(KEY_ROLE))

    @Slot(QModelIndex)
    def _note_opened(self, index: QModelIndex) -> None:
        self._closed.discard(index.data(KEY_ROLE))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        key = current.data(KEY_ROLE)
        if key and self.tree.hasFocus():
            self._session.select(key)

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        self._session.reveal(index.data(KEY_ROLE))


def _module_tree(model: ModuleModel) -> QTreeView:
    tree = QTreeView()
    tree.setModel(model)
    tree.setUniformRowHeights(True)
    tree.setIndentation(14)
    tree.setExpandsOnDoubleClick(False)
    tree.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    tree.setTextElideMode(Qt.TextElideMode.ElideRight)
    tree.setAccessibleName(tree.tr("Module calls"))
    TreeKeys(tree)
    header = tree.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
    return tree
