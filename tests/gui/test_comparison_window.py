"""Comparing steps in the real window: pinned, side by side, difference by difference, and as a picture."""

import subprocess
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from gui.appearance import Appearance
from gui.canvas.canvas import GraphCanvas
from gui.canvas.hit_testing import Hit
from gui.canvas.rows import box_row
from gui.canvas.states import State
from gui.differences import differing_keys
from gui.session import Session
from gui.settings import Settings
from gui.theme import DARK, LIGHT
from gui.windows.main_window import MainWindow
from gui.windows.run_pill import RunPill
from gui.workbench import Workbench
from tests.gui.growing_table import NO_STEPS
from tracer import Batch, Event, Tape
from tracer.launch import command as tapescope
from tracer.model.diff import diff

SOON_MSECS = 60_000


def wait_for_drawing(qtbot: QtBot, window: MainWindow) -> None:
    """Until what is drawn answers what the session asks now."""
    session = window.workbench.session

    def is_drawn() -> bool:
        drawing = session.drawing
        if drawing is None or drawing.step.index != session.step:
            return False
        question = drawing.question
        return question.options == session.options and session.pinned_step in (None, question.compared_step)

    qtbot.waitUntil(is_drawn, timeout=SOON_MSECS)


def open_at(qtbot: QtBot, window: MainWindow, tape: Path, step: int) -> None:
    window.workbench.open_tape(tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and len(session.timeline) == 6, timeout=SOON_MSECS)
    session.go_to(step)
    wait_for_drawing(qtbot, window)


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> MainWindow:
    """At step 0 of six, which read 3, 5, 5, 2, 4 and 3 words; modules as they open by default."""
    window.graph.canvas.animates = window.graph.panes.compared.canvas.animates = False
    open_at(qtbot, window, recorded_tape, 0)
    return window


@pytest.fixture
def doubled(qtbot: QtBot, opened: MainWindow) -> MainWindow:
    """Step 1 beside the pinned step 0."""
    opened.actions_["side_by_side"].trigger()
    opened.actions_["compare"].trigger()
    opened.workbench.session.go_to(1)
    wait_for_drawing(qtbot, opened)
    qtbot.waitUntil(lambda: opened.graph.panes.compared.canvas.scene is not None, timeout=SOON_MSECS)
    return opened


def canvases(window: MainWindow) -> tuple[GraphCanvas, GraphCanvas]:
    """The left, of the compared step, and the right."""
    return window.graph.panes.compared.canvas, window.graph.canvas


def turn_wheel(canvas: GraphCanvas) -> None:
    place = QPointF(canvas.rect().center())
    none = QPoint()
    buttons, modifiers = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    phase = Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(place, canvas.mapToGlobal(place), none, QPoint(0, 240), buttons, modifiers, phase, False)
    QApplication.sendEvent(canvas, event)


def test_a_pinned_step_stays_the_one_to_compare_with_until_let_go(qtbot: QtBot, opened: MainWindow) -> None:
    session = opened.workbench.session
    opened.graph.canvas.setFocus()
    qtbot.keyClick(opened.graph.canvas, Qt.Key.Key_D)
    assert session.pinned_step == 0 and opened.actions_["compare"].isChecked()
    for step in (1, 3, 5):
        session.go_to(step)
        wait_for_drawing(qtbot, opened)
        assert session.drawing.question.compared_step == 0
    assert opened.actions_["compare"].text() == "Stop comparing with step 0"
    qtbot.keyClick(opened.graph.canvas, Qt.Key.Key_D)
    assert session.pinned_step is None and not opened.actions_["compare"].isChecked()
    qtbot.waitUntil(lambda: session.drawing.question.compared_step == 4, timeout=SOON_MSECS)


def test_the_pinned_step_against_itself_is_said_to_be_that(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["compare"].trigger()
    wait_for_drawing(qtbot, opened)
    bar = opened.graph.bar
    assert bar.verdict.text() == "This is the step to compare with:" and bar.spin.value() == 0
    assert not any(chip.isVisible() for chip in bar.chips.values())


def test_the_number_of_the_compared_step_is_typed_and_emptied(qtbot: QtBot, opened: MainWindow) -> None:
    session, spin = opened.workbench.session, opened.graph.bar.spin
    spin.setValue(3)
    assert session.pinned_step == 3
    wait_for_drawing(qtbot, opened)
    diff_ = session.drawing.diff
    assert opened.graph.bar.chips["added"].text() == f"+{len(diff_.added)}"
    assert opened.graph.bar.verdict.text() == "against step"
    spin.setValue(spin.minimum())
    assert session.pinned_step is None and spin.text() == "–"


def test_another_tape_has_no_pinned_step(qtbot: QtBot, opened: MainWindow, full_tape: Path) -> None:
    opened.actions_["compare"].trigger()
    open_at(qtbot, opened, full_tape, 2)
    assert opened.workbench.session.pinned_step is None
    assert not opened.actions_["compare"].isChecked()


def test_side_by_side_shows_the_compared_step_on_the_left(qtbot: QtBot, doubled: MainWindow) -> None:
    left, right = canvases(doubled)
    drawing = doubled.workbench.session.drawing
    assert left.isVisible() and left.x() == right.x() == 0
    assert left.mapTo(doubled, QPoint()).x() < right.mapTo(doubled, QPoint()).x()
    assert left.scene.layout is right.scene.layout
    with Tape(doubled.workbench.session.tape) as tape:
        assert set(left.scene.graph) == set(tape.graph(0)) and set(right.scene.graph) == set(tape.graph(1))
        assert drawing.diff == diff(tape.graph(0), tape.graph(1))
    headers = doubled.graph.panes.compared.header.text(), doubled.graph.panes.shown.header.text()
    assert headers[0].startswith("Pinned · Step 0 · Loss ") and headers[1].startswith("Step 1 · Loss ")
    assert f"{len(right.scene.graph)} nodes" in headers[1]
    assert not left.shows_legend and not left.shows_minimap


def test_one_step_alone_has_the_whole_room_again(qtbot: QtBot, doubled: MainWindow) -> None:
    left, right = canvases(doubled)
    half = right.width()
    doubled.actions_["side_by_side"].trigger()
    wait_for_drawing(qtbot, doubled)
    assert not left.isVisible() and left.scene is None
    assert right.width() > 2 * half - 20 and not doubled.graph.panes.shown.header.isVisible()
    assert doubled.workbench.session.drawing.compared is None


def test_where_one_looks_the_other_looks_too(qtbot: QtBot, doubled: MainWindow) -> None:
    left, right = canvases(doubled)
    doubled.graph.panes.setSizes([100, 100])
    qtbot.waitUntil(lambda: left.size() == right.size(), timeout=SOON_MSECS)
    assert left.camera == right.camera
    for canvas in (left, right):
        before = canvas.camera
        turn_wheel(canvas)
        canvas.pan(30, -20)
        assert canvas.camera != before and left.camera == right.camera
    doubled.actions_["fit"].trigger()
    assert left.camera == right.camera


def test_the_second_canvas_leaves_in_the_middle_what_was_looked_at(qtbot: QtBot, opened: MainWindow) -> None:
    left, right = canvases(opened)
    opened.workbench.session.go_to(2)  # its graph is that of step 1
    wait_for_drawing(qtbot, opened)
    right.zoom_in()
    looked_at, room = right.camera.to_scene(right.width() / 2, 0), right.width()
    opened.actions_["side_by_side"].trigger()
    wait_for_drawing(qtbot, opened)
    qtbot.waitUntil(lambda: left.isVisible() and right.width() < room / 2, timeout=SOON_MSECS)
    for canvas in (left, right):
        assert canvas.camera.to_view(*looked_at) == pytest.approx((canvas.width() / 2, 0), abs=1.0)


def test_unequal_views_have_the_same_middle(qtbot: QtBot, doubled: MainWindow) -> None:
    left, right = canvases(doubled)
    doubled.graph.panes.setSizes([300, 100])
    qtbot.waitUntil(lambda: left.width() > right.width() + 50, timeout=SOON_MSECS)
    turn_wheel(left)
    middles = [canvas.camera.to_scene(canvas.width() / 2, canvas.height() / 2) for canvas in (left, right)]
    assert middles[0] == pytest.approx(middles[1]) and left.camera.scale == right.camera.scale


def test_unlinked_cameras_go_their_own_ways_until_linked_again(doubled: MainWindow) -> None:
    left, right = canvases(doubled)
    link = doubled.actions_["link_cameras"]
    assert link.isEnabled() and link.isChecked()
    link.trigger()
    before = right.camera
    turn_wheel(left)
    assert right.camera == before and left.camera.scale != before.scale
    link.trigger()
    assert left.camera.scale == before.scale and right.camera == before


def test_what_is_pointed_at_and_selected_is_so_in_both(doubled: MainWindow) -> None:
    left, right = canvases(doubled)
    left.set_hover(Hit("box", 1))
    assert right._hover == Hit("box", 1)
    key = differing_keys(right.scene)[0]
    left.select(key)
    assert left.selected_key == right.selected_key == key
    right.select_link(0)
    assert left.selection.link == right.selection.link == 0
    doubled.workbench.session.select("")
    assert left.selected_key == right.selected_key == ""


def test_a_module_opened_on_either_side_opens_on_both_and_both_look_the_same_way(
    qtbot: QtBot, doubled: MainWindow
) -> None:
    session = doubled.workbench.session
    session.close_all_calls()
    wait_for_drawing(qtbot, doubled)
    for canvas in canvases(doubled):
        layout = session.drawing.scene.layout
        key = next(box.key for box in layout.view.boxes if box.kind == "module" and box.can_open)
        canvas.activate(key)
        wait_for_drawing(qtbot, doubled)
        left, right = canvases(doubled)
        assert left.scene.layout is right.scene.layout is not layout
        assert left.scene.groups and left.camera == right.camera


def test_a_compared_step_without_a_graph_says_why_on_the_left(
    qtbot: QtBot, window: MainWindow, thinned_tape: Path
) -> None:
    open_at(qtbot, window, thinned_tape, 3)
    session = window.workbench.session
    window.actions_["side_by_side"].trigger()
    session.pin(1)
    wait_for_drawing(qtbot, window)
    left, right = canvases(window)
    assert (left.scene, left.placeholder) == (None, "The graph of step 1 was not recorded.")
    assert right.scene is session.drawing.scene
    assert window.graph.bar.verdict.text() == "No graph to compare with in step"
    session.go_to(4)
    qtbot.waitUntil(lambda: session.undrawn is not None, timeout=SOON_MSECS)
    assert right.scene is None and left.placeholder == "The shown step has no graph to compare with another"


def test_side_by_side_is_remembered_and_the_first_step_says_what_to_do(
    qtbot: QtBot, opened: MainWindow, appearance: Appearance, settings: Settings, recorded_tape: Path
) -> None:
    opened.actions_["side_by_side"].trigger()
    opened.actions_["link_cameras"].trigger()
    again = Workbench(settings, appearance)
    window = MainWindow(again, appearance)
    qtbot.addWidget(window)
    assert window.actions_["side_by_side"].isChecked() and not window.actions_["link_cameras"].isChecked()
    window.show()
    open_at(qtbot, window, recorded_tape, 0)
    again.session.pin(None)
    left = window.graph.panes.compared.canvas
    assert left.placeholder == "No step comes before this one; choose one to compare with"
    again.close_tape()


def test_differences_are_walked_through_and_brought_into_the_middle(qtbot: QtBot, doubled: MainWindow) -> None:
    right, bar = doubled.graph.canvas, doubled.graph.bar
    keys = differing_keys(right.scene)
    assert len(keys) > 1 and bar.place.text() == f"{len(keys)} differences"
    for number, key in enumerate(keys, 1):
        doubled.actions_["next_difference"].trigger()
        assert right.selected_key == key and bar.place.text() == f"{number} of {len(keys)}"
    doubled.actions_["previous_difference"].trigger()
    assert right.selected_key == keys[-2]
    box = next(key for key in keys[1:] if box_row(right.scene.layout, key) >= 0)
    right.select(keys[keys.index(box) - 1])
    doubled.actions_["next_difference"].trigger()
    x, y, width, height = right.rect_of(box)
    middle = right.camera.to_view(x + width / 2, y + height / 2)
    assert middle == pytest.approx((right.width() / 2, right.height() / 2), abs=1.0)


def test_nothing_is_walked_through_where_nothing_differs(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["compare"].trigger()
    wait_for_drawing(qtbot, opened)
    assert not opened.actions_["next_difference"].isEnabled()
    opened.workbench.session.go_to(3)
    wait_for_drawing(qtbot, opened)
    assert opened.actions_["next_difference"].isEnabled()


def test_differences_only_lets_everything_else_step_back(qtbot: QtBot, doubled: MainWindow) -> None:
    doubled.actions_["changes_only"].trigger()
    wait_for_drawing(qtbot, doubled)
    for canvas in canvases(doubled):
        plain = canvas.scene.colors[canvas.scene.states == State.PRESENT]
        assert canvas.scene.changes_only and len(set(plain.tolist())) == 1
    doubled.actions_["changes_only"].trigger()
    wait_for_drawing(qtbot, doubled)
    assert not doubled.graph.canvas.scene.changes_only


def test_both_sides_take_another_theme(qtbot: QtBot, doubled: MainWindow) -> None:
    doubled.actions_["theme_dark"].trigger()
    qtbot.waitUntil(lambda: doubled.workbench.session.drawing.question.theme is DARK, timeout=SOON_MSECS)
    for canvas in canvases(doubled):
        canvas.fit()  # with a margin around the graph
        assert canvas.grab().toImage().pixelColor(2, canvas.height() - 3).name() == DARK.canvas


def test_a_narrow_bar_keeps_its_numbers_and_gives_up_its_words(doubled: MainWindow) -> None:
    bar = doubled.graph.bar
    bar.resize(1000, bar.height())
    assert bar.verdict.isVisible() and bar.place.isVisible()
    bar.resize(420, bar.height())
    assert not bar.verdict.isVisible() and not bar.place.isVisible()
    assert bar.chips["added"].isVisible() and bar.spin.isVisible()


@pytest.mark.parametrize("width_px", [130, 160, 220, 300, 360, 420, 480, 560, 640, 800])
def test_nothing_in_the_changes_bar_is_cut_or_covered(doubled: MainWindow, width_px: int) -> None:
    bar = doubled.graph.bar
    for name, chip in bar.chips.items():
        chip.setText(f"{name[0]}1,234")
    bar.setFixedWidth(width_px)
    QApplication.sendPostedEvents()
    shown = [w for w in bar.findChildren(QWidget) if w.parent() is bar and w.isVisible() and w is not bar.details]
    places = sorted((widget.geometry().left(), widget.geometry().right()) for widget in shown)
    assert all(widget.width() >= widget.minimumSizeHint().width() for widget in shown)
    assert all(end < start for (_, end), (start, _) in pairwise(places)) and places[-1][1] < width_px
    assert bar.total.isVisible() != any(chip.isVisible() for chip in bar.chips.values())
    assert bar.spin.isVisible() or width_px < 300


def test_a_step_of_the_strip_is_pinned_from_its_menu(opened: MainWindow) -> None:
    session, dock = opened.workbench.session, opened.scalars
    show, pin = dock.step_menu(4).actions()
    assert [show.text(), pin.text()] == ["Show step 4", "Compare with step 4"]
    pin.trigger()
    assert session.pinned_step == 4 and session.step == 0
    stop = dock.step_menu(4).actions()[1]
    assert stop.text() == "Stop comparing with step 4"
    stop.trigger()
    assert session.pinned_step is None


def test_a_run_paused_at_another_structure_does_not_call_it_new(qtbot: QtBot) -> None:
    session = Session()
    pill = RunPill(session, LIGHT)
    qtbot.addWidget(pill)
    session.append(
        Batch(
            NO_STEPS,
            (Event(1, "stopped", 5, 0, {"reason": "breakpoint", "text": "the structure is not that of step 4"}),),
            {},
        )
    )
    assert pill.text().endswith("Paused · breakpoint")
    assert "Stopped at step 5: the structure is not that of step 4" in pill.toolTip()


def export(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(tapescope("export", *words), capture_output=True, text=True, timeout=240)


def test_one_step_against_another_is_exported_as_a_picture(recorded_tape: Path, tmp_path: Path) -> None:
    picture, drawing = tmp_path / "two.png", tmp_path / "two.svg"
    for out in (picture, drawing):
        done = export(str(recorded_tape), *"--step 3 --against 1 --format".split(), out.suffix[1:], "-o", str(out))
        assert done.returncode == 0, done.stderr
    assert QImage(str(picture)).width() > 400
    text = " ".join(ElementTree.parse(drawing).getroot().itertext())
    with Tape(recorded_tape) as tape:
        removed = len(diff(tape.graph(1), tape.graph(3)).removed)
    assert "Step 3 against step 1" in text and f"{removed} nodes removed" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--steps 0:2 --against 1 --format png", "--against goes with --step, not with --steps."),
        (
            "--step 2 --against 1 --format json",
            "json is no picture; tapescope diff compares two steps as text or JSON.",
        ),
        ("--step 2 --against 9 --format png", "There is no step 9 in {0}; it has steps 0 to 5."),
    ],
)
def test_what_cannot_be_compared_is_refused(words: str, sentence: str, recorded_tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = export(str(recorded_tape), *words.split(), "-o", str(out))
    assert (done.returncode, done.stderr.strip()) == (2, f"tapescope: {sentence.format(recorded_tape)}")
    assert not out.exists()
