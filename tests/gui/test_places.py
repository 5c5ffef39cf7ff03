"""Where the canvas looks after what was chosen outside of it; and what is said of a step that is not there."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.canvas.camera import MARGIN_PX, Camera, opening
from gui.canvas.canvas import GraphCanvas
from gui.canvas.look import head_of
from gui.windows.main_window import MainWindow
from gui.windows.step_box import StepBox
from tests.gui.test_navigation import DEEP, nested_tape, page, settle
from tracer.layout import Layout

__all__ = ["nested_tape", "page"]


def is_whole_in_view(canvas: GraphCanvas, key: str) -> bool:
    rect = canvas.rect_of(key)
    assert rect is not None
    left, top = canvas.camera.to_view(rect[0], rect[1])
    right, bottom = canvas.camera.to_view(rect[0] + rect[2], rect[1] + rect[3])
    return left >= 0 and top >= 0 and right <= canvas.width() and bottom <= canvas.height()


def layout_of(window: MainWindow) -> Layout:
    scene = window.graph.canvas.scene
    assert scene is not None
    return scene.layout


@pytest.mark.parametrize("name", ["depth_1", "depth_3", "close_all", "open_all", "default_depth"])
def test_what_opens_or_closes_the_whole_graph_takes_the_first_look_again(
    qtbot: QtBot, page: MainWindow, name: str
) -> None:
    canvas = page.graph.canvas
    page.workbench.session.set_options(open_calls=frozenset({"#0", "encoder#0", "encoder.1#0"}))
    settle(qtbot, page)
    canvas.zoom_by(0.2)
    canvas.pan(3_000.0, 2_000.0)
    page.actions_[name].trigger()
    settle(qtbot, page)
    first = canvas.camera
    assert first.scale >= opening(layout_of(page).size, (canvas.width(), canvas.height()), None).scale * 0.7
    assert any(is_whole_in_view(canvas, box.key) for box in layout_of(page).view.boxes)
    canvas.pan(5.0, 5.0)
    page.workbench.session.set_options(shows_parameters=False)
    settle(qtbot, page)
    assert canvas.camera.scale == first.scale and canvas.camera != first


def test_a_selection_in_sight_stays_where_it_is_when_the_whole_graph_opens(qtbot: QtBot, page: MainWindow) -> None:
    canvas = page.graph.canvas
    canvas.zoom_in()
    canvas.select("head#0")
    canvas.center_on("head#0")
    before, scale = canvas.camera.to_view(*top_middle(canvas, "head#0")), canvas.camera.scale
    page.actions_["open_all"].trigger()
    settle(qtbot, page)
    assert canvas.camera.to_view(*top_middle(canvas, "head#0")) == pytest.approx(before)
    assert canvas.camera.scale == scale


def test_the_module_that_swallows_the_selection_takes_its_place(qtbot: QtBot, page: MainWindow) -> None:
    session, canvas = page.workbench.session, page.graph.canvas
    session.open_all_calls()
    settle(qtbot, page)
    op = next(box.key for box in layout_of(page).view.boxes if box.group == DEEP)
    canvas.select(op)
    canvas.center_on(op)
    before = canvas.camera.to_view(*top_middle(canvas, op))
    page.actions_["depth_2"].trigger()
    settle(qtbot, page)
    assert canvas.selected_key not in ("", op)
    assert canvas.camera.to_view(*top_middle(canvas, canvas.selected_key)) == pytest.approx(before)


def test_opening_one_module_keeps_the_place(qtbot: QtBot, page: MainWindow) -> None:
    canvas = page.graph.canvas
    canvas.zoom_in()
    before = canvas.camera.to_view(*top_middle(canvas, "encoder#0"))
    canvas.activate("encoder#0")
    settle(qtbot, page)
    assert canvas.camera.to_view(*top_middle(canvas, "encoder#0")) == pytest.approx(before)


def top_middle(canvas: GraphCanvas, key: str) -> tuple[float, float]:
    rect = canvas.rect_of(key)
    assert rect is not None
    return rect[0] + rect[2] / 2, rect[1]


def test_what_is_selected_elsewhere_is_panned_into_sight(qtbot: QtBot, page: MainWindow) -> None:
    canvas, session = page.graph.canvas, page.workbench.session
    canvas.zoom_in()
    canvas.pan(0.0, 4_000.0)
    scale = canvas.camera.scale
    session.select("stem#0")
    assert is_whole_in_view(canvas, "stem#0") and canvas.camera.scale == scale
    seen = canvas.camera
    session.select("")
    session.select("stem#0")
    assert canvas.camera == seen


def test_neither_a_choice_in_the_canvas_nor_a_new_drawing_moves_to_the_selection(
    qtbot: QtBot, page: MainWindow
) -> None:
    canvas, session = page.graph.canvas, page.workbench.session
    canvas.pan(0.0, 4_000.0)
    away = canvas.camera
    canvas.select("stem#0")
    assert session.selection == "stem#0" and canvas.camera == away
    session.go_to(1)
    settle(qtbot, page)
    assert canvas.selected_key == "stem#0" and canvas.camera == away


def test_of_what_is_larger_than_the_view_the_head_is_to_be_seen() -> None:
    camera = Camera(scale=2.0)
    assert head_of((1.0, 2.0, 3.0, 4.0), camera, (400.0, 300.0)) == (1.0, 2.0, 3.0, 4.0)
    head = head_of((-50.0, 900.0, 5_000.0, 6_000.0), camera, (400.0, 300.0))
    seen = camera.revealing(head, (400.0, 300.0))
    assert seen.to_view(-50.0, 900.0) == pytest.approx((MARGIN_PX, MARGIN_PX))


def test_a_step_that_is_not_there_is_refused_in_the_status_bar(qtbot: QtBot, page: MainWindow) -> None:
    session, box = page.workbench.session, page.findChild(StepBox)
    session.go_to(2)
    for typed in ("12", "4", "99999999999999"):
        page.statusBar().clearMessage()
        box.spin.selectAll()
        qtbot.keyClicks(box.spin, typed)
        qtbot.keyClick(box.spin, Qt.Key.Key_Return)
        assert page.statusBar().currentMessage() == "The run has steps 0 to 3"
        assert (session.step, box.spin.value()) == (2, 2)
    page.statusBar().clearMessage()
    box.spin.selectAll()
    qtbot.keyClicks(box.spin, "3")
    qtbot.keyClick(box.spin, Qt.Key.Key_Return)
    assert session.step == 3 and not page.statusBar().currentMessage()


def test_the_second_step_box_refuses_too(qtbot: QtBot, page: MainWindow, nested_tape: Path) -> None:
    spin = page.graph.bar.spin
    spin.selectAll()
    qtbot.keyClicks(spin, "7")
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert page.statusBar().currentMessage() == "The run has steps 0 to 3"
    assert page.workbench.session.pinned_step is None
