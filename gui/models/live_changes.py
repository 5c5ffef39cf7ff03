"""What can be changed of a paused training as a tree: the optimizers' groups with their hyperparameters, and below
them the parameters that were frozen."""

from PySide6.QtCore import QObject, Qt, Signal

from gui import format as fmt
from gui.live_state import Group, LiveState, Value, parsed
from gui.models.tree import Block, Index, Row, SectionModel
from gui.stops import value_text
from tracer.errors import UsageError

NAME, VALUE = range(2)


class LiveChangesModel(SectionModel):
    """A value that is typed in is asked for, and shown once the training has it. The key of a frozen parameter's row is
    its name."""

    change_requested = Signal(object, str, object)  # Group, the hyperparameter's name, the value
    refused = Signal(str)  # why what was typed makes no sense

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__((self.tr("Name"), self.tr("Value")), parent)
        self._groups: tuple[Group, ...] = ()
        self._is_editable = False

    def set_state(self, state: LiveState, is_editable: bool) -> None:
        self._groups = tuple(group for group in state.groups if group.values)
        self._is_editable = is_editable
        word = self.tr("unfreeze") if is_editable else self.tr("frozen")
        frozen = Block(self.tr("Frozen in this run"), tuple(Row((name, word), name) for name in state.frozen))
        groups = map(self._block, self._groups)
        self.set_blocks((*groups, *((frozen,) if state.frozen else ())))

    def flags(self, index: Index) -> Qt.ItemFlag:
        usual = super().flags(index)
        return usual | Qt.ItemFlag.ItemIsEditable if self._is_editable and self._at(index) is not None else usual

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        found = self._at(index)
        if role == Qt.ItemDataRole.EditRole and found is not None:
            group, name = found
            value = group.values[name]
            return value if isinstance(value, bool) else value_text(value)
        return super().data(index, role)

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        found = self._at(index)
        if found is None or not self._is_editable or role != Qt.ItemDataRole.EditRole:
            return False
        group, name = found
        before = group.values[name]
        try:
            after: Value = bool(value) if isinstance(before, bool) else parsed(str(value), name, before)
        except UsageError as error:
            self.refused.emit(str(error))
            return False
        self.change_requested.emit(group, name, after)
        return True

    def _at(self, index: Index) -> tuple[Group, str] | None:
        """The hyperparameter whose value stands there."""
        if not index.isValid() or self.is_section(index) or index.column() != VALUE:
            return None
        block = index.parent().row()
        if block >= len(self._groups):
            return None
        return self._groups[block], self.blocks[block].rows[index.row()].texts[NAME]

    def _block(self, group: Group) -> Block:
        title = f"{group.optimizer}" + (f", group {group.number}" if self._has_more(group) else "")
        rows = tuple(Row((name, value_text(value))) for name, value in group.values.items())
        return Block(f"{title} ({fmt.plural(group.n_parameters, 'parameter')})", rows)

    def _has_more(self, group: Group) -> bool:
        return sum(each.optimizer == group.optimizer for each in self._groups) > 1
