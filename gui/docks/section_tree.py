"""A tree view for sections of rows: sections in bold over all columns, rows that lead somewhere as links."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyledItemDelegate, QStyleOptionViewItem, QTreeView

from gui.docks.tree_keys import TreeKeys
from gui.models.tree import KEY_ROLE, SectionModel
from gui.theme import Theme


class SectionTree(QTreeView):
    """Shows a `SectionModel` of two columns, everything expanded except what the user closed.

    The links are in column `link_column`.
    """

    key_activated = Signal(str)

    def __init__(self, model: SectionModel, theme: Theme, link_column: int = 1) -> None:
        super().__init__()
        self._sections = model
        self._link_column = link_column
        self._closed: set[str] = set()
        self._delegate = _Delegate(model, theme, link_column, self)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(12)
        self.setUniformRowHeights(True)
        self.setMouseTracking(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.header().setStretchLastSection(True)
        self.header().resizeSection(0, 118)
        TreeKeys(self)
        model.modelReset.connect(self._unfold)
        self.clicked.connect(self._on_clicked)
        self.activated.connect(self._on_activated)
        self.entered.connect(self._on_entered)
        self._unfold()

    def set_theme(self, theme: Theme) -> None:
        self._delegate.theme = theme
        self.viewport().update()

    @Slot()
    def _unfold(self) -> None:
        for row, block in enumerate(self._sections.blocks):
            self.setFirstColumnSpanned(row, QModelIndex(), True)
            self.setExpanded(self._sections.index(row, 0), _name(block.title) not in self._closed)

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        if self._sections.is_section(index):
            self._toggle(index)
        elif _is_link(index, self._link_column):
            self.key_activated.emit(index.data(KEY_ROLE))

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        key = index.data(KEY_ROLE)
        if key:
            self.key_activated.emit(key)

    @Slot(QModelIndex)
    def _on_entered(self, index: QModelIndex) -> None:
        leads = _is_link(index, self._link_column) or self._sections.is_section(index)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if leads else Qt.CursorShape.ArrowCursor)

    def _toggle(self, index: QModelIndex) -> None:
        first = index.siblingAtColumn(0)
        self.setExpanded(first, not self.isExpanded(first))
        self._closed.symmetric_difference_update({_name(self._sections.blocks[first.row()].title)})


class _Delegate(QStyledItemDelegate):
    def __init__(self, model: SectionModel, theme: Theme, link_column: int, parent: QTreeView) -> None:
        super().__init__(parent)
        self._sections = model
        self._link_column = link_column
        self.theme = theme

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        if self._sections.is_section(index):
            option.font.setWeight(QFont.Weight.DemiBold)
            color = self.theme.text
        elif _is_link(index, self._link_column):
            color = self.theme.link
        else:
            is_name = index.column() != self._link_column
            color = self.theme.muted_text if is_name else self.theme.text
        option.palette.setColor(QPalette.ColorRole.Text, QColor(color))
        option.palette.setColor(QPalette.ColorRole.HighlightedText, QColor(color))


def _is_link(index: QModelIndex | QPersistentModelIndex, link_column: int) -> bool:
    return index.column() == link_column and bool(index.data(KEY_ROLE))


def _name(title: str) -> str:
    """The title without a count, so that a closed section stays closed for the next node."""
    return title.partition(" (")[0]
