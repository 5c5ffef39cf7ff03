"""The scalars of a tape: which of them are plotted, and their value at the shown step."""

from collections.abc import Iterable

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QColor

from gui import format as fmt
from gui.models.tree import Index
from gui.plain_text import plain_tip

VALUE_ROLE = Qt.ItemDataRole.UserRole + 1
_ROOT = QModelIndex()


class ScalarModel(QAbstractListModel):
    """Names in order of appearance, "loss" first. A row is checkable; its colour is the curve's."""

    shown_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._names: list[str] = []
        self._shown: set[str] = set()
        self._values: dict[str, float] = {}
        self._colors: tuple[str, ...] = ("#808080",)

    @property
    def shown(self) -> tuple[str, ...]:
        """The checked names, in their order."""
        return tuple(name for name in self._names if name in self._shown)

    def color(self, name: str) -> str:
        return self._colors[self._names.index(name) % len(self._colors)]

    def clear(self) -> None:
        self.beginResetModel()
        self._names, self._shown, self._values = [], set(), {}
        self.endResetModel()
        self.shown_changed.emit()

    def add(self, names: Iterable[str]) -> None:
        """Appends the names not known yet; the first scalar of all, and "loss", are shown at once."""
        for name in names:
            if name not in self._names:
                self._insert(name)

    def set_values(self, values: dict[str, float]) -> None:
        """The numbers at the shown step; a name without one has no value there."""
        if values != self._values:
            self._values = dict(values)
            self._refresh(VALUE_ROLE)

    def set_colors(self, colors: tuple[str, ...]) -> None:
        self._colors = colors
        self._refresh(Qt.ItemDataRole.DecorationRole)

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._names)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        name = self._names[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return name if role == Qt.ItemDataRole.DisplayRole else plain_tip(name)
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if name in self._shown else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole:
            return QColor(self.color(name))
        if role == VALUE_ROLE:
            return fmt.number(self._values[name]) if name in self._values else "–"
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if not index.isValid() or role != Qt.ItemDataRole.CheckStateRole:
            return False
        name = self._names[index.row()]
        is_shown = Qt.CheckState(value) == Qt.CheckState.Checked
        if is_shown == (name in self._shown):
            return True
        self._shown.symmetric_difference_update({name})
        self.dataChanged.emit(index, index, [Qt.ItemDataRole.CheckStateRole])
        self.shown_changed.emit()
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable

    def _insert(self, name: str) -> None:
        row = 0 if name == "loss" else len(self._names)
        self.beginInsertRows(QModelIndex(), row, row)
        self._names.insert(row, name)
        self.endInsertRows()
        if name == "loss" or len(self._names) == 1:
            self._shown = {name}
            self.shown_changed.emit()

    def _refresh(self, role: int) -> None:
        if self._names:
            self.dataChanged.emit(self.index(0), self.index(len(self._names) - 1), [role])
