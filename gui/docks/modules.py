"""The module calls of the shown step as a tree; selecting one selects it in the graph, a double click goes there."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSignalBlocker, Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
)

from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.tree_keys import TreeKeys
from gui.models.modules import ModuleModel
from gui.models.tree import KEY_ROLE
from gui.session import Session

MOST_OPENED = 1_000
MOST_NARROW_PX = 24
OPS_FROM_PX = 110
"""In a tree narrower than this the numbers give their room to the names."""
LEAST_CLASS_PX = 44
"""Where names and numbers leave less than this the classes are not shown; the tooltips say them."""


class ModulesDock(Dock):
    REFRESH_MSECS = 54

    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self.model = ModuleModel()
        self.tree = ModuleTree(self.model)
        super().__init__("modules", ModulesDock.tr("Modules"), self.tree)
        self.model.setParent(self)
        self._closed: set[str] = set()
        self._opened_folds: set[str] = set()
        self.model.modelReset.connect(self._unfold)
        self.tree.collapsed.connect(self._note_closed)
        self.tree.expanded.connect(self._note_opened)
        self.tree.selectionModel().currentChanged.connect(self._on_current_changed)
        self.tree.doubleClicked.connect(self._on_activated)
        self.tree.activated.connect(self._on_activated)
        session.drawing_changed.connect(self.refresh_soon)
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
        if key and self.tree.currentIndex().data(KEY_ROLE) == key:
            return
        index = self.model.find(key) if key else QModelIndex()
        if self.model.is_fold(index.parent()) and not self.tree.isExpanded(index.parent()):
            index = index.parent()
        if index != self.tree.currentIndex().siblingAtColumn(0):
            self.tree.setCurrentIndex(index)
            if not index.isValid():
                self.tree.selectionModel().clearSelection()

    @Slot()
    def _unfold(self) -> None:
        """Opens everything that the user did not close, but for the calls of loops. Of thousands only the outermost is
        opened."""
        with QSignalBlocker(self.tree):  # it is not the user who opens them
            if len(self.model) <= MOST_OPENED:
                self.tree.expandAll()
            else:
                self.tree.expandToDepth(0)
        for key in self._closed:
            index = self.model.find(key)
            if index.isValid():
                self.tree.collapse(index)
        for index in self.model.folds():
            self.tree.setExpanded(index, index.data(KEY_ROLE) in self._opened_folds)

    @Slot(QModelIndex)
    def _note_closed(self, index: QModelIndex) -> None:
        if self.model.is_fold(index):
            self._opened_folds.discard(index.data(KEY_ROLE))
        else:
            self._closed.add(index.data(KEY_ROLE))

    @Slot(QModelIndex)
    def _note_opened(self, index: QModelIndex) -> None:
        if self.model.is_fold(index):
            self._opened_folds.add(index.data(KEY_ROLE))
        else:
            self._closed.discard(index.data(KEY_ROLE))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        key = current.data(KEY_ROLE)
        if key and self.tree.hasFocus():
            self._session.select(key)

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        self._session.reveal(index.data(KEY_ROLE))


class ModuleTree(QTreeView):
    """As wide as its dock, whatever the names: the names get what the numbers need not, the classes what is left."""

    def __init__(self, model: ModuleModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self.setExpandsOnDoubleClick(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Module calls"))
        self.setItemDelegateForColumn(1, _CutAtTheEnd(self))
        TreeKeys(self)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(MOST_NARROW_PX)
        header.setResizeContentsPrecision(0)  # nothing out of sight is measured
        for section, mode in enumerate((QHeaderView.ResizeMode.Stretch, *2 * (QHeaderView.ResizeMode.Fixed,))):
            header.setSectionResizeMode(section, mode)
        model.modelReset.connect(self.fit_columns)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit_columns()

    @Slot()
    def fit_columns(self) -> None:
        """Measures the rows in sight only: there may be thousands."""
        width = self.viewport().width()
        self._show(2, width >= OPS_FROM_PX)
        ops = 0 if self.isColumnHidden(2) else max(self.sizeHintForColumn(2), self.header().sectionSizeHint(2))
        wanted = max(self.sizeHintForColumn(1), self.header().sectionSizeHint(1))
        left = width - ops - max(self.sizeHintForColumn(0), self.header().sectionSizeHint(0))
        self._show(1, left >= min(wanted, LEAST_CLASS_PX))
        for section, size in ((1, min(wanted, left)), (2, ops)):
            if not self.isColumnHidden(section) and self.columnWidth(section) != size:
                self.header().resizeSection(section, size)

    def _show(self, section: int, is_shown: bool) -> None:
        if self.isColumnHidden(section) == is_shown:
            self.setColumnHidden(section, not is_shown)


class _CutAtTheEnd(QStyledItemDelegate):
    """A class is known by its beginning; a name's end tells it from its neighbours'."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideRight  # type: ignore[attr-defined]
