"""What changed from the compared step to the one shown now: why, and lists of keys that lead to the graph."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHeaderView, QVBoxLayout, QWidget

from gui import format as fmt
from gui.appearance import Appearance
from gui.docks.cause_table import CauseTable
from gui.docks.dock import Dock
from gui.docks.section_tree import SectionTree
from gui.marks import FOUND, NO_MARKS, Marks
from gui.models.causes import CauseModel
from gui.models.tree import Block, Row, SectionModel
from gui.names import Names
from gui.session import Session
from tracer import Cause, GraphDiff
from tracer.model.call_keys import unmarked

MOST_ROWS = 500


class ChangesDock(Dock):
    REFRESH_MSECS = 42

    def __init__(self, session: Session, appearance: Appearance) -> None:
        self._session = session
        self.model = SectionModel(("Node", "Change"))
        self.tree = SectionTree(self.model, appearance.theme, link_column=0)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setResizeContentsPrecision(0)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.causes = CauseModel()
        self.why = CauseTable(self.causes, appearance.theme)
        self._marks = NO_MARKS
        self._steps: tuple[int, int] | None = None
        super().__init__("changes", ChangesDock.tr("Changes"), self._placed())
        self.model.setParent(self)
        self.causes.setParent(self)
        self.tree.setAccessibleName(self.tr("Changed nodes"))
        appearance.theme_changed.connect(self.tree.set_theme)
        appearance.theme_changed.connect(self.why.set_theme)
        session.drawing_changed.connect(self.refresh_soon)
        session.causes_changed.connect(self.refresh_soon)
        session.drawing_changed.connect(self._clear_marks)
        self.tree.key_activated.connect(session.reveal)
        self.why.cause_activated.connect(self._show_cause)

    def _placed(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.why)
        column.addWidget(self.tree, 1)
        return content

    @Slot()
    def refresh(self) -> None:
        if not self.isVisible():
            return
        drawing = self._session.drawing
        self.causes.set_causes(self._session.causes or (), self._session.meta.get("folder", ""))
        if drawing is None or drawing.question.compared_step < 0:
            self.model.set_blocks(())
            return
        steps = drawing.question.compared_step, drawing.step.index
        if drawing.diff is None:
            self.model.set_blocks((_why_none(steps),))
        else:
            self.model.set_blocks(change_blocks(drawing.diff, steps, Names(drawing.graph)))

    @Slot(object)
    def _show_cause(self, cause: Cause) -> None:
        """Marks all that it explains, and leads to the call or node that tells most."""
        self._marks = Marks(frozenset(cause.nodes or cause.calls), FOUND)
        self._session.mark(self._marks)
        lead = next(iter((*cause.calls, *cause.nodes)), "")
        if lead:
            self._session.reveal(lead)

    @Slot()
    def _clear_marks(self) -> None:
        """What was marked for a cause means nothing between other steps."""
        drawing = self._session.drawing
        steps = None if drawing is None else (drawing.question.compared_step, drawing.step.index)
        if steps != self._steps:
            self._steps = steps
            if self._marks and self._session.marks == self._marks:
                self._session.mark(NO_MARKS)
            self._marks = NO_MARKS


def change_blocks(diff: GraphDiff, steps: tuple[int, int], names: Names) -> tuple[Block, ...]:
    """Which steps are compared, then the added, removed and changed nodes, each list bounded."""
    counts = {"added": len(diff.added), "removed": len(diff.removed), "changed": len(diff.changed)}
    summary = " · ".join(f"{fmt.count(count)} {what}" for what, count in counts.items() if count) or "No change"
    heading = Block(_title(steps), (Row((summary, "")),))
    parts = (
        ("Added", diff.added),
        ("Removed", diff.removed),
        ("Changed", diff.changed),
        ("Forward-only calls added", _forward_only(diff.calls_added)),
        ("Forward-only calls removed", _forward_only(diff.calls_removed)),
    )
    lists = (
        Block(f"{title} ({fmt.count(len(keys))})", _rows(sorted(keys), diff, names)) for title, keys in parts if keys
    )
    return heading, *lists


def _why_none(steps: tuple[int, int]) -> Block:
    if steps[0] == steps[1]:
        return Block(_title(steps), (Row(("The same step; show another to see what differs", "")),))
    return Block(_title(steps), (Row((f"Step {fmt.count(steps[0])} has no graph to compare with", "")),))


def _title(steps: tuple[int, int]) -> str:
    return f"Step {fmt.count(steps[0])} → step {fmt.count(steps[1])}"


def _forward_only(calls: Iterable[str]) -> list[str]:
    """The other calls come and go with their nodes."""
    return [key for key in calls if unmarked(key)[1]]


def _rows(keys: Sequence[str], diff: GraphDiff, names: Names) -> tuple[Row, ...]:
    """A bounded list: naming all nodes of a graph that is new altogether would take too long."""
    rows = tuple(Row((names.of(key), ", ".join(diff.changed.get(key, ()))), key) for key in keys[:MOST_ROWS])
    rest = len(keys) - MOST_ROWS
    return rows if rest <= 0 else (*rows, Row((f"and {fmt.count(rest)} more", "")))
