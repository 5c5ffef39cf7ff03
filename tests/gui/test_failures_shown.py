"""A run that an exception ended, in the app: where it failed is marked, told and found."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from gui.failures import MOST_CHARS, failure_headline, failure_key, failure_sections, variable_text
from gui.windows.main_window import MainWindow
from tests.gui.conftest import record
from tracer import Event, Tape
from tracer.model.unreached import unreached_parameters
from tracer.model.view import GRAPHLESS, NO_BACKWARD

SOON_MSECS = 60_000

NET = """
import torch
from torch import nn

class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
    def forward(self, x, how):
        hidden = self.first(x).exp()
        out = hidden * hidden
        if how == "backward":
            hidden += 1
        return self.second(out[:, :3] if how == "forward" else out)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.inner, self.head = nn.Linear(4, 4), Inner(), nn.Linear(4, 1)
    def forward(self, x, how):
        return self.head(self.inner(self.stem(x), how)).mean()

torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
for number in range(4):
    optimizer.zero_grad()
    loss = net(torch.randn(3, 4), HOW if number == 3 else "")
    loss.backward()
    optimizer.step()
"""
LINES = {"forward": 14, "backward": 11}  # where it was raised, where the op was made


@pytest.fixture(scope="session")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("failed")
    loading = NET.replace("    loss = net", "    if number == 3: raise OSError('no data')\n    loss = net")
    return {
        "forward": record(folder, "forward", NET.replace("HOW", '"forward"')),
        "backward": record(folder, "backward", NET.replace("HOW", '"backward"')),
        "loading": record(folder, "loading", loading.replace("HOW", '""')),
    }


def opened(qtbot: QtBot, window: MainWindow, tape: Path) -> Any:
    window.workbench.open_tape(tape)
    session = window.workbench.session
    qtbot.waitUntil(
        lambda: session.drawing is not None and bool(session.incidents) and session.drawing.step.index == session.step,
        timeout=SOON_MSECS,
    )
    return session


def drawn(qtbot: QtBot, window: MainWindow) -> None:
    session = window.workbench.session
    qtbot.waitUntil(
        lambda: session.drawing is not None and session.drawing.question.options == session.options, timeout=SOON_MSECS
    )


def shown_in(window: MainWindow) -> str:
    blocks = window.inspector.model.blocks
    return "\n".join(" | ".join((block.title, *(" ".join(row.texts) for row in block.rows))) for block in blocks)


def test_it_opens_at_the_unfinished_step_and_marks_the_call(
    qtbot: QtBot, window: MainWindow, tapes: dict[str, Path]
) -> None:
    session = opened(qtbot, window, tapes["forward"])
    assert (session.step, session.drawing.step.phase) == (3, "partial")
    bar = window.graph.incidents
    assert bar.isVisible() and bar.go.text() == "Go to exception" and bar.go.isVisible()
    said = f"RuntimeError in forward of inner.second#0, forward.py:{LINES['forward']}: mat1 and mat2 shapes cannot"
    assert said in bar.text.text() and said in window.scalars.strip.tip(3) and said in window.console.text
    session.open_all_calls()
    drawn(qtbot, window)
    assert window.graph.canvas.failed == ("inner.second#0",)
    # What ran before the exception has no gradient, but nothing was detached: no backward ran.
    scene = session.drawing.scene
    traits = {each.trait for each in (*scene.boxes, *scene.groups)} & set(GRAPHLESS)
    assert traits == {NO_BACKWARD} and any("no backward" in group.title for group in scene.groups)
    labels = [entry.label for entry in scene.legend]
    assert "No backward ran" in labels and "Detached: no gradient reached it" not in labels
    assert session.drawing.graph.graph["unreached"] and "Unreached" not in shown_in(window)
    session.open_to_depth(1)
    drawn(qtbot, window)
    assert window.graph.canvas.failed == ("inner#0",)
    session.go_to(2)
    qtbot.waitUntil(lambda: session.drawing.step.index == 2, timeout=SOON_MSECS)
    assert window.graph.canvas.failed == ()


def test_the_key_leads_to_it_and_the_inspector_tells_all(
    qtbot: QtBot, window: MainWindow, tapes: dict[str, Path]
) -> None:
    session = opened(qtbot, window, tapes["backward"])
    session.go_to(1)
    window.activateWindow()
    window.graph.canvas.setFocus()
    qtbot.keyClick(window.graph.canvas, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert (session.step, session.selection) == (3, "inner#0/MulBackward0:0")
    qtbot.waitUntil(lambda: window.graph.canvas.failed == ("inner#0/MulBackward0:0",), timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: "Exception" in shown_in(window), timeout=SOON_MSECS)
    shown = shown_in(window)
    assert (
        "raised in backward at MulBackward0 in inner#0" in shown
        and f"op made at backward.py:{LINES['backward']}" in shown
    )
    assert "<module>, backward.py:" in shown and "number 3" in shown and "net Net" in shown
    alarm = window.inspector.alarm.text().replace("\u200b", "")
    assert alarm.startswith(
        f"RuntimeError in backward at MulBackward0 in inner#0, backward.py:{LINES['backward']}: one of"
    )
    session.select("")
    qtbot.waitUntil(lambda: "Exception" in shown_in(window) and "phase partial" in shown_in(window), timeout=SOON_MSECS)
    session.select("stem#0")
    qtbot.waitUntil(lambda: "Exception" not in shown_in(window), timeout=SOON_MSECS)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_mark_is_seen_in_the_colour_of_errors(
    theme: str, qtbot: QtBot, window: MainWindow, tapes: dict[str, Path], settings: Any
) -> None:
    window.actions_[f"theme_{theme}"].trigger()
    session = opened(qtbot, window, tapes["backward"])
    canvas = window.graph.canvas
    window.commands.origins.go_to_origin()
    qtbot.waitUntil(lambda: canvas.failed == ("inner#0/MulBackward0:0",), timeout=SOON_MSECS)
    drawn(qtbot, window)
    session.select("")
    canvas.set_animated(False)
    canvas.center_on("inner#0/MulBackward0:0")
    x, y, width, _ = canvas.rect_of("inner#0/MulBackward0:0")
    at = QPoint(round(canvas.camera.to_view(x + width / 2, y)[0]), round(canvas.camera.to_view(x, y)[1]) - 5)
    error = window._appearance.theme.error
    image = canvas.grab().toImage()
    near = {image.pixelColor(at.x(), at.y() + offset).name() for offset in range(-2, 3)}
    assert error in near


def test_a_failure_between_two_steps_is_told_with_the_last(
    qtbot: QtBot, window: MainWindow, tapes: dict[str, Path]
) -> None:
    session = opened(qtbot, window, tapes["loading"])
    assert session.step == 2 and session.drawing.step.phase == "train"
    assert "OSError in the script's own code, loading.py:" in window.graph.incidents.text.text()
    assert "OSError" in window.scalars.strip.tip(2) and window.graph.canvas.failed == ()
    qtbot.waitUntil(lambda: "type OSError" in shown_in(window), timeout=SOON_MSECS)
    window.commands.origins.go_to_origin()
    assert session.step == 2 and session.selection == ""


def test_a_run_started_here_waits_at_its_exception(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, settings: Any
) -> None:
    window.actions_["break_on_exception"].trigger()
    assert settings.breaks_on_exception
    script = tmp_path / "failing.py"
    script.write_text(NET.replace("HOW", '"forward"'))
    window.commands._run(script)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.run_state == "paused")
    assert session.stop_reason == "exception" and session.step == 3
    qtbot.waitUntil(lambda: window.graph.canvas.failed != (), timeout=SOON_MSECS)
    bars = window.graph.stop, window.graph.incidents
    assert [bar.isVisible() for bar in bars] == [True, False] and window.actions_["continue"].isEnabled()
    session.go_to(1)
    assert not window.graph.incidents.isVisible()
    bars[0].go.click()
    assert session.step == 3
    qtbot.waitUntil(lambda: session.selection == failure_key(session.exception), timeout=SOON_MSECS)
    assert "Paused · exception" in window._pill.text()
    assert window.workbench.can_stop and "Traceback" not in window.console.text
    window.actions_["continue"].trigger()
    qtbot.waitUntil(lambda: session.run_state == "ended")
    assert "Failed: RuntimeError" in window._pill.text()
    assert [bar.isVisible() for bar in bars] == [False, True]
    qtbot.waitUntil(lambda: "Traceback" in window.console.text, timeout=SOON_MSECS)


def event(**data: object) -> Event:
    return Event(1, "exception", 3, 0, {"type": "ValueError", "message": "no", **data})


def test_only_where_no_backward_ran_nothing_counts_as_unreached(tapes: dict[str, Path]) -> None:
    with Tape(tapes["forward"]) as tape:
        graph = tape.graph(3)
        assert tape.step(3).lacks_backward and not tape.step(2).lacks_backward
        assert "inner.second.weight" in graph.graph["unreached"] and unreached_parameters(graph) == ()
        assert "lacks_backward" not in tape.graph(2).graph
    with Tape(tapes["backward"]) as tape:
        assert tape.step(3).phase == "partial" and not tape.step(3).lacks_backward


def test_an_exception_reads_as_a_sentence() -> None:
    source = {"file": "/code/model.py", "line": 42, "function": "f"}
    made = {"file": "/code/net.py", "line": 7, "function": "g"}
    node = event(
        where="backward", op="MulBackward0", node="d#3/MulBackward0:0", call="d#3", source=source, made_at=made
    )
    assert failure_headline(node) == "ValueError in backward at MulBackward0 in d#3, net.py:7: no"
    assert failure_key(node) == "d#3/MulBackward0:0"
    guess = event(where="backward", op="AddBackward0", node="AddBackward0:0", is_certain=False)
    assert failure_headline(guess) == "ValueError in backward at or near AddBackward0: no"
    parameter = event(where="backward", op="AccumulateGrad", node="w", parameter="w")
    assert failure_headline(parameter) == "ValueError in backward at parameter w: no" and failure_key(parameter) == "w"
    model = event(where="forward", call="#0", module="", source=source, message="")
    assert failure_headline(model) == "ValueError in forward of the model itself, model.py:42"
    assert failure_headline(event(where="forward", **{"class": "Net"})) == "ValueError in forward of Net: no"
    assert failure_headline(event(where="optimizer", optimizer="Adam")) == "ValueError in Adam: no"
    assert failure_headline(event(where="backward")) == "ValueError in backward: no"
    old = event()  # of a tape written before events told the place
    assert (failure_headline(old), failure_key(old)) == ("ValueError: no", "")
    assert [section.title for section in failure_sections(old)] == ["Exception"]
    long = failure_headline(event(message="x" * 1000 + "\nsecond"))
    assert long == f"ValueError: {'x' * MOST_CHARS}…"
    assert failure_headline(Event(1, "exception", 0, 0, {})) == "An exception"


def test_variables_are_told_in_a_few_words() -> None:
    tensor = {"type": "Tensor", "shape": [2, 4], "dtype": "float32", "device": "cpu", "requires_grad": False}
    assert variable_text(tensor) == "2 × 4 float32"
    assert variable_text(
        {**tensor, "type": "Parameter", "device": "cuda:0", "requires_grad": True, "nans": 3, "infs": 0}
    ) == ("Parameter 2 × 4 float32, cuda:0, needs grad, 3 NaN")
    assert variable_text({**tensor, "shape": [], "value": "0.123456789"}) == "0.1235, scalar float32"
    assert variable_text({"type": "str", "value": "'a'"}) == "'a'"
    assert variable_text({"type": "list", "length": 1200}) == "list of 1,200"
    assert variable_text({"type": "Adam"}) == "Adam" and variable_text({}) == ""


def test_the_first_cause_is_that_the_step_broke_off(qtbot: QtBot, window: MainWindow, tapes: dict[str, Path]) -> None:
    session = opened(qtbot, window, tapes["forward"])
    session.go_to(2)
    session.go_to(3)
    qtbot.waitUntil(lambda: bool(session.causes) and session.drawing.step.index == 3, timeout=SOON_MSECS)
    first, *others = session.causes
    said = (
        f"step 3 broke off: RuntimeError in forward of inner.second#0, forward.py:{LINES['forward']} (no backward ran"
    )
    assert first.text.startswith(said) and window.graph.why_line.why.toolTip().startswith(said)
    assert not {cause.kind for cause in others} & {"frozen", "unreached", "disappeared"}
