"""Breakpoints and live changes in the real window, against real training processes."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt, QTimer
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QLineEdit
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from gui.models.breakpoints import LAST
from gui.models.live_changes import VALUE, LiveChangesModel
from gui.models.tree import KEY_ROLE
from gui.settings import Settings
from gui.theme import LIGHT
from gui.windows.breakpoint_dialog import BreakpointDialog
from gui.windows.main_window import MainWindow
from gui.windows.run_pill import RunPill
from gui.workbench import Workbench
from tests.gui.test_app import SOON_MSECS, START_MSECS, click_in_message_box, kill, process_of
from tracer import Tape
from tracer.breakpoint_file import remember, remembered, script_key
from tracer.conditions import checked
from tracer.control.client import connect
from tracer.model.breakpoints import Breakpoint
from tracer.store.liveness import is_alive

SCRIPT = """
import torch
from torch import nn
from tracer import log

torch.manual_seed(0)
body, head = nn.Linear(3, 3), nn.Linear(3, 1)
model = nn.Sequential(body, head)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for number in range(100_000):
    out = model(torch.ones(2, 3))
    log(body=body.weight.sum().item(), head=head.weight.sum().item())
    if number % 20 == 19:
        out = out.exp()
    optimizer.zero_grad()
    out.square().sum().backward()
    optimizer.step()
    torch.linalg.svd(torch.ones(60, 60))
"""
STEP_IS_20 = checked(Breakpoint(1, "step_is", {"step": 20}))


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    yield path
    remember(script_key(path), ())


@pytest.fixture
def stopped(qtbot: QtBot, window: MainWindow, script: Path) -> MainWindow:
    """Stopped at step 20, by a breakpoint that was remembered of the script."""
    remember(script_key(script), (STEP_IS_20,))
    start(qtbot, window, script)
    return window


def start(qtbot: QtBot, window: MainWindow, script: Path) -> None:
    window.commands.open_path(script)
    until_paused(qtbot, window, START_MSECS)


def until_paused(qtbot: QtBot, window: MainWindow, msecs: int = SOON_MSECS) -> None:
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.run_state == "paused" and window.workbench.control.is_available, timeout=msecs)


def step_on(qtbot: QtBot, window: MainWindow) -> None:
    session, count = window.workbench.session, len(window.workbench.session.timeline)
    window.actions_["step"].trigger()
    qtbot.waitUntil(lambda: len(session.timeline) == count + 1 and session.run_state == "paused", timeout=SOON_MSECS)


def value(qtbot: QtBot, window: MainWindow, name: str, step: int) -> float:
    series = window.workbench.session.series[name]
    qtbot.waitUntil(lambda: series.at(step) is not None, timeout=SOON_MSECS)
    found = series.at(step)
    assert found is not None
    return found


def in_dialog(action: Callable[[BreakpointDialog], None]) -> None:
    """Does something with the dialog that opens next, and accepts it."""

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, BreakpointDialog):
            QTimer.singleShot(20, look)
            return
        action(dialog)
        dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()

    QTimer.singleShot(20, look)


def wait_for_step_23(dialog: BreakpointDialog) -> None:
    dialog.choose("expression")
    dialog.form.findChild(QLineEdit).setText("step >= 23 and step % 2 == 1")


def test_a_remembered_breakpoint_stops_before_the_optimizer_of_its_step(qtbot: QtBot, stopped: MainWindow) -> None:
    session, bar = stopped.workbench.session, stopped.graph.stop
    assert session.step == len(session.timeline) - 1 == 20
    assert bar.isVisible() and bar.text.text().endswith("Stopped at step 20 before the optimizer: this is step 20")
    pill = stopped.findChild(RunPill)
    assert pill.text().endswith("Paused · breakpoint") and "this is step 20" in pill.toolTip()
    qtbot.waitUntil(lambda: session.drawing is not None and session.drawing.step.index == 20, timeout=SOON_MSECS)
    assert session.drawing.question.compared_step == 19
    assert stopped.scalars.strip.tip(20).splitlines()[-1] == "Breakpoint: this is step 20"
    dock = stopped.debugging.breakpoints
    assert [dock.model.index(0, column).data() for column in range(3)] == ["The step is 20", "1", "20"]

    group = stopped.workbench.live_changes.state.groups[0]
    stopped.workbench.live_changes.set_hyperparameter(group, "lr", 0.0)
    step_on(qtbot, stopped)
    # Without a learning rate the step changes nothing: it had stopped before it did.
    assert value(qtbot, stopped, "body", 21) == value(qtbot, stopped, "body", 20) != value(qtbot, stopped, "body", 19)
    assert not bar.isVisible()


def test_a_breakpoint_from_the_dialog_stops_at_exactly_its_step(
    qtbot: QtBot, stopped: MainWindow, script: Path
) -> None:
    session, actions = stopped.workbench.session, stopped.actions_
    in_dialog(wait_for_step_23)
    actions["add_breakpoint"].trigger()
    assert [each.condition for each in stopped.workbench.breakpoints.all] == ["step_is", "expression"]
    assert remembered(script_key(script)) == stopped.workbench.breakpoints.all
    qtbot.waitUntil(lambda: len(session.happenings.set_on_tape) == 2, timeout=SOON_MSECS)

    for step in (23, 25):
        actions["continue"].trigger()
        qtbot.waitUntil(lambda step=step: session.stop is not None and session.stop.step >= step, timeout=SOON_MSECS)
        assert session.step == session.stop.step == step
    actions["previous_hit"].trigger()
    assert session.step == 23
    stopped.workbench.close_tape(stops_run=True)


def test_the_list_is_worked_by_keys_and_leads_to_the_last_hit(qtbot: QtBot, stopped: MainWindow) -> None:
    dock, book, session = stopped.debugging.breakpoints, stopped.workbench.breakpoints, stopped.workbench.session
    dock.show()
    dock.raise_()
    dock.table.setFocus()
    dock.select(1)
    in_dialog(lambda dialog: dialog.hits.setText(">= 2"))
    qtbot.keyClick(dock.table, Qt.Key.Key_Return)
    assert [each.hit_condition for each in book.all] == [">= 2"]
    session.go_to(4)
    place = dock.table.visualRect(dock.model.index(0, LAST)).center()
    qtbot.mouseClick(dock.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert session.step == 20
    texts = [action.text() for action in dock.menu().actions() if action.text()]
    assert texts[0] == "Go to step 20" and "Delete all breakpoints" in texts
    qtbot.keyClick(dock.table, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not session.happenings.set_on_tape[0].is_enabled, timeout=SOON_MSECS)
    qtbot.keyClick(dock.table, Qt.Key.Key_Delete)
    assert book.all == () and not stopped.actions_["clear_breakpoints"].isEnabled()


def test_continue_until_stops_once_and_leaves_no_breakpoint(qtbot: QtBot, stopped: MainWindow) -> None:
    session = stopped.workbench.session
    in_dialog(wait_for_step_23)
    stopped.actions_["continue_until"].trigger()
    qtbot.waitUntil(lambda: session.run_state == "paused" and session.step == 23, timeout=SOON_MSECS)
    assert [each.condition for each in stopped.workbench.breakpoints.all] == ["step_is"]
    assert "step >= 23" in session.stop.data["text"]
    assert not stopped.graph.stop.edit.isVisible()


def test_a_hyperparameter_is_typed_over_undone_and_done_again(qtbot: QtBot, stopped: MainWindow) -> None:
    dock, actions, changes = stopped.debugging.live_changes, stopped.actions_, stopped.workbench.live_changes
    index = next(
        dock.model.index(row, VALUE, dock.model.index(0, 0))
        for row, each in enumerate(dock.model.blocks[0].rows)
        if each.texts[0] == "lr"
    )

    def until_it_is(text: str) -> None:
        qtbot.waitUntil(lambda: index.data() == text, timeout=SOON_MSECS)

    assert dock.model.setData(index, "0.5")
    until_it_is("0.5")
    assert actions["undo"].text() == "Undo lr 0.01 → 0.5"
    actions["undo"].trigger()
    until_it_is("0.01")
    actions["redo"].trigger()
    until_it_is("0.5")
    with qtbot.waitSignal(stopped.workbench.asked) as told:
        assert not dock.model.setData(index, "fast")
    assert told.args == ["lr wants a number, not 'fast'."]
    step_on(qtbot, stopped)
    step_on(qtbot, stopped)
    assert value(qtbot, stopped, "lr", 21) == 0.5
    assert not actions["undo"].isEnabled() and changes.undo_stack.count() == 0
    with Tape(stopped.workbench.session.tape) as tape:
        after = [event.data["after"] for event in tape.events("hyperparameter")]
    assert after == [0.5, 0.01, 0.5]
    stopped.workbench.session.go_to(20)
    qtbot.waitUntil(lambda: any("lr 0.01 → 0.5" in row.texts[1] for row in facts_of(stopped)), timeout=SOON_MSECS)


def facts_of(window: MainWindow) -> list:
    return [row for block in window.inspector.model.blocks for row in block.rows]


def test_what_the_training_refuses_is_said_and_is_nothing_to_undo(qtbot: QtBot, stopped: MainWindow) -> None:
    changes = stopped.workbench.live_changes
    group = changes.state.groups[0]
    changes.set_hyperparameter(group, "momentum", 0.5)
    with qtbot.waitSignal(changes.refused, timeout=SOON_MSECS) as refused:
        changes.set_hyperparameter(group, "lr", -1.0)
    assert "cannot be negative" in refused.args[0]
    hint = stopped.debugging.live_changes.hint
    assert hint.text() == refused.args[0] and LIGHT.error in hint.styleSheet()
    assert changes.undo_stack.count() == 1 and stopped.actions_["undo"].text() == "Undo momentum 0 → 0.5"
    assert changes.state.groups[0].values["lr"] == 0.01
    changes.set_hyperparameter(changes.state.groups[0], "momentum", 0.25)
    qtbot.waitUntil(lambda: changes.state.groups[0].values["momentum"] == 0.25, timeout=SOON_MSECS)
    assert hint.text() == "Double click a value to change it" and LIGHT.error not in hint.styleSheet()


def test_what_is_frozen_learns_no_more_and_leaves_the_graph(qtbot: QtBot, stopped: MainWindow) -> None:
    session, actions, changes = stopped.workbench.session, stopped.actions_, stopped.workbench.live_changes
    qtbot.waitUntil(lambda: session.drawing is not None and session.drawing.step.index == 20, timeout=SOON_MSECS)
    session.select("1#0")  # the head
    assert actions["freeze"].text() == "Freeze 1"
    dock = stopped.debugging.live_changes
    dock.show()
    dock.raise_()
    dock.tree.setFixedHeight(90)
    bar = dock.tree.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 3, timeout=SOON_MSECS)
    bar.setValue(3)
    with qtbot.waitSignal(changes.made, timeout=SOON_MSECS) as made:
        actions["freeze"].trigger()
    assert made.args == ["1 is frozen: 2 parameters"] and stopped.statusBar().currentMessage() == made.args[0]
    assert bar.value() == 3
    qtbot.waitUntil(lambda: changes.state.frozen == ("1.weight", "1.bias"), timeout=SOON_MSECS)
    block = stopped.debugging.live_changes.model.blocks[-1]
    assert [row.key for row in block.rows] == ["1.weight", "1.bias"]
    step_on(qtbot, stopped)
    step_on(qtbot, stopped)
    assert value(qtbot, stopped, "head", 22) == value(qtbot, stopped, "head", 20)
    assert value(qtbot, stopped, "body", 22) != value(qtbot, stopped, "body", 20)
    with Tape(session.tape) as tape:
        parameters = {name for _, name in tape.graph(22).nodes(data="parameter") if name}
    assert parameters == {"0.weight", "0.bias"}
    stopped.debugging.live_changes.tree.key_activated.emit("1.weight")
    qtbot.waitUntil(lambda: changes.state.frozen == ("1.bias",), timeout=SOON_MSECS)
    actions["undo"].trigger()
    qtbot.waitUntil(lambda: set(changes.state.frozen) == {"1.bias", "1.weight"}, timeout=SOON_MSECS)


def test_the_level_changed_while_paused_can_be_undone(qtbot: QtBot, stopped: MainWindow) -> None:
    session, actions = stopped.workbench.session, stopped.actions_
    actions["level_statistics"].trigger()
    qtbot.waitUntil(lambda: session.sampling.level == "statistics", timeout=SOON_MSECS)
    actions["undo"].trigger()
    qtbot.waitUntil(lambda: session.sampling.level == "structure", timeout=SOON_MSECS)


def test_a_one_shot_is_off_after_its_shot_and_others_may_set_breakpoints(
    qtbot: QtBot, window: MainWindow, script: Path
) -> None:
    once = checked(Breakpoint(1, "step_is", {"step": 5}, is_one_shot=True))
    remember(script_key(script), (once,))
    start(qtbot, window, script)
    book, session = window.workbench.breakpoints, window.workbench.session
    qtbot.waitUntil(lambda: not book.all[0].is_enabled, timeout=SOON_MSECS)
    assert not remembered(script_key(script))[0].is_enabled
    sent = []
    session.events_appended.connect(lambda events: sent.extend(e for e in events if e.kind == "breakpoints"))
    with contextlib.closing(connect(session.tape)) as other:
        other.set_breakpoints([checked(Breakpoint(4, "loss_not_finite"))])
        other.wait_for_answer()
        qtbot.waitUntil(lambda: [each.condition for each in book.all] == ["loss_not_finite"], timeout=SOON_MSECS)
        qtbot.wait(200)  # an answer to it would set them again, and so on
    assert len(sent) == 1


def test_the_app_joins_a_training_with_what_it_remembers(
    qtbot: QtBot, window: MainWindow, workbench: Workbench, script: Path, tmp_path: Path
) -> None:
    """Closed and opened again the app finds the training as it left it, and gives it what was added meanwhile."""
    remember(script_key(script), (STEP_IS_20,))
    start(qtbot, window, script)
    process, tape = process_of(window), workbench.session.tape
    workbench.breakpoints.add(checked(Breakpoint(0, "loss_not_finite")))
    try:
        click_in_message_box("Let it run on")
        window.actions_["welcome"].trigger()
        assert is_alive(*process)
        remember(script_key(script), (*remembered(script_key(script)), checked(Breakpoint(3, "structure_new"))))
        window.commands.open_path(tape)
        session = workbench.session
        qtbot.waitUntil(lambda: len(session.happenings.set_on_tape) == 3, timeout=SOON_MSECS)
        conditions = [each.condition for each in workbench.breakpoints.all]
        assert conditions == ["step_is", "loss_not_finite", "structure_new"]
        assert window.debugging.breakpoints.hint.text() == ""
    finally:
        workbench.close_tape()
        kill(qtbot, process)


def test_the_second_run_of_a_script_has_the_breakpoints_of_the_first(
    qtbot: QtBot, stopped: MainWindow, script: Path
) -> None:
    workbench = stopped.workbench
    workbench.breakpoints.put(checked(Breakpoint(1, "step_is", {"step": 3})))
    workbench.close_tape(stops_run=True)
    assert workbench.breakpoints.all == ()
    start(qtbot, stopped, script)
    assert workbench.session.step == 3
    assert [dict(each.fields) for each in workbench.breakpoints.all] == [{"step": 3}]


def test_a_tape_tells_its_hits_and_changes_again(qtbot: QtBot, stopped: MainWindow, settings: Settings) -> None:
    workbench, session = stopped.workbench, stopped.workbench.session
    workbench.live_changes.set_hyperparameter(workbench.live_changes.state.groups[0], "lr", 0.002)
    qtbot.waitUntil(lambda: workbench.live_changes.state.groups[0].values["lr"] == 0.002, timeout=SOON_MSECS)
    tape = session.tape
    workbench.close_tape(stops_run=True)
    stopped.commands.open_path(tape)
    qtbot.waitUntil(lambda: session.run_state == "ended" and session.happenings.next_hit(0) == 20, timeout=SOON_MSECS)
    assert session.happenings.lines(20) == ("breakpoint: this is step 20", "SGD: lr 0.01 → 0.002")
    assert session.stop is None and not stopped.graph.stop.isVisible()
    assert stopped.debugging.live_changes.hint.text() == "As the run left it"
    stopped.actions_["next_hit"].trigger()
    assert session.step == 20


def test_the_lines_that_breakpoints_write_are_notices_in_the_console(
    qtbot: QtBot, window: MainWindow, script: Path
) -> None:
    line = checked(Breakpoint(1, "every_n", {"n": 4}, log_message="body {body:.3f}"))
    remember(script_key(script), (line, checked(Breakpoint(2, "step_is", {"step": 9}))))
    start(qtbot, window, script)
    qtbot.waitUntil(lambda: "step 8: body" in window.console.text, timeout=SOON_MSECS)
    assert window.console.text.count("step 8: body") == 1
    assert window.workbench.session.happenings.hits_between(0, 9).tolist() == [4, 8, 9]


def test_the_model_of_live_changes_is_sound(qtmodeltester: ModelTester, qtbot: QtBot, stopped: MainWindow) -> None:
    model = LiveChangesModel()
    qtmodeltester.check(model)
    state = stopped.workbench.live_changes.state
    model.set_state(state, is_editable=True)
    qtmodeltester.check(model)
    state.frozen = ("0.weight",)
    model.set_state(state, is_editable=False)
    qtmodeltester.check(model)
    last = model.index(model.rowCount() - 1, 0)
    assert model.index(0, 0, last).data(KEY_ROLE) == "0.weight"
    value_index = model.index(0, VALUE, model.index(0, 0))
    assert not model.flags(value_index) & Qt.ItemFlag.ItemIsEditable
    assert not model.setData(value_index, "1") and not model.setData(QModelIndex(), "1")
