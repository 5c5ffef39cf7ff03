"""The backward replayed: where it stands, what it says, what it marks on the canvas."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot

from gui.canvas.camera import Camera
from gui.canvas.renderer import Renderer
from gui.canvas.replay import Replay, paint_replay
from gui.course import Course, course_of, pass_text, running_text
from gui.playback import Playback
from gui.replaying import Replaying
from gui.theme import LIGHT
from gui.windows.main_window import MainWindow
from gui.windows.replay_bar import LEAST_SLIDER_PX
from tests.gui.conftest import record
from tracer.model.backward_order import backward_order

PENALTY = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    optimizer.zero_grad()
    data = torch.randn(5, 4, requires_grad=True)
    loss = model(data).mean()
    (gradient,) = torch.autograd.grad(loss, data, create_graph=True)
    (loss + gradient.square().sum()).backward()
    optimizer.step()
"""


@pytest.fixture(scope="module")
def penalty_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three steps of two passes each: `autograd.grad`, then a backward through it."""
    return record(tmp_path_factory.mktemp("tapes"), "penalty", PENALTY)


# -- where it stands


def test_a_playback_runs_by_the_time_that_passed_and_stops_at_the_end() -> None:
    playback = Playback(5)
    playback.speed = 10
    playback.play()
    assert not playback.tick(0.05) and playback.position == 0
    assert playback.tick(0.05) and playback.position == 1
    assert playback.tick(0.25) and playback.position == 3
    assert playback.tick(9.0) and playback.position == 5 and not playback.is_playing
    assert not playback.tick(9.0)


def test_play_at_the_end_begins_anew() -> None:
    playback = Playback(3)
    playback.go_to(3)
    playback.play()
    assert playback.is_playing and playback.position == 0


def test_moving_by_hand_pauses_and_stays_within_the_pass() -> None:
    playback = Playback(3)
    playback.play()
    playback.move(1)
    assert playback.position == 1 and not playback.is_playing
    playback.move(-7)
    assert playback.position == 0
    playback.move(7)
    assert playback.position == 3


def test_nothing_to_play_does_not_play() -> None:
    playback = Playback()
    playback.play()
    assert not playback.is_playing and not playback.tick(1.0) and playback.position == 0


# -- in the window


def opened(window: MainWindow, qtbot: QtBot, tape: Path, step: int = 0) -> Replaying:
    window.workbench.open_tape(tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None)
    session.go_to(step)
    qtbot.waitUntil(lambda: session.drawing is not None and session.drawing.step.index == step)
    window.actions_["replay"].trigger()
    return wait_for_course(window, qtbot, step)


def wait_for_course(window: MainWindow, qtbot: QtBot, step: int) -> Replaying:
    replaying = window.graph.replaying
    qtbot.waitUntil(lambda: replaying.course is not None and replaying.course.step == step)
    return replaying


def course(replaying: Replaying) -> Course:
    assert replaying.course is not None
    return replaying.course


def test_the_bar_shows_only_while_a_backward_is_replayed(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    window.workbench.open_tape(recorded_tape)
    qtbot.waitUntil(lambda: window.workbench.session.drawing is not None)
    assert not window.graph.replay_bar.isVisible() and window.graph.replaying.course is None
    window.actions_["replay"].trigger()
    replaying = wait_for_course(window, qtbot, 0)
    assert window.graph.replay_bar.isVisible() and window.graph.canvas.replay is None
    replaying.forward()
    assert window.graph.canvas.replay is not None
    window.actions_["replay"].trigger()
    assert not window.graph.replay_bar.isVisible() and window.graph.canvas.replay is None


def test_keys_step_through_the_nodes_in_autograds_order(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    replaying = opened(window, qtbot, recorded_tape, 1)
    order = backward_order(course(replaying).graph, 0)
    alt = Qt.KeyboardModifier.AltModifier
    window.graph.canvas.setFocus()
    for at in range(3):
        qtbot.keyClick(window.graph.canvas, Qt.Key.Key_Period, alt)
        assert replaying.running_key == order[at]
    qtbot.keyClick(window.graph.canvas, Qt.Key.Key_Comma, alt)
    assert replaying.running_key == order[1]
    qtbot.keyClick(window.graph.canvas, Qt.Key.Key_End, alt)
    assert replaying.running_key == order[-1] and not window.actions_["replay_forward"].isEnabled()
    qtbot.keyClick(window.graph.canvas, Qt.Key.Key_Home, alt)
    assert replaying.running_key == order[0] == "NllLossBackward0:0"
    assert window.graph.replay_bar.place.text() == f"1 of {len(order)}"


def test_at_the_last_node_every_box_of_the_backward_has_run(
    window: MainWindow, qtbot: QtBot, recorded_tape: Path
) -> None:
    replaying = opened(window, qtbot, recorded_tape, 1)
    found = course(replaying)
    boxes = window.graph.canvas.scene.boxes
    replaying.go_to(4)
    ran = set(found.order[:4])
    shares = window.graph.canvas.replay.shares
    for box, share in zip(boxes, shares.tolist(), strict=True):
        of_pass = [member for member in box.members if member in found.order]
        assert share == (sum(member in ran for member in of_pass) / len(of_pass) if of_pass else 0)
    replaying.last()
    ends = {box.key for box, share in zip(boxes, window.graph.canvas.replay.shares, strict=True) if share == 1}
    assert ends == {box.key for box in boxes if set(box.members) & set(found.order)}


def test_a_node_in_a_closed_module_shows_on_its_box_and_a_hidden_one_on_its_frame(
    window: MainWindow, qtbot: QtBot, recorded_tape: Path
) -> None:
    replaying = opened(window, qtbot, recorded_tape, 0)
    session, canvas = window.workbench.session, window.graph.canvas
    before = canvas.scene.layout
    session.open_all_calls()
    qtbot.waitUntil(lambda: canvas.scene.layout is not before and course(replaying).layout is canvas.scene.layout)
    replaying.go_to(course(replaying).order.index("output#0/TBackward0:0") + 1)
    view, opened_layout = canvas.scene.layout.view, canvas.scene.layout
    assert not len(canvas.replay.boxes)  # a transpose is bookkeeping, which is not drawn
    assert [view.groups[row].key for row in canvas.replay.groups] == ["output#0"]
    position = replaying.playback.position
    session.close_all_calls()
    qtbot.waitUntil(lambda: canvas.scene.layout is not opened_layout)
    qtbot.waitUntil(lambda: course(replaying).layout is canvas.scene.layout)
    assert replaying.playback.position == position and len(canvas.replay.boxes) == 1
    assert canvas.scene.boxes[canvas.replay.boxes[0]].kind == "module"
    assert 0 < canvas.replay.shares[canvas.replay.boxes[0]] < 1


def test_what_the_step_lacks_is_no_part_of_its_backward(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    script = PENALTY.replace("(loss + gradient.square().sum())", "(2 * loss if step else loss + model(data).mean())")
    replaying = opened(window, qtbot, record(tmp_path, "ghosts", script), 1)
    window.workbench.session.close_all_calls()
    qtbot.waitUntil(lambda: any(box.key == "#1" for box in window.graph.canvas.scene.boxes))
    qtbot.waitUntil(lambda: course(replaying).layout is window.graph.canvas.scene.layout)
    replaying.choose_pass(1)
    qtbot.waitUntil(lambda: replaying.course is not None and replaying.course.pass_index == 1)
    replaying.last()
    scene, shares = window.graph.canvas.scene, window.graph.canvas.replay.shares
    ghost = next(row for row, box in enumerate(scene.boxes) if box.key == "#1")
    assert not scene.fit.is_present[ghost] and "0.weight" in scene.boxes[ghost].members
    assert shares[ghost] == 0 and shares[[box.key for box in scene.boxes].index("#0")] == 1


def test_another_step_begins_anew_and_keeps_the_bar(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    replaying = opened(window, qtbot, recorded_tape, 0)
    replaying.go_to(7)
    window.workbench.session.go_to(1)
    wait_for_course(window, qtbot, 1)
    assert replaying.playback.position == 0 and window.graph.canvas.replay is None
    assert window.graph.replay_bar.isVisible()
    assert replaying.playback.count == len(backward_order(window.workbench.session.drawing.graph, 0))


def test_another_theme_stays_at_the_node(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    replaying = opened(window, qtbot, recorded_tape, 0)
    replaying.go_to(7)
    with qtbot.waitSignal(window.workbench.session.drawing_changed):
        window.actions_["theme_dark"].trigger()
    assert replaying.playback.position == 7 and window.graph.canvas.replay is not None


def test_playing_reaches_the_last_node_and_stops(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    replaying = opened(window, qtbot, recorded_tape, 0)
    bar = window.graph.replay_bar
    bar.speed.setCurrentIndex(bar.speed.count() - 1)
    assert replaying.playback.speed == 3000
    seen: list[int] = []
    replaying.changed.connect(lambda: seen.append(replaying.playback.position))
    qtbot.keyClick(window.graph.canvas, Qt.Key.Key_R, Qt.KeyboardModifier.ShiftModifier)
    assert replaying.playback.is_playing
    qtbot.waitUntil(lambda: not replaying.playback.is_playing)
    assert replaying.playback.position == len(course(replaying)) and seen == sorted(seen)


def test_a_narrow_bar_keeps_its_slider(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    opened(window, qtbot, recorded_tape)
    bar = window.graph.replay_bar
    for width, has_room in ((900, True), (420, False)):
        bar.resize(width, bar.height())
        assert bar.slider.width() >= LEAST_SLIDER_PX
        assert bar.speed.isVisible() == bar.how.isVisible() == has_room


def test_space_plays_and_pauses_in_the_bar(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    playback, slider = opened(window, qtbot, recorded_tape).playback, window.graph.replay_bar.slider
    for is_playing in (True, False):
        qtbot.keyClick(slider, Qt.Key.Key_Space)
        assert playback.is_playing == is_playing


def test_what_has_run_is_tinted_in_the_shape_of_its_box(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    opened(window, qtbot, recorded_tape)
    scene = window.graph.canvas.scene
    assert scene is not None
    pill = next(row for row, box in enumerate(scene.boxes) if box.kind == "parameter")
    x, y, width, height = scene.layout.boxes[pill].tolist()
    image = QImage(round(width), round(height), QImage.Format.Format_RGB32)
    for share in (1.0, 0.5):
        image.fill(Qt.GlobalColor.white)
        shares = np.zeros(len(scene.boxes))
        shares[pill] = share
        nothing = np.zeros(0, np.int64)
        painter = QPainter(image)
        replay = Replay(scene.layout, shares, nothing, nothing)
        paint_replay(painter, Renderer(scene, LIGHT), replay, (x, y, width, height), Camera(x, y, 1.0))
        painter.end()
        right, bottom = image.width() - 1, image.height() - 1
        corners = ((0, 0), (right, 0), (0, bottom), (right, bottom))
        assert {image.pixelColor(*corner).name() for corner in corners} == {"#ffffff"}
        assert image.pixelColor(right // 2, bottom - 2).name() != "#ffffff"
        assert (image.pixelColor(right // 2, 2).name() == "#ffffff") == (share < 1)


def test_the_slider_scrubs(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    replaying = opened(window, qtbot, recorded_tape, 0)
    window.graph.replay_bar.slider.setValue(5)
    assert replaying.playback.position == 5
    qtbot.keyClick(window.graph.replay_bar.slider, Qt.Key.Key_Up)
    assert replaying.playback.position == 6


def test_the_running_node_can_be_selected(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    replaying = opened(window, qtbot, recorded_tape, 0)
    replaying.go_to(3)
    window.actions_["replay_select"].trigger()
    assert window.workbench.session.selection == replaying.running_key != ""


def test_the_canvas_is_painted_anew_where_the_backward_is(
    window: MainWindow, qtbot: QtBot, recorded_tape: Path
) -> None:
    replaying = opened(window, qtbot, recorded_tape, 0)
    canvas = window.graph.canvas
    replaying.go_to(1)
    qtbot.wait(400)  # the flight there
    row = int(canvas.replay.boxes[0])
    x, y, _, height = canvas.scene.layout.boxes[row].tolist()
    left, middle = canvas.camera.to_view(x, y + height / 2)
    image = canvas.grab().toImage()
    colors = {image.pixelColor(round(left) - off, round(middle)).name() for off in range(6)}
    assert QColor(window._appearance.theme.backward).name() in colors


def test_each_pass_can_be_chosen(window: MainWindow, qtbot: QtBot, penalty_tape: Path) -> None:
    replaying = opened(window, qtbot, penalty_tape, 1)
    bar, graph = window.graph.replay_bar, window.workbench.session.drawing.graph
    assert bar.passes.isVisible() and course(replaying).passes == (0, 1)
    assert bar.passes.itemText(0) == "Pass 1: autograd.grad"
    assert course(replaying).order == backward_order(graph, 0, accumulates=False)
    replaying.go_to(2)
    bar.passes.setCurrentIndex(1)
    bar.passes.activated.emit(1)
    qtbot.waitUntil(lambda: replaying.course is not None and replaying.course.pass_index == 1)
    assert course(replaying).order == backward_order(graph, 1) and replaying.playback.position == 0
    assert not course(replaying).is_recorded and bar.how.text() == "order computed"


def test_the_line_says_what_runs_and_what_was_measured(window: MainWindow, qtbot: QtBot, full_tape: Path) -> None:
    replaying = opened(window, qtbot, full_tape, 1)
    drawing, order = window.workbench.session.drawing, course(replaying).order
    assert course(replaying).is_recorded and window.graph.replay_bar.how.text() == "order recorded"
    replaying.go_to(order.index("decoder#0/LogBackward0:0") + 1)
    text = window.graph.replay_bar.text.text()
    assert "in decoder" in text and "spoilt.py:11" in text and "backward " in text
    norm = drawing.statistics.parameters.row("encoder.weight")["grad_norm"]
    assert running_text(drawing, "encoder.weight").startswith("Accumulates the gradient of encoder.weight")
    assert f"{norm:.4f}"[:5] in running_text(drawing, "encoder.weight")


def test_a_step_without_a_known_pass_has_nothing_to_replay(
    window: MainWindow, qtbot: QtBot, recorded_tape: Path
) -> None:
    opened(window, qtbot, recorded_tape, 0)
    drawing = window.workbench.session.drawing
    assert pass_text(drawing.step, 0).startswith("1: backward, loss ") and pass_text(drawing.step, 9) == "10: backward"
    bare = drawing.graph.copy()
    bare.remove_nodes_from([key for key, data in drawing.graph.nodes(data=True) if data["kind"] == "output"])
    assert not backward_order(bare, 0)
    assert len(course_of(drawing.step, drawing.scene, 7)) == len(backward_order(drawing.graph, 0))


def test_closing_the_tape_ends_the_replay(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    replaying = opened(window, qtbot, recorded_tape, 0)
    replaying.toggle_play()
    window.workbench.close_tape()
    assert replaying.course is None and not replaying.playback.is_playing and not replaying.running_key
    assert window.graph.canvas.replay is None


def test_shares_and_rows_of_a_course_agree() -> None:
    starts, rows = np.array([0, 1, 1, 3]), np.array([1, 0, 1])
    found = Course(0, None, None, (0,), 0, ("a", "b", "c"), False, starts, rows, np.array([1, 2]))
    assert [found.shares(at).tolist() for at in range(4)] == [[0, 0], [0, 0.5], [0, 0.5], [1, 1]]
    assert [found.rows_at(at).tolist() for at in range(4)] == [[], [1], [], [0, 1]]
