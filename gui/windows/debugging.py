"""Everything around stops in the window: the docks for breakpoints and live changes, their actions, what is told."""

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication, QMainWindow

from gui import format as fmt
from gui.actions import Actions
from gui.appearance import Appearance
from gui.docks.breakpoints import BreakpointsDock
from gui.docks.console import ConsoleDock
from gui.docks.dock import Dock
from gui.docks.live_changes import LiveChangesDock
from gui.session import UNASKED
from gui.stops import hit_line
from gui.windows.breakpoint_commands import BreakpointCommands
from gui.windows.change_commands import ChangeCommands
from gui.windows.graph_menu import GraphMenu
from gui.windows.graph_page import GraphPage
from gui.workbench import Workbench
from tracer import Event


class Debugging(QObject):
    """Lines that breakpoints write, and hits that nobody was there to see, go to the console; a stop that one did not
    ask for alerts where the window is not looked at."""

    def __init__(
        self,
        workbench: Workbench,
        actions: Actions,
        graph: GraphPage,
        console: ConsoleDock,
        appearance: Appearance,
        window: QMainWindow,
    ) -> None:
        super().__init__(window)
        self._workbench, self._console, self._window = workbench, console, window
        session = workbench.session
        self.breakpoints = BreakpointsDock(session, workbench.breakpoints, actions, appearance)
        self.live_changes = LiveChangesDock(session, workbench.live_changes, actions, appearance)
        self.commands = BreakpointCommands(actions, workbench, self.breakpoints, appearance, window)
        self.menu = GraphMenu(session, actions, window)
        ChangeCommands(actions, session, workbench.live_changes, window)
        graph.stop.edit_requested.connect(self.commands.edit)
        for canvas in graph.panes.canvases:
            canvas.menu_requested.connect(self.menu.open_at)
        session.events_appended.connect(self._note_hits)
        session.run_state_changed.connect(self._alert)

    @property
    def docks(self) -> tuple[Dock, ...]:
        return (self.breakpoints, self.live_changes)

    @Slot(object)
    def _note_hits(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if event.kind != "hit" or not event.data.get("acted", True):
                continue
            # What a run started here writes is in the console already.
            is_written = event.data.get("log") and self._workbench.has_output
            is_missed = not event.data.get("attended", True)
            if is_missed or (event.data.get("log") and not is_written):
                line = event.data.get("log") or hit_line(event)
                self._console.note(self.tr("step {0}: {1}").format(fmt.count(event.step), line))

    @Slot()
    def _alert(self) -> None:
        if self._workbench.session.stop_reason in UNASKED and not self._window.isActiveWindow():
            QApplication.alert(self._window)
