"""Every action of the app in one table: menu, toolbar and shortcuts all come from here."""

from collections.abc import Iterator
from dataclasses import dataclass

import qtawesome
from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QWidget

from gui import format as fmt
from gui.coloring import Coloring
from gui.colorings import colorings
from gui.differences import differing_keys
from gui.drawing import inside_of
from gui.findings import LINK, source_of
from gui.hierarchy import DEPTHS
from gui.incidents import LEADING
from gui.levels import CHOICES, sampling_text
from gui.origins import not_finite_event
from gui.session import Session
from gui.theme import Theme
from tracer.conditions import condition, condition_names, fields_of


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One row of the table. `icon` is a name of qtawesome's, "" for none; `group` makes actions exclusive."""

    name: str
    text: str
    shortcuts: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    is_checkable: bool = False
    group: str = ""


SPECS = (
    ActionSpec("open", "Open…", ("Ctrl+O",), "mdi6.folder-open-outline", "Open a tape, recorded or being written"),
    ActionSpec(
        "run_script", "Run script…", ("Ctrl+R",), "mdi6.play-box-outline", "Run a training script and record it"
    ),
    ActionSpec("export", "Export snapshot…", ("Ctrl+E",), "mdi6.export-variant", "Write the shown step to a file"),
    ActionSpec("welcome", "Close tape", ("Ctrl+W",), "", "Go back to the welcome page"),
    ActionSpec("quit", "Quit", ("Ctrl+Q",)),
    ActionSpec("undo", "Undo", ("Ctrl+Z",), "mdi6.undo", "Take back what was changed of the paused training"),
    ActionSpec("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "mdi6.redo", "Change again what was taken back"),
    ActionSpec("freeze", "Freeze", (), "mdi6.snowflake", "Let the selected parameter, or module, learn no more"),
    ActionSpec("unfreeze", "Unfreeze", (), "", "Let the selected parameter, or module, learn again"),
    ActionSpec("pause", "Pause", ("F6",), "mdi6.pause", "Stop the training at the end of the current step"),
    ActionSpec("step", "Step", ("F10",), "mdi6.debug-step-over", "Run exactly one step, then stop"),
    ActionSpec("continue", "Continue", ("F5",), "mdi6.play", "Let the training run on"),
    ActionSpec(
        "continue_until",
        "Continue until…",
        ("Ctrl+F9",),
        "",
        "Let the training run on and stop it once, where a condition of your choice is met",
    ),
    ActionSpec("stop", "Stop", ("Shift+F5",), "mdi6.stop", "End the training"),
    ActionSpec(
        "break_on_exception",
        "Break on exceptions",
        (),
        "",
        "Runs started from here wait where an exception would end them",
        True,
    ),
    ActionSpec(
        "trace_sources",
        "Find source lines at the next step",
        (),
        "mdi6.map-marker-question-outline",
        "Note anew which line of the script makes each node",
    ),
    ActionSpec(
        "add_breakpoint",
        "Add breakpoint…",
        ("F9",),
        "mdi6.plus",
        "Have the training stop at each step that meets a condition",
    ),
    ActionSpec("edit_breakpoint", "Edit breakpoint…", (), "mdi6.pencil-outline", "Change the selected breakpoint"),
    ActionSpec(
        "toggle_breakpoint", "Enable or disable breakpoint", (), "", "Let the selected breakpoints rest, or act again"
    ),
    ActionSpec("delete_breakpoints", "Delete breakpoint", (), "mdi6.trash-can-outline", "Delete those selected"),
    ActionSpec(
        "enable_breakpoints", "Enable all breakpoints", (), "mdi6.checkbox-multiple-outline", "Let every breakpoint act"
    ),
    ActionSpec(
        "disable_breakpoints",
        "Disable all breakpoints",
        (),
        "mdi6.checkbox-multiple-blank-outline",
        "Let every breakpoint rest, without deleting it",
    ),
    ActionSpec("clear_breakpoints", "Delete all breakpoints", ("Ctrl+Shift+F9",), "", "Delete every breakpoint"),
    ActionSpec(
        "break_module_ran", "Break when this module runs", (), "", "Add a breakpoint for the selected box's module"
    ),
    ActionSpec(
        "break_module_not_run",
        "Break when this module does not run",
        (),
        "",
        "Add a breakpoint for steps without the selected box's module",
    ),
    ActionSpec("break_op_appears", "Break when this op appears", (), "", "Add a breakpoint for the selected op"),
    ActionSpec(
        "break_structure_is",
        "Break when this structure comes again",
        (),
        "",
        "Add a breakpoint for the structure of the shown step",
    ),
    ActionSpec("first", "First step", ("Home",), "mdi6.skip-backward", "Show the first step"),
    ActionSpec("previous", "Previous step", ("Left", ","), "mdi6.step-backward", "Show the step before"),
    ActionSpec("next", "Next step", ("Right", "."), "mdi6.step-forward", "Show the step after"),
    ActionSpec("last", "Last step", ("End",), "mdi6.skip-forward", "Show the last step"),
    ActionSpec("follow", "Follow live", ("L",), "mdi6.access-point", "Always show the latest step", True),
    ActionSpec(
        "previous_change",
        "Previous change of structure",
        ("Ctrl+Left", "["),
        "mdi6.arrow-collapse-left",
        "Show the last step before this one whose structure was new to its predecessor",
    ),
    ActionSpec(
        "next_change",
        "Next change of structure",
        ("Ctrl+Right", "]"),
        "mdi6.arrow-collapse-right",
        "Show the next step whose structure differs from its predecessor's",
    ),
    ActionSpec(
        "previous_hit",
        "Previous hit of a breakpoint",
        ("Shift+F8",),
        "",
        "Show the last step before this one at which a breakpoint was met",
    ),
    ActionSpec(
        "next_hit",
        "Next hit of a breakpoint",
        ("F8",),
        "",
        "Show the next step at which a breakpoint was met",
    ),
    ActionSpec(
        "go_to_origin",
        "Go to origin of NaN, Inf or exception",
        ("Ctrl+G",),
        "mdi6.alert-octagon-outline",
        "Show the step, and in it the op, parameter or module, where a value was not finite first or the run failed",
    ),
    ActionSpec(
        "go_to_last_finite",
        "Go to last finite step",
        ("Ctrl+Shift+G",),
        "",
        "Show the last step before the NaN or Inf in which the same op or parameter was finite",
    ),
    ActionSpec(
        "compare_last_finite",
        "Compare with last finite step",
        ("Shift+G",),
        "",
        "Show the origin of the NaN or Inf compared with the last step in which it was finite",
    ),
    ActionSpec(
        "compare",
        "Compare with this step",
        ("D",),
        "mdi6.pin-outline",
        "Compare every step with the one shown now, until told otherwise",
        True,
    ),
    ActionSpec(
        "side_by_side",
        "Two steps side by side",
        ("Shift+D",),
        "mdi6.view-split-vertical",
        "Show the compared step to the left of the shown one",
        True,
    ),
    ActionSpec("link_cameras", "Link cameras", (), "", "Let both steps be looked at in the same place", True),
    ActionSpec(
        "changes_only",
        "Differences only",
        ("Ctrl+D",),
        "",
        "Let everything that both steps have alike step back",
        True,
    ),
    ActionSpec(
        "previous_difference",
        "Previous difference",
        ("Ctrl+,",),
        "mdi6.chevron-up",
        "Select the box before this one that differs between the two steps",
    ),
    ActionSpec(
        "next_difference",
        "Next difference",
        ("Ctrl+.",),
        "mdi6.chevron-down",
        "Select the next box that differs between the two steps",
    ),
    ActionSpec("fit", "Fit view", ("F",), "mdi6.fit-to-page-outline", "Show the whole graph"),
    ActionSpec("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+="), "mdi6.magnify-plus-outline", "Show the graph larger"),
    ActionSpec("zoom_out", "Zoom out", ("Ctrl+-",), "mdi6.magnify-minus-outline", "Show the graph smaller"),
    ActionSpec("actual_size", "Actual size", ("Ctrl+0", "0"), "", "Show the graph at 100 %"),
    ActionSpec("zoom_selection", "Zoom to selection", ("Z",), "", "Show the selection as large as is useful"),
    ActionSpec(
        "toggle_call",
        "Open or close module",
        ("Ctrl+Space",),
        "",
        "Open or close the selected module call, or show what is inside a compiled node",
    ),
    ActionSpec(
        "open_call",
        "Open module, or zoom in",
        ("+", "="),
        "",
        "Open the selected module call; show the graph larger where nothing is selected that can be opened",
    ),
    ActionSpec(
        "close_call",
        "Close module, or zoom out",
        ("-",),
        "",
        "Close the selected module call; show the graph smaller where no open one is selected",
    ),
    ActionSpec(
        "open_further", "Open one level more", ("Shift+Return",), "", "Open what is closed in the selected module call"
    ),
    ActionSpec(
        "open_below", "Open everything in it", ("Ctrl+Return",), "", "Open the selected module call down to its ops"
    ),
    ActionSpec(
        "close_around",
        "Close module around",
        ("Backspace",),
        "",
        "Close the module call in which the selection lies",
    ),
    ActionSpec(
        "toggle_fold",
        "Take fold apart, or fold again",
        ("U",),
        "mdi6.layers-triple-outline",
        "Draw the selected fold's copies one by one, or as one again",
    ),
    ActionSpec(
        "fold_repeats",
        "Fold repeats",
        ("Shift+U",),
        "",
        "Draw equal layers, experts and turns of a loop once, with their number",
        True,
    ),
    ActionSpec("open_all", "Open all modules", ("Shift+E",), "mdi6.unfold-more-horizontal", "Show every op"),
    ActionSpec(
        "close_all", "Close all modules", ("Shift+C",), "mdi6.unfold-less-horizontal", "Show modules as single boxes"
    ),
    ActionSpec("default_depth", "Default depth", (), "", "Open modules to a depth that fits the screen"),
    ActionSpec("parameters", "Show parameters", ("P",), "mdi6.alpha-p-box-outline", "Draw the parameters", True),
    ActionSpec(
        "bookkeeping", "Show views and transposes", ("B",), "", "Draw ops that only look at the same numbers", True
    ),
    ActionSpec(
        "ghosts",
        "Show what this step lacks",
        ("G",),
        "",
        "Draw what other steps have and this one lacks, faintly, in its place",
        True,
    ),
    ActionSpec("animate", "Animate changes", (), "", "Let the graph slide from one layout to the next", True),
    ActionSpec("forward_only", "Show forward-only calls", ("N",), "", "Draw module calls that ran without grad", True),
    ActionSpec(
        "show_source",
        "Show source",
        ("F4",),
        "mdi6.code-tags",
        "Show the file that made the selected node, at its line",
    ),
    ActionSpec(
        "open_source",
        "Open in editor",
        ("Ctrl+Shift+O",),
        "mdi6.open-in-new",
        "Open the file that made the selected node in your editor, at its line",
    ),
    ActionSpec("choose_editor", "Choose editor…", (), "", "Choose what source lines are opened with"),
    ActionSpec(
        "copy_source",
        "Copy source location",
        ("Ctrl+Shift+C",),
        "mdi6.content-copy",
        "Copy the file and line that made the selected node",
    ),
    ActionSpec(
        "find", "Find in graph…", ("Ctrl+F",), "mdi6.magnify", "Find ops, modules, parameters and shapes in this step"
    ),
    ActionSpec(
        "find_steps", "Find steps…", ("Ctrl+Alt+F",), "", "Find the steps in which something holds, on the timeline"
    ),
    ActionSpec("find_next", "Find next", ("F3",), "mdi6.chevron-down", "Show the next of what was found"),
    ActionSpec(
        "find_previous", "Find previous", ("Shift+F3",), "mdi6.chevron-up", "Show the one before of what was found"
    ),
    ActionSpec("find_row", "Find in statistics…", ("Ctrl+Shift+F",), "", "Filter the tables of what was measured"),
    ActionSpec("back", "Back", ("Alt+Left",), "mdi6.arrow-left", "Look where you looked before"),
    ActionSpec("forward", "Forward", ("Alt+Right",), "mdi6.arrow-right", "Look where you went back from"),
    ActionSpec(
        "mark_upstream", "Highlight ancestors", ("Ctrl+Up",), "", "Highlight all that flows into the selected box"
    ),
    ActionSpec(
        "mark_downstream",
        "Highlight descendants",
        ("Ctrl+Down",),
        "",
        "Highlight all that the selected box flows into",
    ),
    ActionSpec(
        "mark_path",
        "Highlight path to…",
        ("Shift+P",),
        "",
        "Highlight what lies between the selected box and the one you click next; or click that with Shift",
    ),
    ActionSpec("clear_marks", "Clear highlights", ("Ctrl+Backspace",), "", "Highlight nothing but the selection"),
    ActionSpec(
        "focus", "Focus on selection", ("O",), "mdi6.image-filter-center-focus", "Show only what is near the selection"
    ),
    ActionSpec("focus_more", "One hop more", ("Alt+Up",), "mdi6.plus", "Show more around what is focused on"),
    ActionSpec("focus_less", "One hop less", ("Alt+Down",), "mdi6.minus", "Show less around what is focused on"),
    ActionSpec(
        "focus_turn", "Turn focus", ("Shift+O",), "", "Show what is upstream, downstream, or both, one after the other"
    ),
    ActionSpec("leave_focus", "Leave focus", ("Alt+O",), "mdi6.close", "Show the whole graph again"),
    ActionSpec("next_coloring", "Next colouring", ("K",), "", "Colour by what comes next in the list"),
    ActionSpec("previous_coloring", "Previous colouring", ("Shift+K",), "", "Colour by what comes before in the list"),
    ActionSpec(
        "replay",
        "Replay backward",
        ("R",),
        "mdi6.rewind-outline",
        "Show in which order autograd runs the nodes of this step's backward",
        True,
    ),
    ActionSpec(
        "replay_play", "Play or pause replay", ("Shift+R",), "mdi6.play", "Let the nodes run one after the other"
    ),
    ActionSpec("replay_first", "First node of backward", ("Alt+Home",), "mdi6.skip-backward", "Begin at the loss"),
    ActionSpec("replay_back", "Previous node of backward", ("Alt+,",), "mdi6.step-backward", "Show the node before"),
    ActionSpec(
        "replay_forward", "Next node of backward", ("Alt+.",), "mdi6.step-forward", "Show the node that runs next"
    ),
    ActionSpec(
        "replay_last", "Last node of backward", ("Alt+End",), "mdi6.skip-forward", "Show the node that runs last"
    ),
    ActionSpec(
        "replay_select", "Select running node", ("Ctrl+Shift+R",), "mdi6.crosshairs", "Select the node that runs now"
    ),
    ActionSpec("legend", "Show legend", (), "", "Explain the colours in a corner of the graph", True),
    ActionSpec("minimap", "Show overview", (), "", "Show where in a large graph the view is", True),
    ActionSpec("theme_system", "System theme", (), "", "Light or dark as the desktop is", True, "theme"),
    ActionSpec("theme_light", "Light theme", (), "", "", True, "theme"),
    ActionSpec("theme_dark", "Dark theme", (), "", "", True, "theme"),
    ActionSpec("shortcuts", "Keyboard shortcuts", ("F1", "?"), "", "List every shortcut"),
    ActionSpec("about", "About Tapescope"),
)


UNTIL, COLOR, LEVEL, DEPTH = "until_", "color_", "level_", "depth_"


def all_specs() -> tuple[ActionSpec, ...]:
    """The table, and a row for each recording level, each condition that asks nothing, and each colouring."""
    until = (
        ActionSpec(
            f"{UNTIL}{name}",
            f"Continue until {condition(name).TITLE}",
            ("Ctrl+F5",) if name == "topology_changed" else (),
            "",
            f"Let the training run on and stop it when {condition(name).TITLE}",
        )
        for name in condition_names()
        if not fields_of(name)
    )
    color = (
        ActionSpec(f"{COLOR}{name}", coloring.TITLE, (), "", _color_tip(coloring), True, "coloring")
        for name, coloring in colorings().items()
    )
    level = (
        ActionSpec(f"{LEVEL}{choice.name}", sampling_text(choice.sampling), (), "", choice.tip, True, "level")
        for choice in CHOICES
    )
    depth = (
        ActionSpec(
            f"{DEPTH}{levels}",
            f"Expand to depth {levels}",
            (f"Ctrl+{levels}",),
            "",
            "Open only the outermost module calls" if levels == 1 else f"Open {levels} levels of module calls",
        )
        for levels in DEPTHS
    )
    return (*SPECS, *level, *until, *color, *depth)


def _color_tip(coloring: Coloring) -> str:
    """ "Colour by gradient norm; recorded at the level statistics"."""
    title = coloring.TITLE
    words = title[0].lower() + title[1:] if title[1].islower() else title
    needed = "" if coloring.LEVEL == "structure" else f"; recorded at the level {coloring.LEVEL}"
    return f"Colour by {words}{needed}"


class Actions(QObject):
    """The QActions by name, `actions["pause"]`; their enabled states follow the session."""

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        self._can_control = False
        self._can_stop = False
        self._is_playing = False
        self._theme: Theme | None = None
        self._groups: dict[str, QActionGroup] = {}
        self._actions = {spec.name: self._make(spec, window) for spec in all_specs()}
        self._connect()
        self.refresh()

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def __iter__(self) -> Iterator[QAction]:
        return iter(self._actions.values())

    def names(self, prefix: str) -> tuple[str, ...]:
        """The names that begin so, in the order of the table."""
        return tuple(name for name in self._actions if name.startswith(prefix))

    def set_reach(self, can_control: bool, can_stop: bool) -> None:
        """Whether commands reach the training process, and whether it can at least be ended."""
        self._can_control, self._can_stop = can_control, can_stop
        self.refresh()

    def refresh(self) -> None:
        """Enables what makes sense now."""
        session = self._session
        state, count = session.run_state, len(session.timeline)
        is_alive = state in ("starting", "running", "paused")
        has_graph = session.drawing is not None
        enabled = {
            "welcome": session.tape is not None,
            "export": has_graph,
            "pause": self._can_control and state == "running",
            "step": self._can_control and state in ("running", "paused"),
            "continue": self._can_control and state == "paused",
            "stop": is_alive and (self._can_control or self._can_stop),
            "first": session.step > 0,
            "previous": session.step > 0,
            "next": session.step < count - 1,
            "last": session.step < count - 1,
            "follow": is_alive,
            "previous_change": session.timeline.previous_change(session.step) is not None,
            "next_change": session.timeline.next_change(session.step) is not None,
        }
        enabled |= dict.fromkeys(
            ("fit", "zoom_in", "zoom_out", "actual_size", "open_all", "close_all", "default_depth"), has_graph
        )
        enabled |= dict.fromkeys((*self.names(UNTIL), "continue_until"), enabled["continue"])
        enabled["previous_hit"] = session.happenings.previous_hit(session.step) is not None
        enabled["next_hit"] = session.happenings.next_hit(session.step) is not None
        enabled |= dict.fromkeys(("next_coloring", "previous_coloring"), session.tape is not None)
        enabled |= dict.fromkeys(("find_row", "show_source"), session.tape is not None)
        enabled |= dict.fromkeys(("find", "find_steps", "find_next", "find_previous"), session.tape is not None)
        enabled |= dict.fromkeys(
            ("mark_upstream", "mark_downstream", "mark_path", "focus"),
            has_graph and bool(session.selection) and LINK not in session.selection,
        )
        enabled["clear_marks"] = bool(session.marks)
        enabled["replay"] = has_graph
        is_focused = session.options.focus is not None
        enabled |= dict.fromkeys(("focus_more", "focus_less", "focus_turn", "leave_focus"), is_focused)
        is_told = self._can_control and state in ("running", "paused")
        enabled |= dict.fromkeys((*self.names(LEVEL), "trace_sources"), is_told)
        enabled |= dict.fromkeys(("open_source", "copy_source"), source_of(session) is not None)
        enabled["go_to_origin"] = any(event.kind in LEADING for event in session.incidents)
        event = not_finite_event(session)
        has_last = event is not None and event.id in session.last_finite
        enabled |= dict.fromkeys(("go_to_last_finite", "compare_last_finite"), has_last)
        enabled["zoom_selection"] = has_graph and bool(session.selection)
        has_inside = inside_of(session.drawing, session.selection) is not None
        is_call = has_graph and session.selection in session.drawing.calls
        enabled["toggle_call"] = has_inside or is_call
        enabled |= dict.fromkeys(("open_call", "close_call", "fold_repeats", *self.names(DEPTH)), has_graph)
        enabled |= dict.fromkeys(("open_further", "open_below"), is_call)
        enabled["close_around"] = has_graph and bool(session.selection)
        has_folds = has_graph and bool(session.drawing.scene.layout.view.folds or session.options.unfolded)
        enabled["toggle_fold"] = has_folds and bool(session.selection)
        enabled["compare"] = has_graph or session.pinned_step is not None
        enabled["link_cameras"] = session.options.side_by_side
        has_differences = has_graph and bool(differing_keys(session.drawing.scene))
        enabled |= dict.fromkeys(("previous_difference", "next_difference"), has_differences)
        for name, is_enabled in enabled.items():
            self._actions[name].setEnabled(is_enabled)
        self._actions["follow"].setChecked(session.follows_live)
        self._show_pin()
        self.show_sampling()

    def _show_pin(self) -> None:
        """The same action lets go of the pinned step."""
        pinned, action = self._session.pinned_step, self._actions["compare"]
        action.setChecked(pinned is not None)
        text = self.tr("Compare with this step")
        if pinned is not None:
            text = self.tr("Stop comparing with step {0}").format(fmt.count(pinned))
        action.setText(text)
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{text} ({keys})")

    def show_sampling(self) -> None:
        """Checks the level that the tape says is recorded, if it is a choice; a click alone changes nothing."""
        for choice in CHOICES:
            self._actions[f"{LEVEL}{choice.name}"].setChecked(choice.sampling == self._session.sampling)

    def set_playing(self, is_playing: bool) -> None:
        """The same action plays and pauses."""
        if is_playing != self._is_playing:
            self._is_playing = is_playing
            self._show_playing()

    def _show_playing(self) -> None:
        theme, name = self._theme, "mdi6.pause" if self._is_playing else "mdi6.play"
        if theme is not None:
            icon = qtawesome.icon(name, color=theme.text, color_disabled=theme.disabled_text)
            self._actions["replay_play"].setIcon(icon)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for spec in SPECS:
            if spec.icon:
                icon = qtawesome.icon(spec.icon, color=theme.text, color_disabled=theme.disabled_text)
                self._actions[spec.name].setIcon(icon)
        self._show_playing()

    def _connect(self) -> None:
        session = self._session
        for fact in (
            session.tape_changed,
            session.step_changed,
            session.steps_appended,
            session.run_state_changed,
            session.follow_changed,
            session.selection_changed,
            session.drawing_changed,
            session.pinned_changed,
            session.options_changed,
            session.marks_changed,
            session.sampling_changed,
            session.incidents_changed,
            session.happenings_changed,
        ):
            fact.connect(self.refresh)

    def _make(self, spec: ActionSpec, window: QWidget) -> QAction:
        action = QAction(self.tr(spec.text), window)
        action.setObjectName(spec.name)
        action.setShortcuts([QKeySequence(keys) for keys in spec.shortcuts])
        action.setCheckable(spec.is_checkable)
        # A menu shows an icon in place of the check mark.
        action.setIconVisibleInMenu(not spec.is_checkable)
        tip = self.tr(spec.tip or spec.text)
        keys = f" ({action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)})" if spec.shortcuts else ""
        action.setToolTip(tip + keys)
        action.setStatusTip(tip)
        if spec.group:
            self._groups.setdefault(spec.group, QActionGroup(self)).addAction(action)
        window.addAction(action)
        return action
