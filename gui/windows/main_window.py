"""The window: places pages, docks, menus and the toolbar, and remembers how the user left them."""

from pathlib import Path

from PySide6.QtCore import QRect, Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QTabWidget

from gui import format as fmt
from gui.actions import Actions
from gui.appearance import Appearance
from gui.demos import find_demos
from gui.docks.changes import ChangesDock
from gui.docks.console import ConsoleDock
from gui.docks.dock import Dock
from gui.docks.gradients import GradientsDock
from gui.docks.inspector import InspectorDock
from gui.docks.modules import ModulesDock
from gui.docks.scalars import ScalarsDock
from gui.docks.source import SourceDock
from gui.docks.statistics import StatisticsDock
from gui.errors import warn
from gui.incidents import headline
from gui.levels import level_text
from gui.plain_text import PlainLabel
from gui.session import INCIDENTS
from gui.theme import Theme
from gui.windows.color_button import ColorButton
from gui.windows.commands import Commands
from gui.windows.debugging import Debugging
from gui.windows.graph_page import GraphPage
from gui.windows.level_button import LevelButton
from gui.windows.menus import fill_menu_bar, make_state_bar, make_toolbar
from gui.windows.placement import fitted_into, keep_on_screen
from gui.windows.run_pill import RunPill
from gui.windows.step_box import StepBox
from gui.windows.welcome import WelcomePage
from gui.workbench import Workbench
from tracer import Event
from tracer.store.run_folder import run_title

DEFAULT_SIZE_PX = (1440, 900)
MESSAGE_MSECS = 6000
LAYOUT_VERSION = 4


class MainWindow(QMainWindow):
    def __init__(self, workbench: Workbench, appearance: Appearance) -> None:
        super().__init__()
        self.workbench = workbench
        self._appearance = appearance
        session = workbench.session
        self.actions_ = Actions(session, self)
        self.graph = GraphPage(session, self.actions_, appearance)
        self.scalars = ScalarsDock(session, appearance)
        self.console = ConsoleDock(appearance)
        self.inspector = InspectorDock(session, self.actions_, appearance)
        self.modules = ModulesDock(session, appearance)
        self.changes = ChangesDock(session, appearance)
        self.statistics = StatisticsDock(session, appearance)
        self.gradients = GradientsDock(session, appearance)
        self.source = SourceDock(session, appearance)
        self.debugging = Debugging(workbench, self.actions_, self.graph, self.console, appearance, self)
        self.commands = Commands(self.actions_, workbench, self.graph.canvas, appearance, self)
        self.welcome = WelcomePage(find_demos(), (self.actions_["open"], self.actions_["run_script"]), appearance)
        self._pages = QStackedWidget()
        self._pill = RunPill(session, appearance.theme)
        self._color = ColorButton(session)
        self._level = LevelButton(session)
        self._facts = PlainLabel()
        self._place()
        self._connect()
        self._dress(appearance.theme)
        self._restore()
        self._show_page()

    @property
    def docks(self) -> tuple[Dock, ...]:
        return (
            *(self.modules, self.changes, self.inspector, self.scalars, self.statistics, self.gradients, self.source),
            *(*self.debugging.docks, self.console),
        )

    def _place(self) -> None:
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self._pages.addWidget(self.welcome)
        self._pages.addWidget(self.graph)
        self.setCentralWidget(self._pages)
        theme = self._appearance.theme
        step_box = StepBox(self.workbench.session)
        for spin in (step_box.spin, self.graph.bar.spin):
            spin.refused.connect(self._on_asked)
            spin.left.connect(self.graph.canvas.setFocus)
        icon_px = theme.sizes.icon
        self.tools = make_toolbar(self.actions_, step_box, self._color, icon_px)
        self._state = make_state_bar(self.actions_, self._level, self._pill, icon_px)
        for bar in (self.tools, self._state):
            self.addToolBar(bar)
        for corner in (Qt.Corner.BottomLeftCorner, Qt.Corner.BottomRightCorner):
            self.setCorner(corner, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.modules)
        self.tabifyDockWidget(self.modules, self.changes)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.inspector)
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.scalars)
        self.splitDockWidget(self.scalars, self.console, Qt.Orientation.Horizontal)
        for dock in (self.statistics, self.gradients, self.source, *self.debugging.docks):
            self.tabifyDockWidget(self.scalars, dock)
        self.modules.raise_()
        self.scalars.raise_()
        view_menu = QMenu(self.tr("&View"), self)
        for dock in self.docks:
            view_menu.addAction(dock.toggleViewAction())
        fill_menu_bar(self.menuBar(), self.actions_, view_menu)
        self.statusBar().addPermanentWidget(self._facts)
        self.statusBar().setSizeGripEnabled(False)

    def _connect(self) -> None:
        workbench, session = self.workbench, self.workbench.session
        self._appearance.theme_changed.connect(self._dress)
        session.tape_changed.connect(self._show_page)
        session.steps_appended.connect(self._show_facts)
        session.run_state_changed.connect(self._show_facts)
        session.drawing_changed.connect(self._show_facts)
        session.events_appended.connect(self._note_incidents)
        workbench.reach_changed.connect(self._show_reach)
        workbench.output_read.connect(self.console.write)
        workbench.noted.connect(self.console.note)
        workbench.failed.connect(self._warn)
        workbench.exported.connect(self._on_exported)
        workbench.asked.connect(self._on_asked)
        workbench.layout_progressed.connect(self.graph.canvas.set_progress)
        self.graph.canvas.cancel_requested.connect(workbench.cancel_drawing)
        for canvas in self.graph.panes.canvases:
            canvas.set_animated(workbench.settings.animates)
            self.actions_["animate"].toggled.connect(canvas.set_animated)
        self.debugging.menu.attach(self.modules.tree)
        for table in self.statistics.tables.values():
            self.debugging.menu.attach(table.view)
        self.graph.changes_requested.connect(self._show_changes)
        self.graph.origin_requested.connect(self.commands.origins.go_to_origin)
        self.graph.incidents.compare_requested.connect(self.actions_["compare_last_finite"].trigger)
        self.graph.navigation.navigator.told.connect(self.statusBar().showMessage)
        self.actions_["next_difference"].triggered.connect(self.graph.next_difference)
        self.actions_["previous_difference"].triggered.connect(self.graph.previous_difference)
        self.actions_["link_cameras"].toggled.connect(self._link_cameras)
        self._link_cameras(self.actions_["link_cameras"].isChecked())
        self.actions_["go_to_origin"].triggered.connect(self.inspector.show)
        self.actions_["find_row"].triggered.connect(self.statistics.find)
        self.actions_["show_source"].triggered.connect(self.source.look)
        self.source.editor_requested.connect(self.commands.sources.open)
        self.welcome.demo_requested.connect(self.commands.start_demo)
        self.welcome.tape_requested.connect(self.commands.open_tape)

    @Slot()
    def _show_page(self) -> None:
        """The welcome page while there is no tape, the graph and everything around it otherwise."""
        tape = self.workbench.session.tape
        has_tape = tape is not None
        self.console.clear()
        self.console.expect_output(self.workbench.has_output)
        if not has_tape and self._pages.currentWidget() is self.graph:
            self._remember()
        self.setWindowTitle(f"{run_title(tape)} – Tapescope" if tape is not None else "Tapescope")
        if not has_tape:
            self.welcome.set_recent(self.workbench.settings.recent_tapes)
        elif self._pages.currentWidget() is self.welcome:
            self._arrange()
        self._pages.setCurrentWidget(self.graph if has_tape else self.welcome)
        self.tools.setVisible(has_tape)
        self._state.setVisible(has_tape)
        self.statusBar().setVisible(has_tape)
        if not has_tape:
            for dock in self.docks:
                dock.hide()
        self._show_facts()

    def _arrange(self) -> None:
        """Puts the docks where the user left them, or where they belong."""
        for dock in self.docks:
            dock.show()
        state = self.workbench.settings.window_state
        if state.isEmpty() or not self.restoreState(state, LAYOUT_VERSION):
            sides = [max(272, self.width() * 19 // 100), max(296, self.width() * 20 // 100)]
            self.resizeDocks([self.modules, self.inspector], sides, Qt.Orientation.Horizontal)
            # The graph is what one came for: a console that has nothing to say gives way.
            self.console.setVisible(self.workbench.has_output)
            bottom = max(200, self.height() * 23 // 100)
            self.resizeDocks([self.scalars, self.console], [bottom, bottom], Qt.Orientation.Vertical)
            widths = [self.width() * 6 // 10, self.width() * 4 // 10]
            self.resizeDocks([self.scalars, self.console], widths, Qt.Orientation.Horizontal)
            self.modules.raise_()
            self.scalars.raise_()
        for dock in self.docks:
            dock.refresh_title()

    @Slot()
    def _show_facts(self) -> None:
        session = self.workbench.session
        if session.tape is None:
            self._facts.clear()
            return
        parts = [
            fmt.plural(len(session.timeline), "step"),
            fmt.plural(session.timeline.structure_count, "structure"),
            f"{session.tape}   ",
        ]
        if session.drawing is not None:
            step = session.drawing.step
            parts.insert(0, self.tr("Step {0}: {1}").format(fmt.count(step.index), level_text(step.level)))
        self._facts.setText("   ·   ".join(parts))

    @Slot(bool)
    def _link_cameras(self, are_linked: bool) -> None:
        self.workbench.settings.links_cameras = are_linked
        self.graph.panes.cameras.set_on(are_linked)

    @Slot(object)
    def _note_incidents(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if event.kind in INCIDENTS:
                self.console.note(headline(event))

    @Slot()
    def _show_reach(self) -> None:
        self.actions_.set_reach(self.workbench.control.is_available, self.workbench.can_stop)

    @Slot()
    def _show_changes(self) -> None:
        self.changes.show()
        self.changes.raise_()

    @Slot(str)
    def _on_exported(self, path: str) -> None:
        self.statusBar().showMessage(self.tr("Written: {0}").format(path), MESSAGE_MSECS)

    @Slot(str)
    def _on_asked(self, message: str) -> None:
        self.statusBar().showMessage(message, MESSAGE_MSECS)

    @Slot(str)
    def _warn(self, message: str) -> None:
        warn(self, message)

    @Slot(object)
    def _dress(self, theme: Theme) -> None:
        self.actions_.set_theme(theme)
        self.tools.set_theme(theme)
        self._pill.set_theme(theme)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.commands.settle_training():
            event.ignore()
            return
        self._remember()
        self.hide()
        self.workbench.close_tape()
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped_file(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _dropped_file(event)
        if path is not None:
            event.acceptProposedAction()
            # A dialog must not open inside the drop: the program dragged from would wait for it.
            QTimer.singleShot(0, self, lambda: self.commands.open_path(path))

    def _restore(self) -> None:
        geometry = self.workbench.settings.geometry
        if geometry.isEmpty() or not self.restoreGeometry(geometry):
            # Where it stands is left to the window manager.
            self.resize(fitted_into(QRect(0, 0, *DEFAULT_SIZE_PX), self.screen().availableGeometry()).size())
        else:
            keep_on_screen(self)

    def _remember(self) -> None:
        self.workbench.settings.geometry = self.saveGeometry()
        if self._pages.currentWidget() is self.graph:
            self.workbench.settings.window_state = self.saveState(LAYOUT_VERSION)


def _dropped_file(event: QDropEvent) -> Path | None:
    """The tape or script that is dragged, if it is one."""
    urls = event.mimeData().urls()
    path = Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
    return path if path is not None and path.suffix in (".tape", ".py") else None
