"""What changed from the step shown before to the one shown now, as lists of keys that lead to the graph."""

from collections.abc import Iterable

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHeaderView

from gui import format as fmt
from gui.appearance import Appearance
from gui.docks.dock import Dock
from gui.docks.section_tree import SectionTree
from gui.models.tree import Block, Row, SectionModel
from gui.session import Session
from tracer import GraphDiff

MOST_ROWS = 500


class ChangesDock(Dock):
    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self.model = SectionModel(("Node", "Change"))
        self.tree = SectionTree(self.model, appearance.theme, link_column=0)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        super().__init__("changes", ChangesDock.tr("Changes"), self.tree)
        self.model.setParent(self)
        self.tree.setAccessibleName(self.tr("Changed nodes"))
        appearance.theme_changed.connect(self.tree.set_theme)
        session.drawing_changed.connect(self.refresh)
        self.tree.key_activated.connect(session.reveal)

    @Slot()
    def refresh(self) -> None:
        if not self.isVisible():
            return
        drawing = self._session.drawing
        if drawing is None or drawing.diff is None:
            self.model.set_blocks(())
            return
        self.model.set_blocks(change_blocks(drawing.diff, drawing.question.compared_step))


def change_blocks(diff: GraphDiff, compared_step: int) -> tuple[Block, ...]:
    """The added, removed and changed nodes, each list bounded; a single line where nothing differs."""
    against = f"Against step {fmt.count(compared_step)}"
    if not diff:
        return (Block(against, (Row(("The graph is the same", "")),)),)
    changed = [Row((key, ", ".join(what)), key) for key, what in sorted(diff.changed.items())]
    parts = (
        ("Added", [Row((key, ""), key) for key in sorted(diff.added)]),
        ("Removed", [Row((key, ""), key) for key in sorted(diff.removed)]),
        ("Changed", changed),
    )
    return tuple(Block(f"{title} ({fmt.count(len(rows))})", _bounded(rows)) for title, rows in parts if rows)


def _bounded(rows: Iterable[Row]) -> tuple[Row, ...]:
    every = tuple(rows)
    rest = len(every) - MOST_ROWS
    return every if rest <= 0 else (*every[:MOST_ROWS], Row((f"and {fmt.count(rest)} more", "")))
