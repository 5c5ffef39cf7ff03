"""What the user has to know: a loss that is not finite and where that began, a capture that failed."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.incidents import headline, last_line, origin_key, origin_text
from gui.windows.main_window import MainWindow
from tests.gui.conftest import LOG_LINE, record
from tracer import Event

SOON_MSECS = 10_000
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
