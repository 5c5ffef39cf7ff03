"""A two-level Qt model: titled sections over rows. The inspector and the list of changes are both of this form."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from gui.plain_text import plain_tip

KEY_ROLE = Qt.ItemDataRole.UserRole
"""The node, module call or edge that a row stands for or leads to; "" or None for none."""

Index = QModelIndex | QPersistentModelIndex
_SECTION = 0xFFFF_FFFF
_ROOT = QModelIndex()


@dataclass(frozen=True, slots=True)
class Row:
    """Texts by column, and the key the row leads to."""

    texts: tuple[str, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A section: its title, shown over all columns, and its rows."""

    title: str
    rows: tuple[Row, ...]


class SectionModel(QAbstractItemModel):
    """Read-only; `set_blocks` replaces everything, or only the texts where the form is the same."""

    def __init__(self, headers: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._headers = tuple(headers)
        self._blocks: tuple[Block, ...] = ()

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self._blocks

    def set_blocks(self, blocks: tuple[Block, ...]) -> None:
        if blocks == self._blocks:
            return
        if _form(blocks) != _form(self._blocks):
            self.beginResetModel()
            self._blocks = blocks
            self.endResetModel()
            return
        self._blocks = blocks
        for number, block in enumerate(blocks):
            section = self.index(number, 0)
            last = self.index(len(block.rows) - 1, self.columnCount() - 1, section)
            self.dataChanged.emit(self.index(0, 0, section), last)

    def is_section(self, index: Index) -> bool:
        return index.isValid() and index.internalId() == _SECTION

    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, parent.row() if parent.isValid() else _SECTION)

    def parent(self, index: Index = _ROOT) -> QModelIndex:  # type: ignore[override]
        if not index.isValid() or self.is_section(index):
            return QModelIndex()
        return self.createIndex(index.internalId(), 0, _SECTION)

    def rowCount(self, parent: Index = _ROOT) -> int:
        if not parent.isValid():
            return len(self._blocks)
        if self.is_section(parent) and parent.column() == 0:
            return len(self._blocks[parent.row()].rows)
        return 0

    def columnCount(self, parent: Index = _ROOT) -> int:
        return len(self._headers)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        if self.is_section(index):
            is_title = role == Qt.ItemDataRole.DisplayRole and index.column() == 0
            return self._blocks[index.row()].title if is_title else None
        row = self._blocks[index.internalId()].rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            text = row.texts[index.column()]
            return text if role == Qt.ItemDataRole.DisplayRole else plain_tip(text)
        return (row.key or None) if role == KEY_ROLE else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._headers[section]
        return None


def _form(blocks: tuple[Block, ...]) -> list[tuple[str, int]]:
    return [(block.title, len(block.rows)) for block in blocks]
