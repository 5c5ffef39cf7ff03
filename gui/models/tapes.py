"""Recent tapes as a list: name, when it was last written, how large."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QAbstractListModel, QModelIndex, Qt

from gui import format as fmt
from gui.models.tree import Index
from gui.plain_text import plain_tip

PATH_ROLE = Qt.ItemDataRole.UserRole
DETAIL_ROLE = Qt.ItemDataRole.UserRole + 1
_ROOT = QModelIndex()


class TapeListModel(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._tapes: tuple[tuple[Path, str], ...] = ()

    def set_tapes(self, paths: Sequence[Path]) -> None:
        self.beginResetModel()
        self._tapes = tuple((path, _detail(path)) for path in paths if path.is_file())
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._tapes)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        path, detail = self._tapes[index.row()]
        values = {
            int(Qt.ItemDataRole.DisplayRole): path.stem,
            int(Qt.ItemDataRole.ToolTipRole): plain_tip(str(path)),
            int(PATH_ROLE): str(path),
            int(DETAIL_ROLE): detail,
        }
        return values.get(int(role))


def _detail(path: Path) -> str:
    facts = path.stat()
    size = f"{facts.st_size / 1e6:.1f} MB" if facts.st_size >= 1e5 else f"{facts.st_size / 1e3:.0f} kB"
    return f"{fmt.date(facts.st_mtime)}  ·  {size}  ·  {path.parent}"
