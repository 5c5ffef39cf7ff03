"""What the actions do: each is connected to the session, the workbench or the canvas; asks for files where needed."""

import shlex
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Slot
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from gui.actions import COLOR, LEVEL, UNTIL, Actions
from gui.appearance import Appearance
from gui.canvas.canvas import GraphCanvas
from gui.colorings import colorings
from gui.demos import find_demo
from gui.errors import warn
from gui.export import format_choices
from gui.levels import CHOICES
from gui.windows.hierarchy import HierarchyCommands
from gui.windows.origin_commands import OriginCommands
from gui.windows.shortcuts import ShortcutsDialog
from gui.windows.source_commands import SourceCommands
from gui.workbench import Workbench
from tracer.errors import TapescopeError


class Commands(QObject):
    """`may_close` asks the user what becomes of a training; it answers "stop", "leave" or "cancel"."""

    def __init__(
        self, actions: Actions, workbench: Workbench, canvas: GraphCanvas, appearance: Appearance, window: QWidget
    ) -> None:
        super().__init__(window)
        self._actions = actions
        self._workbench = workbench
        self._canvas = canvas
        self._appearance = appearance
        self._window = window
        self._connect_files()
        self._connect_run()
        self._connect_graph()
        self._connect_comparison()
        self._connect_look()
        self._connect_sources()

    def open_path(self, path: Path) -> None:
        """Opens a tape or runs a script, whichever it is; says why if that fails."""
        if path.suffix != ".py":
            self.open_tape(str(path))
        elif self.settle_training():
            self._run(path)

    @Slot(str)
    def open_tape(self, path: str) -> None:
        """Opens a tape, and nothing else; says why if that fails."""
        if not self.settle_training():
            return
        try:
            self._workbench.open_tape(Path(path))
            self._workbench.settings.remember_tape(Path(path))
        except (TapescopeError, OSError) as error:
            warn(self._window, str(error))

    @Slot(str)
    def start_demo(self, name: str) -> None:
        self.open_path(find_demo(name).path)

    def settle_training(self) -> bool:
        """Asks what becomes of a training that still runs, and does it; whether the user wants to go on."""
        if not self._workbench.has_training:
            return True
        answer = self.ask_about_training()
        if answer == "cancel":
            return False
        self._workbench.close_tape(stops_run=answer == "stop")
        return True

    def ask_about_training(self) -> str:
        """ "stop", "leave" or "cancel"."""
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Tapescope")
        is_paused = self._workbench.session.run_state == "paused"
        box.setText(self.tr("The training is paused") if is_paused else self.tr("The training is still running"))
        box.setInformativeText(
            self.tr("Shall it run on without the app, or stop? Either way its tape can be opened again later.")
        )
        leave = box.addButton(self.tr("Let it run on"), QMessageBox.ButtonRole.AcceptRole)
        stop = box.addButton(self.tr("Stop it"), QMessageBox.ButtonRole.DestructiveRole)
        box.setEscapeButton(box.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole))
        box.setDefaultButton(leave)
        box.exec()
        return {leave: "leave", stop: "stop"}.get(box.clickedButton(), "cancel")

    def _connect_files(self) -> None:
        actions = self._actions
        actions["open"].triggered.connect(self._choose_tape)
        actions["run_script"].triggered.connect(self._choose_script)
        actions["export"].triggered.connect(self._choose_export)
        actions["welcome"].triggered.connect(self._close_tape)
        actions["quit"].triggered.connect(self._window.close)

    def _connect_run(self) -> None:
        actions, workbench, session = self._actions, self._workbench, self._workbench.session
        actions["pause"].triggered.connect(workbench.control.pause)
        actions["step"].triggered.connect(workbench.step_once)
        actions["continue"].triggered.connect(workbench.control.continue_)
        actions["stop"].triggered.connect(workbench.stop)
        actions["break_on_exception"].setChecked(workbench.settings.breaks_on_exception)
        actions["break_on_exception"].toggled.connect(self._remember_break)
        for name in actions.names(UNTIL):
            actions[name].triggered.connect(self._continue_until)
        for name in actions.names(LEVEL):
            actions[name].triggered.connect(self._set_level)
        actions["trace_sources"].triggered.connect(workbench.trace_sources)
        for name in ("first", "previous", "next", "last", "previous_change", "next_change", "previous_hit", "next_hit"):
            actions[name].triggered.connect(getattr(session, name))
        actions["follow"].triggered.connect(session.follow_live)

    def _connect_graph(self) -> None:
        actions, canvas, session = self._actions, self._canvas, self._workbench.session
        actions["fit"].triggered.connect(canvas.fit)
        actions["zoom_in"].triggered.connect(canvas.zoom_in)
        actions["zoom_out"].triggered.connect(canvas.zoom_out)
        actions["actual_size"].triggered.connect(canvas.zoom_to_actual_size)
        actions["zoom_selection"].triggered.connect(canvas.zoom_to_selection)
        HierarchyCommands(actions, session, canvas, self._workbench.settings, self)
        actions["parameters"].setChecked(session.options.shows_parameters)
        actions["bookkeeping"].setChecked(session.options.shows_bookkeeping)
        actions["parameters"].toggled.connect(self._show_parameters)
        actions["bookkeeping"].toggled.connect(self._show_bookkeeping)
        actions["forward_only"].setChecked(session.options.shows_forward_only)
        actions["forward_only"].toggled.connect(self._show_forward_only)
        actions["ghosts"].setChecked(session.options.shows_ghosts)
        actions["ghosts"].toggled.connect(self._show_ghosts)
        session.options_changed.connect(self._show_options)
        actions["animate"].setChecked(self._workbench.settings.animates)
        actions["animate"].toggled.connect(self._remember_animation)
        self._show_coloring()
        session.options_changed.connect(self._show_coloring)
        for name in actions.names(COLOR):
            actions[name].triggered.connect(self._color_by)
        actions["next_coloring"].triggered.connect(self._color_by_next)
        actions["previous_coloring"].triggered.connect(self._color_by_previous)
        canvas.legend.set_folded(self._workbench.settings.folds_legend)
        canvas.legend.folded_changed.connect(self._remember_legend)
        actions["legend"].setChecked(canvas.shows_legend)
        actions["minimap"].setChecked(canvas.shows_minimap)
        actions["legend"].toggled.connect(canvas.set_legend_visible)
        actions["minimap"].toggled.connect(canvas.set_minimap_visible)

    def _connect_comparison(self) -> None:
        actions, session = self._actions, self._workbench.session
        actions["compare"].triggered.connect(session.toggle_pin)
        actions["side_by_side"].setChecked(session.options.side_by_side)
        actions["side_by_side"].toggled.connect(self._show_side_by_side)
        actions["changes_only"].toggled.connect(self._show_changes_only)
        actions["link_cameras"].setChecked(self._workbench.settings.links_cameras)

    def _connect_look(self) -> None:
        actions = self._actions
        actions[f"theme_{self._appearance.preference}"].setChecked(True)
        actions["theme_system"].triggered.connect(self._prefer_system)
        actions["theme_light"].triggered.connect(self._prefer_light)
        actions["theme_dark"].triggered.connect(self._prefer_dark)
        actions["shortcuts"].triggered.connect(self._show_shortcuts)
        actions["about"].triggered.connect(self._show_about)

    def _connect_sources(self) -> None:
        actions = self._actions
        self.origins = OriginCommands(actions, self._workbench.session, self)
        workbench = self._workbench
        self.sources = SourceCommands(actions, workbench.session, workbench.settings, self._appearance, self._window)

    @Slot()
    def _choose_tape(self) -> None:
        settings = self._workbench.settings
        chosen, _ = QFileDialog.getOpenFileName(
            self._window,
            self.tr("Open a tape"),
            settings.last_folder or str(settings.tapes_folder),
            self.tr("Tapes (*.tape);;All files (*)"),
        )
        if chosen:
            settings.last_folder = str(Path(chosen).parent)
            self.open_tape(chosen)

    @Slot()
    def _choose_script(self) -> None:
        settings = self._workbench.settings
        chosen, _ = QFileDialog.getOpenFileName(
            self._window, self.tr("Run a training script"), settings.last_folder, self.tr("Python scripts (*.py)")
        )
        if not chosen:
            return
        settings.last_folder = str(Path(chosen).parent)
        line, is_accepted = QInputDialog.getText(
            self._window, self.tr("Run script"), self.tr("Arguments for {0}:").format(Path(chosen).name)
        )
        if is_accepted and self.settle_training():
            self._run(Path(chosen), line)

    @Slot(bool)
    def _remember_break(self, is_on: bool) -> None:
        self._workbench.settings.breaks_on_exception = is_on

    def _run(self, script: Path, line: str = "") -> None:
        options = ("--break-on-exception",) if self._workbench.settings.breaks_on_exception else ()
        try:
            self._workbench.run_script(script, tuple(shlex.split(line)), options)
        except (TapescopeError, OSError, ValueError) as error:
            warn(self._window, str(error))

    @Slot()
    def _choose_export(self) -> None:
        session = self._workbench.session
        if session.drawing is None or session.tape is None:
            return
        choices = format_choices()
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        name = f"{session.tape.stem}-step-{session.drawing.step.index}{choices[0].suffix}"
        chosen, chosen_filter = QFileDialog.getSaveFileName(
            self._window,
            self.tr("Export the shown step"),
            str(Path(pictures) / name),
            ";;".join(choice.filter for choice in choices),
        )
        if chosen:
            out = Path(chosen)
            by_suffix = [choice for choice in choices if choice.suffix == out.suffix.lower()]
            choice = (by_suffix or [choice for choice in choices if choice.filter == chosen_filter] or choices)[0]
            self._workbench.export(choice.name, out if out.suffix else out.with_suffix(choice.suffix))

    @Slot()
    def _close_tape(self) -> None:
        if self.settle_training():
            self._workbench.close_tape()

    @Slot()
    def _continue_until(self) -> None:
        self._workbench.continue_until(self.sender().objectName().removeprefix(UNTIL))

    @Slot()
    def _set_level(self) -> None:
        name = self.sender().objectName().removeprefix(LEVEL)
        # The click has moved the check mark, which the tape is to move.
        self._actions.show_sampling()
        self._workbench.set_sampling(next(choice.sampling for choice in CHOICES if choice.name == name))

    @Slot()
    def _color_by(self) -> None:
        self._workbench.session.set_options(coloring=self.sender().objectName().removeprefix(COLOR))

    @Slot()
    def _color_by_next(self) -> None:
        self._color_by_neighbour(1)

    @Slot()
    def _color_by_previous(self) -> None:
        self._color_by_neighbour(-1)

    def _color_by_neighbour(self, step: int) -> None:
        session, every = self._workbench.session, tuple(colorings())
        session.set_options(coloring=every[(every.index(session.options.coloring) + step) % len(every)])

    @Slot()
    def _show_coloring(self) -> None:
        self._actions[f"{COLOR}{self._workbench.session.options.coloring}"].setChecked(True)

    @Slot(bool)
    def _remember_legend(self, is_folded: bool) -> None:
        self._workbench.settings.folds_legend = is_folded

    @Slot(bool)
    def _show_parameters(self, is_shown: bool) -> None:
        self._workbench.settings.shows_parameters = is_shown
        self._workbench.session.set_options(shows_parameters=is_shown)

    @Slot(bool)
    def _show_bookkeeping(self, is_shown: bool) -> None:
        self._workbench.settings.shows_bookkeeping = is_shown
        self._workbench.session.set_options(shows_bookkeeping=is_shown)

    @Slot(bool)
    def _show_forward_only(self, is_shown: bool) -> None:
        self._workbench.settings.shows_forward_only = is_shown
        self._workbench.session.set_options(shows_forward_only=is_shown)

    @Slot(bool)
    def _show_ghosts(self, is_shown: bool) -> None:
        self._workbench.settings.shows_ghosts = is_shown
        self._workbench.session.set_options(shows_ghosts=is_shown)

    @Slot()
    def _show_options(self) -> None:
        """The options may change without a click: a layout that was given up takes them back."""
        options = self._workbench.session.options
        for name in ("parameters", "bookkeeping", "forward_only", "ghosts"):
            self._actions[name].setChecked(getattr(options, f"shows_{name}"))

    @Slot(bool)
    def _remember_animation(self, is_on: bool) -> None:
        self._workbench.settings.animates = is_on

    @Slot(bool)
    def _show_side_by_side(self, is_shown: bool) -> None:
        self._workbench.settings.side_by_side = is_shown
        self._workbench.session.set_options(side_by_side=is_shown)

    @Slot(bool)
    def _show_changes_only(self, is_shown: bool) -> None:
        self._workbench.session.set_options(changes_only=is_shown)

    @Slot()
    def _prefer_system(self) -> None:
        self._appearance.prefer("system")

    @Slot()
    def _prefer_light(self) -> None:
        self._appearance.prefer("light")

    @Slot()
    def _prefer_dark(self) -> None:
        self._appearance.prefer("dark")

    @Slot()
    def _show_shortcuts(self) -> None:
        ShortcutsDialog(self._actions, self._window).exec()

    @Slot()
    def _show_about(self) -> None:
        QMessageBox.about(
            self._window,
            self.tr("About Tapescope"),
            self.tr(
                "<h3>Tapescope</h3><p>Shows the graph PyTorch really built, at every training step.</p>"
                "<p>MIT licence</p>"
            ),
        )
