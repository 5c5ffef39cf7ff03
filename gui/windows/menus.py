"""Which actions stand where: menus and toolbars as lists of the names in `gui.actions`, "" for a separator."""

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QMenuBar, QToolBar, QWidget

from gui.actions import COLOR, DEPTH, LEVEL, UNTIL, Actions
from gui.colorings import grouped
from gui.windows.color_button import ColorButton
from gui.windows.level_button import LevelButton
from gui.windows.toolbars import StateBar, ToolBar

MENUS = (
    ("&File", ("open", "run_script", "", "export", "", "welcome", "quit")),
    ("&Edit", ("undo", "redo", "", "freeze", "unfreeze")),
    ("&Run", ("pause", "step", "continue", "stop", "", "break_on_exception")),
    (
        "&Breakpoints",
        (
            *("add_breakpoint", "edit_breakpoint", "toggle_breakpoint", "delete_breakpoints", ""),
            *("break_module_ran", "break_module_not_run", "break_op_appears", "break_structure_is", ""),
            *("enable_breakpoints", "disable_breakpoints", "clear_breakpoints"),
        ),
    ),
    (
        "&Go",
        (
            *("previous", "next", "first", "last", "", "follow", "", "previous_change", "next_change", ""),
            *("previous_hit", "next_hit", "go_to_origin", "go_to_last_finite", "compare_last_finite", ""),
            *("replay", "replay_play", "replay_first", "replay_back", "replay_forward", "replay_last", "replay_select"),
        ),
    ),
    (
        "Gra&ph",
        (
            *("fit", "zoom_in", "zoom_out", "actual_size", "zoom_selection", ""),
            *("toggle_call", "open_call", "close_call", "open_further", "open_below", "close_around", ""),
            *("open_all", "close_all", "default_depth", "", "toggle_fold", "fold_repeats", ""),
            *("parameters", "bookkeeping", "forward_only", "ghosts", "", "legend", "minimap", ""),
            *("show_source", "open_source", "copy_source", "find_row"),
        ),
    ),
    (
        "&Navigate",
        (
            *("find", "find_steps", "find_next", "find_previous", "", "back", "forward", ""),
            *("mark_upstream", "mark_downstream", "mark_path", "clear_marks", ""),
            *("focus", "focus_more", "focus_less", "focus_turn", "leave_focus"),
        ),
    ),
    (
        "&Compare",
        (
            *("compare", "side_by_side", "link_cameras", ""),
            *("changes_only", "previous_difference", "next_difference"),
        ),
    ),
)
THEMES = ("theme_system", "theme_light", "theme_dark")
HELP = ("shortcuts", "about")
RUN_TOOLS = ("continue", "pause", "step", "stop")
BACK_TOOLS = ("previous_change", "first", "previous")
FORWARD_TOOLS = ("next", "last", "next_change")
GRAPH_TOOLS = ("find", "fit", "open_all", "close_all", "parameters")
FILE_TOOLS = ("", "export")


def fill_menu_bar(bar: QMenuBar, actions: Actions, view_menu: QMenu) -> None:
    """All menus; `view_menu` (docks) goes between Graph and Help, with the themes below the docks."""
    for title, names in MENUS:
        menu = bar.addMenu(bar.tr(title))
        _fill(menu, names, actions)
        if title == "&Run":
            menu.addSeparator()
            _fill(menu, (*actions.names(UNTIL), "continue_until"), actions)
            menu.addSeparator()
            _fill(menu.addMenu(bar.tr("Recording level")), actions.names(LEVEL), actions)
            _fill(menu, ("trace_sources",), actions)
        if title == "Gra&ph":
            menu.addSeparator()
            _fill(menu.addMenu(bar.tr("Expand to depth")), actions.names(DEPTH), actions)
            _fill(menu.addMenu(bar.tr("Colour by")), color_names(), actions)
    view_menu.addSeparator()
    _fill(view_menu.addMenu(bar.tr("Theme")), THEMES, actions)
    _fill(view_menu, ("animate", "choose_editor"), actions)
    bar.addMenu(view_menu)
    _fill(bar.addMenu(bar.tr("&Help")), HELP, actions)


def color_names() -> tuple[str, ...]:
    """The colourings' actions with a separator between groups, and how to go through them."""
    groups = (("", *(f"{COLOR}{name}" for name in group)) for group in grouped())
    return (*[name for group in groups for name in group][1:], "", "next_coloring", "previous_coloring")


def by_menu(actions: Actions) -> list[tuple[str, list[QAction]]]:
    """The title of each menu and all that is in it, its submenus' too; last what is in none."""
    further = {"&Run": (*actions.names(UNTIL), "continue_until", *actions.names(LEVEL), "trace_sources")}
    further["Gra&ph"] = (*actions.names(DEPTH), *color_names())
    menus = [(title, (*names, *further.get(title, ()))) for title, names in MENUS]
    menus += [("&View", (*THEMES, "animate", "choose_editor")), ("&Help", HELP)]
    groups = [(title.replace("&", ""), [actions[name] for name in names if name]) for title, names in menus]
    placed = {id(action) for _, group in groups for action in group}
    return [*groups, ("Elsewhere", [action for action in actions if id(action) not in placed])]


def make_toolbar(actions: Actions, step_box: QWidget, color_button: ColorButton, icon_px: int) -> ToolBar:
    """Run controls, the shown step between the ways to change it, the graph's tools."""
    bar = ToolBar(step_box.tr("Tools"), "tools", icon_px)
    _fill(bar, RUN_TOOLS, actions)
    bar.addSeparator()
    _fill(bar, BACK_TOOLS, actions)
    bar.addWidget(step_box)
    _fill(bar, (*FORWARD_TOOLS, "follow", ""), actions)
    _fill(bar, GRAPH_TOOLS, actions)
    _fill(color_button.menu(), color_names(), actions)
    bar.addWidget(color_button)
    _fill(bar, FILE_TOOLS, actions)
    return bar


def make_state_bar(actions: Actions, level_button: LevelButton, pill: QWidget, icon_px: int) -> StateBar:
    """What is recorded, and the run's state."""
    bar = StateBar(pill.tr("State of the run"), "state", icon_px)
    _fill(level_button.menu(), actions.names(LEVEL), actions)
    level_button.menu().addSeparator()
    _fill(level_button.menu(), ("trace_sources",), actions)
    level = bar.addWidget(level_button)
    level.setVisible(level_button.is_of_use)
    level_button.use_changed.connect(level.setVisible)
    bar.addWidget(pill)
    return bar


def _fill(place: QMenu | QToolBar, names: tuple[str, ...], actions: Actions) -> None:
    for name in names:
        if name:
            place.addAction(actions[name])
        else:
            place.addSeparator()
