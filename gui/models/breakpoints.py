"""The breakpoints as a table: a check box and what each waits for, how often it was hit, and where last."""

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal

from gui import format as fmt
from gui.breakpoint_text import condition_text, effect_text, suffix_text
from gui.happenings import Happenings
from gui.models.tree import Index
from gui.plain_text import plain_tip
from tracer.model.breakpoints import Breakpoint

SUFFIX_ROLE = Qt.ItemDataRole.UserRole + 1
"""What is said more quietly beside the text."""
STEP_ROLE = Qt.ItemDataRole.UserRole + 2
"""The last step at which it was hit, None for none."""
CONDITION, HITS, LAST = range(3)
_ROOT = QModelIndex()


class BreakpointModel(QAbstractTableModel):
    """Reflects a list; a click into a check box is told, and comes back as another list."""

    enabling_requested = Signal(int, bool)  # of a breakpoint's id

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._breakpoints: tuple[Breakpoint, ...] = ()
        self._happenings = Happenings()

    def set_breakpoints(self, breakpoints: tuple[Breakpoint, ...]) -> None:
        if [each.id for each in breakpoints] != [each.id for each in self._breakpoints]:
            self.beginResetModel()
            self._breakpoints = breakpoints
            self.endResetModel()
        else:
            self._breakpoints = breakpoints
            self._refresh()

    def set_happenings(self, happenings: Happenings) -> None:
        """Others, or the same ones grown."""
        self._happenings = happenings
        self._refresh()

    def breakpoint_at(self, index: Index) -> Breakpoint | None:
        return self._breakpoints[index.row()] if index.isValid() else None

    def row_of(self, number: int) -> int:
        """The row of the breakpoint with an id, -1 for none."""
        return next((row for row, each in enumerate(self._breakpoints) if each.id == number), -1)

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._breakpoints)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else 3

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        breakpoint = self.breakpoint_at(index)
        if breakpoint is None:
            return None
        if index.column() == CONDITION:
            return _condition_data(breakpoint, role)
        tally = self._happenings.tally(breakpoint)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == STEP_ROLE and index.column() == LAST:
            return None if tally is None else tally.last_step
        if role == Qt.ItemDataRole.DisplayRole and tally is not None:
            return fmt.count(tally.hits if index.column() == HITS else tally.last_step)
        if role == Qt.ItemDataRole.ToolTipRole and tally is not None and index.column() == LAST:
            return self.tr("Go to step {0}").format(fmt.count(tally.last_step))
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        breakpoint = self.breakpoint_at(index)
        if breakpoint is None or index.column() != CONDITION or role != Qt.ItemDataRole.CheckStateRole:
            return False
        self.enabling_requested.emit(breakpoint.id, Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        usual = super().flags(index)
        return usual | Qt.ItemFlag.ItemIsUserCheckable if index.isValid() and index.column() == CONDITION else usual

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Breakpoint"), self.tr("Hits"), self.tr("Last at"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if section == CONDITION else Qt.AlignmentFlag.AlignRight
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def _refresh(self) -> None:
        if self._breakpoints:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._breakpoints) - 1, LAST))


def _condition_data(breakpoint: Breakpoint, role: int) -> object:
    if role == Qt.ItemDataRole.DisplayRole:
        return condition_text(breakpoint)
    if role == SUFFIX_ROLE:
        return suffix_text(breakpoint)
    if role == Qt.ItemDataRole.CheckStateRole:
        return Qt.CheckState.Checked if breakpoint.is_enabled else Qt.CheckState.Unchecked
    if role == Qt.ItemDataRole.ToolTipRole:
        return plain_tip(effect_text(breakpoint))
    return None
