"""What the user has to know: a loss that is not finite and where that began, a capture that failed."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.facts import Section
from gui.incidents import headline, last_line, origin_key, origin_text
from gui.origins import origin_sections
from gui.windows.main_window import MainWindow
from tests.gui.conftest import LOG_LINE, record
from tracer import Event, Tape
from tracer.model.last_finite import LastFinite

SOON_MSECS = 60_000
BROKEN = """
import torch
from tracer.capture.step_graph import StepGraph

def broken(*args):
    raise RuntimeError("broken on purpose")

w = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([w], lr=0.01)
for number in range(4):
    if number == 2:
        StepGraph.record = broken
    optimizer.zero_grad()
    (w * w).sum().backward()
    optimizer.step()
"""
SOURCE = {"file": "/code/model.py", "line": 41, "function": "Decoder.forward"}


def event(**data: object) -> Event:
    return Event(1, "not_finite", 41, 0, {"what": "loss", "value": "nan", **data})


def test_an_origin_reads_as_a_sentence() -> None:
    op = event(origin="op", op="LogBackward0", module="decoder", call="decoder#3", node="decoder#3/LogBackward0:0")
    assert origin_text(op, source=SOURCE) == (
        "First value that is not finite: NaN out of LogBackward0 in decoder#3, model.py:41"
    )
    assert headline(op) == "The loss of step 41 is NaN: first out of LogBackward0 in decoder#3"
    assert origin_key(op) == "decoder#3/LogBackward0:0"
    parameter = event(origin="parameter", parameter="fc1.weight", node="#0/TBackward0:0", value="inf")
    assert origin_text(parameter).endswith("Inf in the parameter fc1.weight, which the update of step 40 left behind")
    assert origin_key(parameter) == "fc1.weight"
    gradient = event(what="gradient", origin="parameter", parameter="fc1.weight", module="fc1", others=["fc1.bias"])
    assert headline(gradient).endswith("first in the gradient of fc1.weight and 1 other")
    given = event(origin="input", op="AddmmBackward0", call="#0", node="n", source=SOURCE)
    assert headline(given).endswith("first in what AddmmBackward0 was given in the model itself, model.py:41")
    unsearched = event(origin=None, op=None, node=None, call=None, parameter=None, source=None)
    assert headline(unsearched) == "The loss of step 41 is NaN; the graph of this step was not recorded"
    assert origin_text(unsearched) == "NaN in the loss; the graph of this step was not recorded"
    assert headline(event(origin=None, late=True)) == (
        "The loss of step 41 is NaN; an accelerator tells it a step late, and the graph of the next step shows no cause"
    )
    first = Event(1, "not_finite", 0, 0, {"what": "loss", "origin": "parameter", "parameter": "w", "value": "nan"})
    assert headline(first).endswith("first in the parameter w, which was so before the first step")
    nothing = Event(1, "not_finite", 0, 0, {})
    assert (origin_key(nothing), headline(nothing)) == ("", "The loss of step 0 is not finite: first out of an op")


def test_a_failure_names_what_was_raised() -> None:
    failed = Event(
        1, "capture_failed", 3, 0, {"hook": "_before_backward", "traceback": "Traceback\n  x\nKeyError: 'a'\n"}
    )
    assert last_line(failed) == "KeyError: 'a'"
    assert headline(failed).startswith("From step 3 on no graphs are recorded")
    search = Event(1, "capture_failed", 3, 0, {"hook": "search", "traceback": ""})
    assert headline(search) == "The search for what is not finite in step 3 failed"


def test_a_disk_that_failed_is_told_in_the_tapes_words() -> None:
    moved = Event(1, "disk", 1041, 0, {"text": "the file is gone; recording ended", "first": 1042})
    assert headline(moved) == "At step 1,041 the file is gone; recording ended"
    assert len(headline(Event(1, "disk", 3, 0, {"text": "x" * 10_000}))) < 300


@pytest.fixture
def spoilt(qtbot: QtBot, window: MainWindow, full_tape: Path) -> MainWindow:
    window.workbench.open_tape(full_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and bool(session.incidents), timeout=SOON_MSECS)
    return window


def test_a_loss_that_is_not_finite_is_told_and_leads_to_its_origin(qtbot: QtBot, spoilt: MainWindow) -> None:
    session, bar = spoilt.workbench.session, spoilt.graph.incidents
    assert bar.isVisible()
    assert "The loss of step 4 is NaN: first out of LogBackward0 in decoder#0" in bar.text.text()
    assert "The loss of step 4 is NaN" in spoilt.console.text

    qtbot.mouseClick(bar.go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.drawing.step.index == 4, timeout=SOON_MSECS)
    assert session.selection == "decoder#0/LogBackward0:0"
    qtbot.waitUntil(lambda: bool(spoilt.inspector.alarm.text()), timeout=SOON_MSECS)
    alarm = spoilt.inspector.alarm.text().replace("\u200b", "")
    assert alarm == (f"First value that is not finite: NaN out of LogBackward0 in decoder#0, spoilt.py:{LOG_LINE}")
    session.select("decoder#0")
    assert spoilt.inspector.alarm.isVisible()
    session.select("encoder#0")
    assert not spoilt.inspector.alarm.isVisible()


def rows(sections: tuple[Section, ...]) -> dict[str, dict[str, str]]:
    return {section.title: {fact.name: fact.value for fact in section.facts} for section in sections}


def test_what_the_origin_took_and_gave_reads_as_rows_that_lead_to_its_inputs(full_tape: Path) -> None:
    tape = Tape(full_tape)
    found, *_ = tape.events("not_finite")
    graph = tape.graph(4)
    sections = origin_sections(found, LastFinite(3, "decoder#0", {"min": -1.5, "mean": 0.5}), graph)
    taken = rows(sections)["What it took: self"]
    assert taken["from"] == "decoder · Sub" and taken["shape"] == "3 × 4"
    assert taken["values"].startswith("−8.") and " to −8." in taken["values"]
    assert sections[0].facts[0].key in graph
    assert rows(sections)["What it gave"] == {"shape": "3 × 4", "NaN values": "all"}
    last = rows(sections)["Last finite step"]
    assert (last["step"], last["output min"], last["output mean"]) == ("3", "−1.5", "0.5")


def test_what_an_event_does_not_say_has_no_rows(full_tape: Path) -> None:
    graph = Tape(full_tape).graph(4)
    assert origin_sections(event(origin="op", node="x"), None, graph) == ()
    strange = event(inputs=[{"node": "gone#0/Mul:0", "parameter": 3}, 5], output="x")
    assert rows(origin_sections(strange, None, graph)) == {
        "What it took: input": {"from": "gone#0/Mul:0", "values": "not kept"}
    }
    weight = event(inputs=[{"node": "encoder#0/TBackward0:0", "parameter": "encoder.weight", "name": "mat2"}])
    (section,) = origin_sections(weight, None, graph)
    assert [fact.key in graph for fact in section.facts] == [True, True, False]


def test_the_inspector_leads_to_the_last_finite_step_and_compares_with_it(qtbot: QtBot, spoilt: MainWindow) -> None:
    session, inspector = spoilt.workbench.session, spoilt.inspector
    qtbot.waitUntil(lambda: bool(session.last_finite), timeout=SOON_MSECS)
    assert not inspector.go_to_last.isVisible()
    spoilt.actions_["go_to_origin"].trigger()
    qtbot.waitUntil(lambda: inspector.go_to_last.isVisible(), timeout=SOON_MSECS)
    assert inspector.go_to_last.text() == "Go to step 3"
    titles = [block.title for block in inspector.model.blocks]
    assert titles[:3] == ["What it took: self", "What it gave", "Last finite step"]
    qtbot.mouseClick(inspector.compare, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.drawing.question.compared_step == 3, timeout=SOON_MSECS)
    assert (session.pinned_step, session.step, session.selection) == (3, 4, "decoder#0/LogBackward0:0")
    qtbot.mouseClick(inspector.go_to_last, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.drawing.step.index == 3, timeout=SOON_MSECS)
    assert session.selection == "decoder#0/LogBackward0:0"
    qtbot.waitUntil(lambda: not inspector.go_to_last.isVisible(), timeout=SOON_MSECS)


def test_an_input_of_the_origin_is_a_link(qtbot: QtBot, spoilt: MainWindow) -> None:
    session, inspector = spoilt.workbench.session, spoilt.inspector
    spoilt.actions_["go_to_origin"].trigger()
    qtbot.waitUntil(lambda: bool(inspector.model.blocks), timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: inspector.model.blocks[0].title == "What it took: self", timeout=SOON_MSECS)
    inspector.tree.key_activated.emit(inspector.model.blocks[0].rows[0].key)
    assert session.selection == "decoder#0/SubBackward0:0"


def test_the_message_offers_the_comparison_where_there_is_room(qtbot: QtBot, spoilt: MainWindow) -> None:
    session, bar = spoilt.workbench.session, spoilt.graph.incidents
    qtbot.waitUntil(lambda: bool(session.last_finite), timeout=SOON_MSECS)
    spoilt.resize(1600, 800)
    qtbot.waitUntil(bar.compare.isVisible, timeout=SOON_MSECS)
    assert bar.compare.text() == "Compare with step 3"
    spoilt.resize(1000, 700)
    qtbot.waitUntil(lambda: not bar.compare.isVisible(), timeout=SOON_MSECS)
    assert bar.go.isVisible()
    spoilt.resize(1600, 800)
    qtbot.waitUntil(bar.compare.isVisible, timeout=SOON_MSECS)
    qtbot.mouseClick(bar.compare, Qt.MouseButton.LeftButton)
    assert (session.pinned_step, session.step) == (3, 4)


def test_without_a_last_finite_step_there_is_no_way_to_it(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    script = "import torch\nw = torch.nn.Parameter(-torch.ones(3))\nfor _ in range(3):\n    w.log().sum().backward()\n"
    window.workbench.open_tape(record(tmp_path, "at_once", script))
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.run_state == "ended" and bool(session.incidents), timeout=SOON_MSECS)
    assert session.last_finite == {}
    assert window.actions_["go_to_origin"].isEnabled()
    assert not window.actions_["go_to_last_finite"].isEnabled()
    assert not window.actions_["compare_last_finite"].isEnabled()


def test_a_key_goes_to_the_origin_from_a_closed_message(qtbot: QtBot, spoilt: MainWindow) -> None:
    session, bar = spoilt.workbench.session, spoilt.graph.incidents
    qtbot.mouseClick(bar.close_button, Qt.MouseButton.LeftButton)
    assert not bar.isVisible()
    spoilt.activateWindow()
    spoilt.graph.canvas.setFocus()
    qtbot.keyClick(spoilt.graph.canvas, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert (session.step, session.selection) == (4, "decoder#0/LogBackward0:0")


def test_the_timeline_marks_the_step_and_says_why(qtbot: QtBot, spoilt: MainWindow) -> None:
    strip = spoilt.scalars.strip
    assert "The loss of step 4 is NaN" in strip.tip(4)
    assert "NaN" not in strip.tip(3)
    qtbot.waitUntil(lambda: strip._span.last > 5, timeout=SOON_MSECS)
    x, error = round(float(strip._span.px_at(4))), spoilt._appearance.theme.error
    assert strip.grab().toImage().pixelColor(x, 3).name() == error


def test_another_tape_starts_without_the_messages_of_the_last(
    qtbot: QtBot, spoilt: MainWindow, recorded_tape: Path
) -> None:
    spoilt.workbench.open_tape(recorded_tape)
    qtbot.waitUntil(lambda: spoilt.workbench.session.drawing is not None, timeout=SOON_MSECS)
    assert not spoilt.graph.incidents.isVisible()
    assert not spoilt.actions_["go_to_origin"].isEnabled()


def test_a_capture_that_failed_is_told_in_one_sentence(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    window.workbench.open_tape(record(tmp_path, "broken", BROKEN))
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and bool(session.incidents), timeout=SOON_MSECS)
    sentence = (
        "From step 2 on no graphs are recorded, as Tapescope failed there; the training is not affected"
        " (RuntimeError: broken on purpose)"
    )
    assert sentence in window.graph.incidents.text.text()
    assert not window.graph.incidents.go.isVisible()
    assert sentence in window.console.text
    assert len(session.timeline) == 4
