"""A table of what was measured: text and numbers in columns, sorted and filtered here, over arrays.

A proxy model would ask for every cell in Python to sort it: seconds for 100,000 operators. Here it is one `argsort`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PySide6.QtGui import QColor

from gui.models.tree import KEY_ROLE, Index
from gui.plain_text import plain_tip

_ROOT = QModelIndex()
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """`values` is float64 (rows,), right-aligned and sorted as numbers, or texts. `text` says how one reads on screen;
    a cell for which `is_alarming` holds stands out; `widest` is a text as wide as any number gets."""

    title: str
    values: Numbers | Sequence[str]
    text: Callable[[Any], str] = str
    tip: str = ""
    is_alarming: Callable[[Any], bool] | None = None
    widest: str = ""

    @property
    def is_number(self) -> bool:
        return isinstance(self.values, np.ndarray)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """`keys` are what the rows lead to, (rows,): nodes or module calls; "" for nothing."""

    keys: Sequence[str]
    columns: tuple[Column, ...]


class MeasuredModel(QAbstractTableModel):
    """Read-only. Rows stand in the order given until a column is sorted by; NaN comes last in either order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = Rows((), ())
        self._order: NDArray[np.intp] = np.empty(0, np.intp)
        self._sorted_by, self._is_descending = -1, False
        self._filter = ""
        self._searched: list[str] | None = None
        self._alarm_color = "#c4320a"

    @property
    def count(self) -> int:
        """All rows, those that the filter hides as well."""
        return len(self._rows.keys)

    def set_rows(self, rows: Rows) -> None:
        """Of the same things as before only the numbers change: selection and place in the table stay."""
        is_same = rows.keys == self._rows.keys and _titles(rows) == _titles(self._rows)
        if not is_same:
            self.beginResetModel()
            self._rows, self._searched = rows, None
            self._order = self._ordered()
            self.endResetModel()
            return
        self._rows, self._searched = rows, None
        self._reorder()
        if len(self._order):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._order) - 1, self.columnCount() - 1))

    def set_filter(self, text: str) -> None:
        """Shows only rows one of whose texts contains all the words."""
        if text.casefold() != self._filter:
            self.beginResetModel()
            self._filter = text.casefold()
            self._order = self._ordered()
            self.endResetModel()

    def set_alarm_color(self, color: str) -> None:
        self._alarm_color = color
        if len(self._order):
            last = self.index(len(self._order) - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last, [Qt.ItemDataRole.ForegroundRole])

    def find(self, key: str) -> QModelIndex:
        """The first shown row that leads to a key; invalid where there is none."""
        if not key or key not in self._rows.keys:
            return QModelIndex()
        rows = enumerate(self._order.tolist())
        place = next((place for place, row in rows if self._rows.keys[row] == key), None)
        return self.index(place, 0) if place is not None else QModelIndex()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; -1 for the order given."""
        self._sorted_by, self._is_descending = column, order == Qt.SortOrder.DescendingOrder
        self._reorder()

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = int(self._order[index.row()])
        if role == KEY_ROLE:
            return self._rows.keys[row] or None
        column = self._rows.columns[index.column()]
        value = column.values[row]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(value)
        if role == Qt.ItemDataRole.ToolTipRole:
            return None if column.is_number else plain_tip(str(value))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole and column.is_alarming is not None and column.is_alarming(value):
            return QColor(self._alarm_color)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self._rows.columns):
            return None
        column = self._rows.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or None
        return _alignment(column) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def _reorder(self) -> None:
        self.layoutAboutToBeChanged.emit()
        kept = self.persistentIndexList()
        rows = [int(self._order[index.row()]) for index in kept]
        self._order = self._ordered()
        places = np.empty(self.count, np.intp)
        places[self._order] = np.arange(len(self._order))
        self.changePersistentIndexList(
            kept,
            [self.index(int(places[row]), index.column()) for row, index in zip(rows, kept, strict=True)],
        )
        self.layoutChanged.emit()

    def _ordered(self) -> NDArray[np.intp]:
        shown = np.arange(self.count)
        if self._filter:
            words = self._filter.split()
            shown = np.array(
                [row for row, text in enumerate(self._texts()) if all(word in text for word in words)], np.intp
            )
        if not 0 <= self._sorted_by < len(self._rows.columns):
            return shown
        return shown[_sorted(self._rows.columns[self._sorted_by], shown, self._is_descending)]

    def _texts(self) -> list[str]:
        """What the filter searches, by row."""
        if self._searched is None:
            columns = [column for column in self._rows.columns if not column.is_number]
            texts = [[column.text(value) for value in column.values] for column in columns]
            self._searched = [" ".join(parts).casefold() for parts in zip(*texts, strict=True)]
        return self._searched


def _sorted(column: Column, rows: NDArray[np.intp], is_descending: bool) -> NDArray[np.intp]:
    """Places in `rows`; equal ones keep their order."""
    if isinstance(column.values, np.ndarray):
        values = column.values[rows]
        return np.argsort(-values if is_descending else values, kind="stable")  # numpy puts NaN last
    texts = [str(column.values[row]).casefold() for row in rows.tolist()]
    return np.array(sorted(range(len(texts)), key=texts.__getitem__, reverse=is_descending), np.intp)


def _titles(rows: Rows) -> list[str]:
    return [column.title for column in rows.columns]


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.is_number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
