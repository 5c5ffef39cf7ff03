"""Breakpoints in the app without a training: their words, the list, the dialog, what is remembered."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QLineEdit, QMenu
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from gui.breakpoint_text import condition_text, effect_text, grouped_conditions, hit_words, suffix_text
from gui.breakpoints import BreakpointBook
from gui.follower import Follower
from gui.happenings import Happenings
from gui.live_state import Value, parsed
from gui.models.breakpoints import CONDITION, HITS, LAST, STEP_ROLE, BreakpointModel
from gui.run_control import RunControl
from gui.session import Session
from gui.theme import LIGHT
from gui.windows.breakpoint_dialog import BreakpointDialog
from gui.windows.main_window import MainWindow
from gui.windows.run_pill import RunPill
from tests.gui.growing_table import NO_STEPS
from tracer import Batch, Event
from tracer.breakpoint_file import remember, remembered
from tracer.conditions import checked, condition_names, fields_of
from tracer.errors import UsageError
from tracer.model.breakpoints import MAX_BREAKPOINTS, Breakpoint, hit_test, to_dict

ABOVE = checked(Breakpoint(1, "loss_above", {"value": 3.0}))
EVERY = checked(Breakpoint(2, "every_n", {"n": 5}))


def test_every_condition_is_in_one_group() -> None:
    assert sorted(name for _, names in grouped_conditions() for name in names) == condition_names()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Stops when the loss is above 3"),
        ({"hit_condition": ">= 5"}, "Stops when the loss is above 3, from the 5th time on"),
        ({"hit_condition": "2", "is_one_shot": True}, "Stops when the loss is above 3, the 2nd time only, once"),
        ({"log_message": "loss {loss}"}, "Writes “loss {loss}” when the loss is above 3"),
        ({"condition": "every_n", "fields": {"n": 5}}, "Stops every 5 steps"),
    ],
)
def test_what_a_breakpoint_does_is_one_sentence(changes: dict[str, object], text: str) -> None:
    assert effect_text(checked(replace(ABOVE, **changes))) == text


@pytest.mark.parametrize("hit_condition", ["", "3", "== 3", ">= 3", "> 3", "% 3"])
def test_the_words_for_hits_say_when_it_acts(hit_condition: str) -> None:
    acts = [n for n in range(1, 10) if hit_test(hit_condition)(n)]
    expected = {
        "": list(range(1, 10)),
        "the 3rd time only": [3],
        "from the 3rd time on": list(range(3, 10)),
        "from the 4th time on": list(range(4, 10)),
        "every 3rd time": [3, 6, 9],
    }
    assert expected[hit_words(hit_condition)] == acts


def hit(number: int, step: int, hits: int, **more: object) -> Event:
    return Event(step, "hit", step, 0, {"breakpoint": number, "text": "so", "hits": hits, "acted": True, **more})


def set_on_tape(*breakpoints: Breakpoint) -> Event:
    return Event(0, "breakpoints", 0, 0, {"breakpoints": [to_dict(each) for each in breakpoints]})


@pytest.fixture
def happenings() -> Happenings:
    """The loss was above 3 at steps 4 and 9; at step 9 the learning rate was changed."""
    happenings = Happenings()
    change = {"optimizer": "SGD", "group": 0, "name": "lr", "before": 0.1, "after": 0.01}
    happenings.append((set_on_tape(ABOVE, EVERY), hit(1, 4, 1), hit(1, 9, 2)))
    happenings.append((Event(3, "hyperparameter", 9, 0, change), hit(2, 10, 3, acted=False)))
    return happenings


def test_hits_are_found_by_what_is_waited_for_whatever_the_id(happenings: Happenings) -> None:
    tally = happenings.tally(replace(ABOVE, id=77, is_enabled=False))
    assert tally is not None and (tally.hits, tally.last_step) == (2, 9)
    assert happenings.tally(checked(Breakpoint(1, "loss_above", {"value": 2.0}))) is None
    hits_that_do_not_act = happenings.tally(EVERY)
    assert hits_that_do_not_act is not None and hits_that_do_not_act.hits == 3


def test_hits_lead_forward_and_back_and_say_what_happened(happenings: Happenings) -> None:
    assert (happenings.next_hit(0), happenings.next_hit(4), happenings.next_hit(9)) == (4, 9, None)
    assert (happenings.previous_hit(9), happenings.previous_hit(4)) == (4, None)
    assert happenings.hits_between(0, 100).tolist() == [4, 9]
    assert happenings.changes_between(0, 100).tolist() == [9]
    assert happenings.lines(9) == ("breakpoint: so", "SGD: lr 0.1 → 0.01")


def test_events_that_make_no_sense_are_passed_over() -> None:
    happenings = Happenings()
    bad = ({"breakpoints": 3}, {"breakpoints": [7, {"id": "x"}, to_dict(ABOVE)]}, {})
    happenings.append(Event(0, "breakpoints", 0, 0, data) for data in bad[:2])
    assert happenings.set_on_tape == (ABOVE,)
    happenings.append((Event(0, "hit", 3, 0, {}), Event(0, "trainable", 3, 0, {})))
    assert happenings.next_hit(0) == 3


def test_the_model_of_the_list_is_sound(qtmodeltester: ModelTester, happenings: Happenings) -> None:
    model = BreakpointModel()
    qtmodeltester.check(model)
    model.set_breakpoints((ABOVE, EVERY))
    model.set_happenings(happenings)
    qtmodeltester.check(model)
    model.set_breakpoints((replace(ABOVE, is_enabled=False), EVERY))
    rows = [[model.index(row, column).data() for column in (CONDITION, HITS, LAST)] for row in range(2)]
    assert rows == [["The loss is above 3", "2", "9"], ["Every 5 steps", "3", "10"]]
    assert model.index(0, LAST).data(STEP_ROLE) == 9
    assert Qt.CheckState(model.index(0, 0).data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Unchecked
    model.set_breakpoints(())
    qtmodeltester.check(model)
    assert not model.index(0, 0).isValid() and model.breakpoint_at(QModelIndex()) is None


def test_a_check_box_asks_and_does_not_change_the_list_itself(qtbot: QtBot) -> None:
    model = BreakpointModel()
    model.set_breakpoints((ABOVE,))
    with qtbot.waitSignal(model.enabling_requested) as asked:
        assert model.setData(model.index(0, 0), Qt.CheckState.Unchecked.value, Qt.ItemDataRole.CheckStateRole)
    assert asked.args == [1, False]
    assert Qt.CheckState(model.index(0, 0).data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("0.001", 0.1, 0.001),
        (" 1e-3 ", 0.1, 0.001),
        ("5", 1, 5),
        ("0.8, 0.99", [0.9, 0.999], [0.8, 0.99]),
        ("[0.8, 0.99]", [0.9, 0.999], [0.8, 0.99]),
    ],
)
def test_a_value_is_read_in_the_form_of_the_one_before(text: str, before: Value, after: Value) -> None:
    read = parsed(text, "lr", before)
    assert read == after and type(read) is type(after)


@pytest.mark.parametrize(
    ("text", "before", "why"),
    [
        ("", 0.1, "wants a number"),
        ("fast", 0.1, "wants a number, not 'fast'"),
        ("1, 2", 0.1, "one number"),
        ("0.9", [0.9, 0.999], "wants 2 numbers, as 0.9, 0.999"),
        ("a, b", [0.9, 0.999], "wants 2 numbers"),
    ],
)
def test_what_is_no_such_value_is_refused_in_one_sentence(text: str, before: Value, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        parsed(text, "lr", before)


def test_the_bar_over_the_graph_is_for_stops_that_nobody_asked_for(
    qtbot: QtBot, window: MainWindow, recorded_tape: Path
) -> None:
    window.commands.open_path(recorded_tape)
    session, bar, pill = window.workbench.session, window.graph.stop, window.findChild(RunPill)
    qtbot.waitUntil(lambda: session.run_state == "ended")
    shown = []
    for reason in ("step", "exception", "pause", "breakpoint"):
        data = {"reason": reason, "text": "ValueError: no data", "moment": "after the step", "breakpoints": [1]}
        session.append(Batch(NO_STEPS, (Event(90, "stopped", 3, 0, data),), {}))
        shown.append((reason, bar.isVisible(), pill.text().rpartition("  ")[2], LIGHT.error in bar.styleSheet()))
    assert shown == [
        ("step", False, "Paused · after a step", False),
        ("exception", True, "Paused · exception", True),
        ("pause", False, "Paused", True),
        ("breakpoint", True, "Paused · breakpoint", False),
    ]
    assert bar.text.text().endswith("Stopped at step 3: ValueError: no data")
    with qtbot.waitSignal(bar.edit_requested) as edited:
        bar.edit.click()
    assert edited.args == [1]


def test_what_the_tape_before_had_still_to_say_comes_too_late(
    qtbot: QtBot, window: MainWindow, recorded_tape: Path, thinned_tape: Path
) -> None:
    window.commands.open_path(recorded_tape)
    before = window.workbench.findChildren(Follower)[-1]
    window.commands.open_path(thinned_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.run_state == "ended")
    before.batch_read.emit(Batch(NO_STEPS, (Event(90, "stopped", 3, 0, {"reason": "breakpoint"}),), {}))
    before.state_read.emit("abrupt")
    assert (session.run_state, session.stop_reason) == ("ended", "")


@pytest.mark.qt_log_ignore("This plugin does not support")  # offscreen: raise() and grabbing the keyboard, of a menu
def test_a_right_click_selects_what_is_under_it_and_asks_for_its_menu(
    qtbot: QtBot, window: MainWindow, recorded_tape: Path
) -> None:
    window.commands.open_path(recorded_tape)
    session, canvas = window.workbench.session, window.graph.canvas
    qtbot.waitUntil(lambda: session.drawing is not None and canvas.scene is not None)
    canvas.select("output#0")
    canvas.zoom_to_selection()
    canvas.select("")
    place = canvas.rect().center()
    with qtbot.waitSignal(canvas.menu_requested) as asked:
        QApplication.sendEvent(
            canvas, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, canvas.mapToGlobal(place))
        )
    assert asked.args == [canvas.mapToGlobal(place)] and session.selection.startswith("output#0")
    for menu in window.findChildren(QMenu):
        menu.close()


@pytest.fixture
def book(qtbot: QtBot) -> BreakpointBook:
    session = Session()
    control = RunControl(session)
    return BreakpointBook(session, control, session)


def test_every_change_is_remembered_of_the_script(book: BreakpointBook, tmp_path: Path) -> None:
    script = str(tmp_path / "train.py")
    book.open(script)
    book.add(ABOVE)
    book.add(EVERY)
    assert [each.id for each in book.all] == [1, 2]
    book.set_enabled((1,), False)
    book.put(replace(book.all[1], hit_condition="% 2"))
    assert remembered(script) == book.all
    book.add(ABOVE)  # there is one that does the same: it acts again
    assert len(book.all) == 2 and book.all[0].is_enabled
    book.remove((1,))
    book.open(str(tmp_path / "other.py"))
    assert book.all == ()
    book.open(script)
    assert [suffix_text(each) for each in book.all] == ["every 2nd time"]
    book.clear()
    assert remembered(script) == ()


def test_without_a_script_they_last_as_long_as_the_tape(book: BreakpointBook) -> None:
    book.open("")
    book.add(ABOVE)
    assert len(book.all) == 1
    book.open("")
    assert book.all == ()


def test_more_than_a_training_takes_are_refused(qtbot: QtBot, book: BreakpointBook) -> None:
    book.open("")
    for number in range(MAX_BREAKPOINTS):
        book.add(checked(Breakpoint(0, "step_is", {"step": number})))
    with qtbot.waitSignal(book.failed) as failed:
        book.add(ABOVE)
    assert "delete one first" in failed.args[0] and len(book.all) == MAX_BREAKPOINTS


@pytest.fixture
def dialog(qtbot: QtBot) -> BreakpointDialog:
    dialog = BreakpointDialog(Session(), LIGHT, None)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def ok_of(dialog: BreakpointDialog) -> bool:
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()


def line_of(dialog: BreakpointDialog, name: str) -> QLineEdit:
    return next(line for line in dialog.form.findChildren(QLineEdit) if line.accessibleName() == name)


def test_the_dialog_offers_a_form_for_every_condition(dialog: BreakpointDialog) -> None:
    for name in condition_names():
        dialog.choose(name)
        assert set(dialog.form.values) == {field.name for field in fields_of(name)}
        assert ok_of(dialog) == (dialog.result_breakpoint is not None)
        assert ok_of(dialog) or dialog.reason.text()
        if dialog.result_breakpoint is not None:
            assert dialog.result_breakpoint.condition == name
            assert dialog.sentence.text() == effect_text(dialog.result_breakpoint)


def test_the_dialog_says_at_once_what_is_wrong(qtbot: QtBot, dialog: BreakpointDialog) -> None:
    dialog.choose("expression")
    line = line_of(dialog, "Expression")
    line.setText("loss >")
    assert not ok_of(dialog) and dialog.reason.text()
    line.setText("loss > 2 and step > 10")
    assert ok_of(dialog) and not dialog.reason.text()
    dialog.hits.setText("never")
    assert not ok_of(dialog) and "hit condition" in dialog.reason.text()
    dialog.hits.setText("> 2")
    dialog.log.setText("loss {loss")
    assert not ok_of(dialog) and "braces" in dialog.reason.text()
    dialog.log.setText("loss {loss:.2f}")
    dialog.once.setChecked(True)
    made = dialog.result_breakpoint
    assert made is not None and made.fields == {"expression": "loss > 2 and step > 10"}
    assert (made.hit_condition, made.log_message, made.is_one_shot) == ("> 2", "loss {loss:.2f}", True)


def test_what_was_typed_is_kept_for_a_field_of_the_same_name(dialog: BreakpointDialog) -> None:
    dialog.choose("loss_above")
    line_of(dialog, "Value").setText("7.5")
    dialog.choose("loss_below")
    assert dialog.form.values == {"value": "7.5"}
    line_of(dialog, "Value").setText("much")
    assert "wants a number" in dialog.reason.text()


def test_the_dialog_changes_what_it_was_given(qtbot: QtBot) -> None:
    given = checked(replace(ABOVE, id=9, hit_condition="3", is_enabled=False))
    dialog = BreakpointDialog(Session(), LIGHT, given)
    qtbot.addWidget(dialog)
    assert dialog.result_breakpoint == given
    assert condition_text(given) == "The loss is above 3"


@pytest.mark.parametrize(
    ("condition", "fields", "text"),
    [
        ("module_ran", {"module": "cell*"}, "cell* runs"),
        ("module_not_run", {"module": "loss"}, "loss does not run"),
        ("expression", {"expression": "loss > 2"}, "loss > 2"),
        ("loss_above", {"value": 3.0}, "The loss is above 3"),
        ("op_appears", {"op": "t*"}, "The op t* appears"),
    ],
)
def test_what_the_user_typed_keeps_its_case(condition: str, fields: dict[str, Value], text: str) -> None:
    assert condition_text(checked(Breakpoint(1, condition, fields))) == text


def test_breakpoints_of_a_recorded_tape_are_for_the_next_run(
    qtbot: QtBot, window: MainWindow, recorded_tape: Path
) -> None:
    script = str(recorded_tape.with_suffix(".py").resolve())
    remember(script, (ABOVE,))
    window.commands.open_path(recorded_tape)
    dock = window.debugging.breakpoints
    assert dock.hint.text() == "For the next run of the script"
    assert dock.model.index(0, 0).data() == "The loss is above 3"
    dock.show()
    dock.raise_()
    dock.select(1)
    dock.table.setFocus()
    qtbot.keyClick(dock.table, Qt.Key.Key_Space)
    assert not remembered(script)[0].is_enabled
    qtbot.keyClick(dock.table, Qt.Key.Key_Delete)
    assert remembered(script) == () and dock.empty.isVisible()


def test_a_box_of_the_graph_becomes_a_breakpoint(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> None:
    window.commands.open_path(recorded_tape)
    session, actions, book = window.workbench.session, window.actions_, window.workbench.breakpoints
    qtbot.waitUntil(lambda: session.drawing is not None)
    book.clear()
    session.select("output#0")
    texts = [action.text() for action in window.debugging.menu.menu().actions()]
    assert "Break when this module runs" in texts and "Freeze output" in texts
    assert not actions["freeze"].isEnabled()  # nothing trains
    actions["break_module_ran"].trigger()
    actions["break_module_not_run"].trigger()
    session.select(next(key for key, kind in session.drawing.graph.nodes(data="kind") if kind == "op"))
    actions["break_op_appears"].trigger()
    actions["break_structure_is"].trigger()
    assert [(each.condition, list(each.fields.values())) for each in book.all[:2]] == [
        ("module_ran", ["output"]),
        ("module_not_run", ["output"]),
    ]
    assert [each.condition for each in book.all[2:]] == ["op_appears", "structure_is"]
    assert session.timeline.topology_id(session.timeline.structure(session.step)).startswith(
        str(book.all[3].fields["id"])
    )
    book.clear()
