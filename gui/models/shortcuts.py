"""Every action that has a shortcut, with the shortcut, menu by menu: what the help dialog lists."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QFont, QKeySequence

from gui.models.tree import Block, Index, Row, SectionModel

GRAPH_KEYS = (
    ("Along links", "Up   Down"),
    ("To the side", "Shift+Left   Shift+Right"),
    ("Beside the selection, then on", "Tab   Shift+Tab"),
    ("Open or close", "Return"),
    ("Path to another box", "Shift+Click   Ctrl+Click"),
    ("Clear, then leave the focus", "Esc"),
)
"""What the graph itself understands, without an action."""


class ShortcutModel(SectionModel):
    """Sections of what is done and with which keys; `set_filter` keeps those in which all its words occur."""

    def __init__(self, groups: Iterable[tuple[str, Sequence[QAction]]], more: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__((self.tr("Action"), self.tr("Keys")))
        sections = [(title, [_row(action) for action in actions if action.shortcuts()]) for title, actions in groups]
        sections.append((self.tr("In the graph"), [Row((self.tr(what), self.tr(keys))) for what, keys in more]))
        self._all = tuple(Block(title, tuple(rows)) for title, rows in sections if rows)
        self.set_blocks(self._all)

    def set_filter(self, text: str) -> None:
        words = text.casefold().split()
        kept = (Block(block.title, tuple(row for row in block.rows if _has(row, words))) for block in self._all)
        self.set_blocks(tuple(block for block in kept if block.rows))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.FontRole and self.is_section(index):
            font = QFont()
            font.setWeight(QFont.Weight.DemiBold)
            return font
        return super().data(index, role)


def _row(action: QAction) -> Row:
    native = QKeySequence.SequenceFormat.NativeText
    return Row((action.text().rstrip("…"), "   ".join(keys.toString(native) for keys in action.shortcuts())))


def _has(row: Row, words: Sequence[str]) -> bool:
    text = " ".join(row.texts).casefold()
    return all(word in text for word in words)
