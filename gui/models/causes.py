"""The causes of what differs, one a row: the sentence, and the line of the user's source that made it."""

from collections.abc import Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from gui import format as fmt
from gui.plain_text import plain_tip
from tracer import Cause
from tracer.model.source_paths import short_path

CAUSE_ROLE = Qt.ItemDataRole.UserRole
"""The `Cause` of a row, None for the last one where there are more than are shown."""
MOST_CAUSES = 50

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class CauseModel(QAbstractTableModel):
    """Read-only; those about one module stand together, in the order of the first of each."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._causes: tuple[Cause, ...] = ()
        self._rows: tuple[tuple[str, str, str], ...] = ()

    def set_causes(self, causes: Sequence[Cause], folder: str = "") -> None:
        shown = _by_module(causes)[:MOST_CAUSES]
        rows = [(cause.text, *_place(cause, folder)) for cause in shown]
        if len(causes) > len(shown):
            rows.append((f"and {fmt.count(len(causes) - len(shown))} more", "", ""))
        if shown != self._causes or tuple(rows) != self._rows:
            self.beginResetModel()
            self._causes, self._rows = shown, tuple(rows)
            self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else 2

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        if role == CAUSE_ROLE:
            return self._causes[index.row()] if index.row() < len(self._causes) else None
        sentence, line, path = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return line if index.column() else sentence
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(path if index.column() else sentence) or None
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Why", "Line")[section]
        return None


def _place(cause: Cause, folder: str) -> tuple[str, str]:
    """File and line, and the same with the path; nothing where the sentence says them."""
    if cause.source is None:
        return "", ""
    path = f"{short_path(cause.source.file, folder)}:{cause.source.line}"
    is_said = cause.text.startswith(path.rpartition(":")[0]) or cause.kind == "broken off"
    return ("", "") if is_said else (path.rpartition("/")[2], path)


def _by_module(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    order: dict[str | None, int] = {}
    for cause in causes:
        order.setdefault(cause.module, len(order))
    return tuple(sorted(causes, key=lambda cause: order[cause.module]))
