"""Finding one's way in the real window: search, back and forward, highlights, focus, breadcrumbs."""

from collections import Counter
from pathlib import Path

import networkx as nx
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from gui import finder
from gui.actions import all_specs
from gui.crumbs import elided
from gui.marks import FOUND
from gui.windows.main_window import MainWindow
from gui.windows.navigation import Navigation
from tests.gui.conftest import record
from tracer.model.call_keys import call_keys
from tracer.model.focus import BOTH, DOWNSTREAM

SOON_MSECS = 60_000

NESTED = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.second = nn.Linear(16, 8)

    def forward(self, x):
        return x + self.second(self.first(x).relu())

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.encoder = nn.Sequential(Block(), nn.Sequential(Block(), nn.Tanh()))
        self.head = nn.Linear(8, 2)
        self.side = nn.Linear(8, 2)

    def forward(self, x, with_side):
        stem = self.stem(x)
        out = self.head(self.encoder(stem))
        return out + self.side(stem) if with_side else out

torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    optimizer.zero_grad()
    model(torch.randn(3, 4), step % 2 == 0).sum().backward()
    optimizer.step()
"""
DEEP = "encoder.1.0.second#0"


@pytest.fixture(scope="module")
def nested_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules three deep; every second step lacks a branch."""
    return record(tmp_path_factory.mktemp("tapes"), "nested", NESTED)


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, nested_tape: Path) -> MainWindow:
    """The window with the tape's first step, all modules but the model closed."""
    window.commands.open_path(nested_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: len(session.timeline) == 4, timeout=SOON_MSECS)
    session.set_options(open_calls=frozenset({"#0"}))
    settle(qtbot, window)
    window.graph.canvas.animates = False
    return window


def settle(qtbot: QtBot, window: MainWindow) -> None:
    """Until the shown step is drawn as it was asked for."""
    session = window.workbench.session

    def is_drawn() -> bool:
        drawing = session.drawing
        return (
            drawing is not None
            and drawing.question.options == session.options
            and drawing.step.index == session.step
            and window.graph.canvas.scene is drawing.scene
        )

    qtbot.waitUntil(is_drawn, timeout=SOON_MSECS)


def navigation(window: MainWindow) -> Navigation:
    return window.graph.navigation


def search(qtbot: QtBot, window: MainWindow, text: str) -> Navigation:
    window.actions_["find"].trigger()
    way = navigation(window)
    with qtbot.waitSignal(way.finder.changed, timeout=SOON_MSECS):
        way.search_bar.field.setText(text)
    return way


def middle(window: MainWindow) -> tuple[float, float]:
    canvas = window.graph.canvas
    return canvas.camera.to_scene(canvas.width() / 2, canvas.height() / 2)


def is_in_the_middle(window: MainWindow, key: str) -> bool:
    rect = window.graph.canvas.rect_of(key)
    if rect is None:
        return False
    return middle(window) == pytest.approx((rect[0] + rect[2] / 2, rect[1] + rect[3] / 2), abs=1.0)


def highlighted(window: MainWindow) -> set[str]:
    canvas = window.graph.canvas
    assert canvas.highlight is not None
    assert canvas.scene is not None
    assert canvas.highlight.layout is canvas.scene.layout
    view = canvas.scene.layout.view
    boxes = {view.boxes[row].key for row in canvas.highlight.boxes.tolist()}
    return boxes | {view.groups[row].key for row in canvas.highlight.groups.tolist()}


# -- search


def test_a_find_in_a_closed_module_highlights_the_module(qtbot: QtBot, page: MainWindow) -> None:
    way = search(qtbot, page, "tanh")
    assert way.finder.found == ("encoder.1.1#0",)
    assert highlighted(page) == {"encoder#0"}
    assert way.search_bar.count.text() == "1 found"


def test_enter_opens_what_is_around_a_find_and_centres_on_it(qtbot: QtBot, page: MainWindow) -> None:
    way = search(qtbot, page, "tanh")
    qtbot.keyClick(way.search_bar.field, Qt.Key.Key_Return)
    settle(qtbot, page)
    assert is_in_the_middle(page, "encoder.1.1#0")
    assert highlighted(page) == {"encoder.1.1#0"}
    assert way.search_bar.count.text() == "1 of 1"
    assert page.workbench.session.selection == "encoder.1.1#0"


def test_enter_and_shift_enter_go_round_in_both_directions(qtbot: QtBot, page: MainWindow) -> None:
    way = search(qtbot, page, "linear")
    count = len(way.finder.found)
    assert count == 7
    visited = []
    for _ in range(count + 1):
        qtbot.keyClick(way.search_bar.field, Qt.Key.Key_Return)
        settle(qtbot, page)
        visited.append(page.workbench.session.selection)
    assert visited == [*way.finder.found, way.finder.found[0]]
    qtbot.keyClick(way.search_bar.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert way.search_bar.count.text() == f"{count} of {count}"
    page.actions_["find_next"].trigger()
    assert way.search_bar.count.text() == f"1 of {count}"


def test_an_index_that_takes_many_turns_is_waited_for(
    qtbot: QtBot, page: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "TURN_SECS", -1.0)
    page.actions_["find"].trigger()
    way = navigation(page)
    way.search_bar.field.setText("tanh")
    qtbot.keyClick(way.search_bar.field, Qt.Key.Key_Return)
    assert way.finder.found == ()
    qtbot.waitUntil(lambda: page.workbench.session.selection == "encoder.1.1#0", timeout=SOON_MSECS)
    assert way.finder.found == ("encoder.1.1#0",)
    settle(qtbot, page)
    assert is_in_the_middle(page, "encoder.1.1#0")


def test_a_search_closed_before_its_index_was_made_marks_nothing(
    qtbot: QtBot, page: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "TURN_SECS", -1.0)
    page.actions_["find"].trigger()
    way = navigation(page)
    way.search_bar.field.setText("tanh")
    way.finder.next()
    qtbot.keyClick(way.search_bar.field, Qt.Key.Key_Escape)
    with qtbot.assertNotEmitted(way.finder.changed, wait=50):
        pass
    assert not page.workbench.session.marks
    assert page.workbench.session.selection == ""


def test_nothing_found_is_said(qtbot: QtBot, page: MainWindow) -> None:
    way = search(qtbot, page, "nowhere")
    assert way.search_bar.count.text() == "Nothing found"
    assert page.graph.canvas.highlight is None
    page.actions_["find_next"].trigger()


def test_escape_closes_the_search_and_its_highlights(qtbot: QtBot, page: MainWindow) -> None:
    way = search(qtbot, page, "linear")
    assert page.workbench.session.marks.kind == FOUND
    qtbot.keyClick(way.search_bar.field, Qt.Key.Key_Escape)
    assert way.search_bar.isHidden()
    assert page.graph.canvas.highlight is None
    assert not page.workbench.session.marks


def test_another_step_is_searched_as_it_comes(qtbot: QtBot, page: MainWindow) -> None:
    way = search(qtbot, page, "side")
    assert way.finder.found[0] == "side#0"
    page.workbench.session.go_to(1)
    settle(qtbot, page)
    assert way.finder.found == ()
    assert way.search_bar.count.text() == "Nothing found"
    page.workbench.session.go_to(2)
    settle(qtbot, page)
    assert way.finder.found[0] == "side#0"
    assert highlighted(page) == {"side#0"}


def test_escape_in_the_graph_closes_a_search_that_found_nothing(qtbot: QtBot, page: MainWindow) -> None:
    way = search(qtbot, page, "nowhere")
    qtbot.keyClick(page.graph.canvas, Qt.Key.Key_Escape)
    assert way.search_bar.isHidden()


# -- bringing into view


def test_a_double_click_in_the_module_tree_opens_what_is_around_and_centres(qtbot: QtBot, page: MainWindow) -> None:
    tree = page.modules.tree
    qtbot.waitUntil(lambda: page.modules.model.find(DEEP).isValid(), timeout=SOON_MSECS)
    tree.doubleClicked.emit(page.modules.model.find(DEEP))
    settle(qtbot, page)
    assert page.workbench.session.selection == DEEP
    assert is_in_the_middle(page, DEEP)


def test_the_module_tree_is_never_wider_than_its_dock(qtbot: QtBot, page: MainWindow) -> None:
    tree = page.modules.tree
    qtbot.waitUntil(lambda: page.modules.model.find(DEEP).isValid(), timeout=SOON_MSECS)
    for width in (140, 400):
        page.resizeDocks([page.modules], [width], Qt.Orientation.Horizontal)
        qtbot.waitUntil(lambda: tree.header().length() <= tree.viewport().width(), timeout=SOON_MSECS)
        assert tree.horizontalScrollBar().maximum() == 0


# -- back and forward


def test_back_closes_again_what_a_jump_opened_and_looks_where_it_looked(qtbot: QtBot, page: MainWindow) -> None:
    session, canvas = page.workbench.session, page.graph.canvas
    canvas.pan(33.0, -21.0)
    before = canvas.camera
    session.reveal(DEEP)
    settle(qtbot, page)
    there = canvas.camera
    page.actions_["back"].trigger()
    settle(qtbot, page)
    assert session.options.open_calls == frozenset({"#0"})
    assert (canvas.camera.x, canvas.camera.y) == pytest.approx((before.x, before.y))
    page.actions_["forward"].trigger()
    settle(qtbot, page)
    assert session.selection == DEEP
    assert (canvas.camera.x, canvas.camera.y) == pytest.approx((there.x, there.y))


def test_back_and_forward_are_offered_only_where_they_lead_somewhere(qtbot: QtBot, page: MainWindow) -> None:
    back, forward = page.actions_["back"], page.actions_["forward"]
    while back.isEnabled():
        back.trigger()
        settle(qtbot, page)
    page.graph.canvas.pan(200.0, 0.0)
    assert not back.isEnabled()
    page.graph.canvas.fit()
    assert back.isEnabled()
    back.trigger()
    assert forward.isEnabled()


def test_another_tape_has_a_history_of_its_own(qtbot: QtBot, page: MainWindow) -> None:
    page.graph.canvas.fit()
    page.workbench.close_tape()
    assert not page.actions_["back"].isEnabled()


# -- highlights


def test_ancestors_are_those_of_networkx_and_are_counted(qtbot: QtBot, page: MainWindow) -> None:
    session = page.workbench.session
    assert session.drawing is not None
    graph = session.drawing.graph
    session.select("head#0")
    page.actions_["mark_upstream"].trigger()
    nodes = {key for key, call in graph.nodes(data="call_key") if call == "head#0"}
    own = {"head.weight", "head.bias"} | nodes
    expected = set().union(*(nx.ancestors(graph, node) for node in nodes)) - own
    assert session.marks.keys - own == expected
    assert page.statusBar().currentMessage() == f"Upstream of head: {len(expected)} nodes"
    assert highlighted(page) >= {"stem#0", "encoder#0", "head#0"}
    assert "side#0" not in highlighted(page)


def test_highlights_follow_the_step(qtbot: QtBot, page: MainWindow) -> None:
    session = page.workbench.session
    session.select("stem#0")
    page.actions_["mark_downstream"].trigger()
    assert "side#0" in highlighted(page)
    session.go_to(1)
    settle(qtbot, page)
    assert "side#0" not in highlighted(page)


def test_a_path_is_asked_for_with_the_next_click(qtbot: QtBot, page: MainWindow) -> None:
    session, canvas = page.workbench.session, page.graph.canvas
    session.select("stem#0")
    page.actions_["mark_path"].trigger()
    canvas.select("head#0")
    assert highlighted(page) == {"stem#0", "encoder#0", "head#0"}
    assert page.statusBar().currentMessage().startswith("Between stem and head: ")


def test_no_path_is_said(qtbot: QtBot, page: MainWindow) -> None:
    page.workbench.session.select("side#0")
    page.graph.canvas.second_chosen.emit("encoder#0")
    assert page.statusBar().currentMessage() == "No path between side and encoder"


def test_clearing_the_highlights_clears_the_line_about_them(qtbot: QtBot, page: MainWindow) -> None:
    page.workbench.session.select("head#0")
    page.actions_["mark_upstream"].trigger()
    page.actions_["clear_marks"].trigger()
    assert page.graph.canvas.highlight is None
    assert page.statusBar().currentMessage() == ""
    assert not page.actions_["clear_marks"].isEnabled()


# -- focus


def drawn(window: MainWindow) -> set[str]:
    scene = window.graph.canvas.scene
    assert scene is not None
    return {box.key for box in scene.layout.view.boxes}


def test_focus_shows_what_is_near_and_escape_shows_everything_again(qtbot: QtBot, page: MainWindow) -> None:
    session, everything = page.workbench.session, drawn(page)
    session.select("stem#0")
    page.actions_["focus"].trigger()
    page.actions_["focus_less"].trigger()
    settle(qtbot, page)
    assert drawn(page) == {"stem#0", "encoder#0", "side#0"}
    assert navigation(page).focus_bar.isVisible()
    bar = navigation(page).focus_bar
    assert (bar.text.text(), bar.hops.text()) == ("Focused on stem", "1 hop")
    session.select("")
    qtbot.keyClick(page.graph.canvas, Qt.Key.Key_Escape)
    settle(qtbot, page)
    assert drawn(page) == everything
    assert navigation(page).focus_bar.isHidden()


def test_the_direction_of_the_focus_can_be_chosen(qtbot: QtBot, page: MainWindow) -> None:
    session = page.workbench.session
    session.select("encoder#0")
    page.actions_["focus"].trigger()
    navigation(page).focus_bar.ways[DOWNSTREAM].click()
    settle(qtbot, page)
    assert session.options.focus is not None
    assert session.options.focus.direction == DOWNSTREAM
    assert "stem#0" not in drawn(page)
    assert {"encoder#0", "head#0"} <= drawn(page)
    page.actions_["focus_turn"].trigger()
    assert session.options.focus.direction == BOTH


def test_focus_stays_when_the_step_changes_and_when_what_it_is_on_is_closed(qtbot: QtBot, page: MainWindow) -> None:
    session = page.workbench.session
    session.reveal("encoder.0#0")
    settle(qtbot, page)
    page.actions_["focus"].trigger()
    session.go_to(1)
    settle(qtbot, page)
    assert "encoder.0#0" in drawn(page)
    session.close_all_calls()
    session.set_options(open_calls=frozenset({"#0"}))
    settle(qtbot, page)
    assert "encoder#0" in drawn(page)
    assert "loss" not in drawn(page) or "head#0" in drawn(page)


def test_a_link_is_nothing_to_focus_on(qtbot: QtBot, page: MainWindow) -> None:
    page.graph.canvas.select_link(0)
    assert not page.actions_["focus"].isEnabled()
    navigation(page).focusing.start()
    assert page.workbench.session.options.focus is None


def test_what_is_focused_on_comes_into_view(qtbot: QtBot, page: MainWindow) -> None:
    page.workbench.session.select("head#0")
    page.graph.canvas.pan(3000.0, 0.0)
    page.actions_["focus"].trigger()
    settle(qtbot, page)
    assert is_in_the_middle(page, "head#0")


def test_back_leaves_the_focus(qtbot: QtBot, page: MainWindow) -> None:
    page.workbench.session.select("stem#0")
    page.actions_["focus"].trigger()
    settle(qtbot, page)
    page.actions_["back"].trigger()
    settle(qtbot, page)
    assert page.workbench.session.options.focus is None


# -- breadcrumbs


def test_breadcrumbs_lead_from_the_model_to_the_selection_and_back(qtbot: QtBot, page: MainWindow) -> None:
    session, crumbs = page.workbench.session, navigation(page).breadcrumbs
    session.reveal(DEEP)
    settle(qtbot, page)
    qtbot.waitUntil(lambda: crumbs.texts == ["Net", "encoder", "1", "0", "second"], timeout=SOON_MSECS)
    button = next(button for button in crumbs.findChildren(QToolButton) if button.text() == "encoder")
    button.click()
    assert session.selection == "encoder#0"


def test_without_a_selection_breadcrumbs_say_what_the_view_is_in(qtbot: QtBot, page: MainWindow) -> None:
    session, crumbs = page.workbench.session, navigation(page).breadcrumbs
    session.reveal("encoder.1.0#0")
    settle(qtbot, page)
    session.select("")
    qtbot.waitUntil(lambda: crumbs.texts[:2] == ["Net", "encoder"], timeout=SOON_MSECS)


def test_where_there_is_little_room_the_middle_of_the_way_goes_first() -> None:
    assert elided([50, 50, 50, 50], 200, 20) == (1, 1)
    assert elided([50, 50, 50, 50], 190, 20) == (1, 2)
    assert elided([50, 50, 50, 50], 130, 20) == (1, 3)
    assert elided([50, 50], 10, 20) == (1, 1)


def test_narrow_breadcrumbs_keep_both_ends(qtbot: QtBot, page: MainWindow) -> None:
    session, crumbs = page.workbench.session, navigation(page).breadcrumbs
    session.reveal(DEEP)
    settle(qtbot, page)
    qtbot.waitUntil(lambda: len(crumbs.texts) == 5, timeout=SOON_MSECS)
    crumbs.setMaximumWidth(190)
    qtbot.waitUntil(lambda: "…" in crumbs.texts, timeout=SOON_MSECS)
    assert (crumbs.texts[0], crumbs.texts[-1]) == ("Net", "second")


# -- actions


def test_no_two_actions_have_the_same_keys() -> None:
    keys = Counter(key for spec in all_specs() for key in spec.shortcuts)
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_call_of_the_step_can_be_brought_into_view(qtbot: QtBot, page: MainWindow) -> None:
    session = page.workbench.session
    assert session.drawing is not None
    for key in call_keys(session.drawing.graph):
        session.reveal(key)
        settle(qtbot, page)
        stand_ins = navigation(page).navigator.stand_ins
        assert stand_ins is not None
        assert stand_ins.to_open(key) == frozenset()
