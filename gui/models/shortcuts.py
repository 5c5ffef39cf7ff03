"""Every action that has a shortcut, with the shortcut: what the help dialog lists."""

from collections.abc import Iterable

from PySide6.QtCore import QAbstractTableModel, QModelIndex, Qt
from PySide6.QtGui import QAction, QKeySequence

from gui.models.tree import Index

_ROOT = QModelIndex()


GRAPH_KEYS = (
    ("Graph: along links", "Up   Down"),
    ("Graph: to the side", "Shift+Left   Shift+Right"),
    ("Graph: beside the selection, then on", "Tab   Shift+Tab"),
    ("Graph: open or close", "Return"),
    ("Graph: path to another box", "Shift+Click   Ctrl+Click"),
    ("Graph: clear, then leave the focus", "Esc"),
)
"""What the graph itself understands, without an action."""


class ShortcutModel(QAbstractTableModel):
    """`more` are keys without an action: what they do, and which they are."""

    def __init__(self, actions: Iterable[QAction], more: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__()
        rows = [(action.text().rstrip("…"), _keys(action)) for action in actions if action.shortcuts()]
        self._rows = [*rows, *((self.tr(what), self.tr(keys)) for what, keys in more)]

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else 2

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if index.isValid() and role == Qt.ItemDataRole.DisplayRole:
            return self._rows[index.row()][index.column()]
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Action"), self.tr("Keys"))[section]
        return None


def _keys(action: QAction) -> str:
    native = QKeySequence.SequenceFormat.NativeText
    return "   ".join(keys.toString(native) for keys in action.shortcuts())
