"""What the actions around breakpoints do: the dialog, the list's rows, and the quick ways from a box of the graph."""

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QDialog, QWidget

from gui.actions import Actions
from gui.appearance import Appearance
from gui.breakpoint_hints import ID_DIGITS, module_of, op_of
from gui.breakpoint_text import effect_text
from gui.docks.breakpoints import BreakpointsDock
from gui.timeline import UNRECORDED
from gui.windows.breakpoint_dialog import BreakpointDialog
from gui.workbench import Workbench
from tracer.conditions import checked
from tracer.model.breakpoints import Breakpoint, Value

OF_ROWS = ("edit_breakpoint", "toggle_breakpoint", "delete_breakpoints")
OF_ALL = ("enable_breakpoints", "disable_breakpoints", "clear_breakpoints")


class BreakpointCommands(QObject):
    def __init__(
        self, actions: Actions, workbench: Workbench, dock: BreakpointsDock, appearance: Appearance, window: QWidget
    ) -> None:
        super().__init__(window)
        self._actions, self._workbench, self._dock = actions, workbench, dock
        self._book, self._session = workbench.breakpoints, workbench.session
        self._appearance, self._window = appearance, window
        self._connect()
        self._refresh()

    def _connect(self) -> None:
        actions, book, session = self._actions, self._book, self._session
        actions["add_breakpoint"].triggered.connect(self.add)
        actions["continue_until"].triggered.connect(self.continue_until)
        actions["edit_breakpoint"].triggered.connect(self._edit_selected)
        actions["toggle_breakpoint"].triggered.connect(self._toggle_selected)
        actions["delete_breakpoints"].triggered.connect(self._delete_selected)
        actions["enable_breakpoints"].triggered.connect(self._enable_all)
        actions["disable_breakpoints"].triggered.connect(self._disable_all)
        actions["clear_breakpoints"].triggered.connect(book.clear)
        actions["break_module_ran"].triggered.connect(self._break_when_it_runs)
        actions["break_module_not_run"].triggered.connect(self._break_when_it_does_not_run)
        actions["break_op_appears"].triggered.connect(self._break_at_op)
        actions["break_structure_is"].triggered.connect(self._break_at_structure)
        self._dock.edit_requested.connect(self.edit)
        self._dock.table.delete_requested.connect(self._delete_selected)
        self._dock.table.selectionModel().selectionChanged.connect(self._refresh)
        for fact in (book.changed, session.selection_changed, session.drawing_changed, session.tape_changed):
            fact.connect(self._refresh)

    @Slot()
    def _refresh(self) -> None:
        drawing, key = self._session.drawing, self._session.selection
        has_module = bool(module_of(drawing, key))
        enabled = {
            "add_breakpoint": self._session.tape is not None,
            "break_module_ran": has_module,
            "break_module_not_run": has_module,
            "break_op_appears": bool(op_of(drawing, key)),
            "break_structure_is": bool(self._shown_structure()),
        }
        enabled |= dict.fromkeys(OF_ROWS, bool(self._dock.selected_ids()))
        enabled |= dict.fromkeys(OF_ALL, bool(self._book.all))
        for name, is_enabled in enabled.items():
            self._actions[name].setEnabled(is_enabled)

    @Slot()
    def add(self) -> None:
        """Asks for a breakpoint."""
        breakpoint = self._ask(None)
        if breakpoint is not None:
            self._add(breakpoint)

    @Slot(int)
    def edit(self, number: int) -> None:
        """Asks what the breakpoint with this id is to be."""
        before = self._book.get(number)
        edited = None if before is None else self._ask(before)
        if edited is not None:
            self._book.put(edited)

    @Slot()
    def continue_until(self) -> None:
        """Asks where to stop once, and lets the training run on."""
        until = self._ask(None, runs_on=True)
        if until is not None:
            self._workbench.continue_until(until)

    def _ask(self, breakpoint: Breakpoint | None, *, runs_on: bool = False) -> Breakpoint | None:
        dialog = BreakpointDialog(self._session, self._appearance.theme, breakpoint, self._window, runs_on=runs_on)
        is_accepted = dialog.exec() == QDialog.DialogCode.Accepted
        dialog.deleteLater()
        return dialog.result_breakpoint if is_accepted else None

    def _add(self, breakpoint: Breakpoint) -> None:
        self._book.add(breakpoint)
        self._dock.show()
        self._dock.raise_()
        self._dock.select(max((each.id for each in self._book.all), default=0))

    def _break(self, condition: str, **fields: Value) -> None:
        breakpoint = checked(Breakpoint(0, condition, fields))
        self._add(breakpoint)
        self._workbench.asked.emit(effect_text(breakpoint))

    @Slot()
    def _break_when_it_runs(self) -> None:
        self._break("module_ran", module=module_of(self._session.drawing, self._session.selection))

    @Slot()
    def _break_when_it_does_not_run(self) -> None:
        self._break("module_not_run", module=module_of(self._session.drawing, self._session.selection))

    @Slot()
    def _break_at_op(self) -> None:
        self._break("op_appears", op=op_of(self._session.drawing, self._session.selection))

    @Slot()
    def _break_at_structure(self) -> None:
        self._break("structure_is", id=self._shown_structure())

    def _shown_structure(self) -> str:
        timeline, step = self._session.timeline, self._session.step
        structure = timeline.structure(step) if 0 <= step < len(timeline) else UNRECORDED
        return "" if structure == UNRECORDED else timeline.topology_id(structure)[:ID_DIGITS]

    @Slot()
    def _edit_selected(self) -> None:
        for number in self._dock.selected_ids()[:1]:
            self.edit(number)

    @Slot()
    def _toggle_selected(self) -> None:
        ids = self._dock.selected_ids()
        are_enabled = any(each.is_enabled for each in self._book.all if each.id in ids)
        self._book.set_enabled(ids, not are_enabled)

    @Slot()
    def _delete_selected(self) -> None:
        self._book.remove(self._dock.selected_ids())

    @Slot()
    def _enable_all(self) -> None:
        self._book.set_all_enabled(True)

    @Slot()
    def _disable_all(self) -> None:
        self._book.set_all_enabled(False)
