"""The whole app against real training processes: nothing is mocked between the window and the script."""

import json
import os
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent, QImage
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from gui.export import format_choices
from gui.windows.main_window import MainWindow
from gui.windows.run_pill import RunPill
from gui.windows.step_box import StepBox
from tracer import Tape
from tracer.launch import command as tapescope
from tracer.store.liveness import is_alive, process_start

START_MSECS = 120_000
"""The training process imports torch first; a busy machine takes its time."""
SOON_MSECS = 60_000

ENDLESS = """
import torch
w = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([w], lr=0.01)
while True:
    optimizer.zero_grad()
    (w * w).sum().backward()
    optimizer.step()
    torch.linalg.svd(torch.ones(60, 60))
"""

FAILING = """
import torch
w = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([w], lr=0.01)
for number in range(3):
    (w * w).sum().backward()
    optimizer.step()
raise RuntimeError("the data ran out")
"""


CHANGING = """
import torch
w = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([w], lr=0.01)
for number in range(10_000):
    out = w * w
    if number % 50 == 49:
        out = out.exp()
    optimizer.zero_grad()
    out.sum().backward()
    optimizer.step()
    torch.linalg.svd(torch.ones(60, 60))
"""


def click_in_message_box(text: str) -> Callable[[], None]:
    """Presses the button of this text in the dialog that opens next."""

    def click() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(20, click)
            return
        buttons: list[QAbstractButton] = box.buttons()
        next(button for button in buttons if button.text().replace("&", "") == text).click()

    QTimer.singleShot(20, click)
    return click


def start(qtbot: QtBot, window: MainWindow, script: Path, steps: int = 3) -> None:
    window.commands.open_path(script)
    session = window.workbench.session
    qtbot.waitUntil(lambda: len(session.timeline) >= steps or session.run_state == "ended", timeout=START_MSECS)


def process_of(window: MainWindow) -> tuple[int, str]:
    pid = int(window.workbench.session.meta["pid"])
    return pid, process_start(pid)


def kill(qtbot: QtBot, process: tuple[int, str]) -> None:
    """Ends a training that the app has let go of. One that it still holds on to would be missed, and that be said."""
    os.kill(process[0], signal.SIGKILL)
    qtbot.waitUntil(lambda: not is_alive(*process), timeout=SOON_MSECS)


def test_continuing_until_the_structure_changes_stops_at_exactly_that_step(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    script = tmp_path / "changing.py"
    script.write_text(CHANGING)
    start(qtbot, window, script)
    session, actions = window.workbench.session, window.actions_
    qtbot.waitUntil(actions["pause"].isEnabled, timeout=SOON_MSECS)
    actions["pause"].trigger()
    qtbot.waitUntil(lambda: session.run_state == "paused", timeout=SOON_MSECS)

    for _ in range(3):
        with qtbot.waitSignal(
            session.events_appended,
            timeout=SOON_MSECS,
            check_params_cb=lambda events: any(event.kind == "stopped" for event in events),
        ):
            actions["until_topology_changed"].trigger()
        qtbot.waitUntil(lambda: session.stop_reason == "breakpoint", timeout=SOON_MSECS)
        last = len(session.timeline) - 1
        assert session.run_state == "paused"
        assert session.step == last == session.timeline.previous_change(last + 1)
        assert last % 50 in (49, 0)
    window.workbench.close_tape(stops_run=True)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    return script


def test_a_demo_is_watched_paused_stepped_expanded_exported_and_closed(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    session, actions, canvas = window.workbench.session, window.actions_, window.graph.canvas
    card = next(card for card in window.welcome.cards if card.demo.name == "sentence_rnn")

    qtbot.mouseClick(card.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(session.timeline) >= 5 and session.drawing is not None, timeout=START_MSECS)
    assert session.run_state == "running"
    assert canvas.scene is not None
    assert "Data:" in window.console.text

    qtbot.waitUntil(actions["pause"].isEnabled, timeout=SOON_MSECS)
    actions["pause"].trigger()
    qtbot.waitUntil(lambda: session.run_state == "paused", timeout=SOON_MSECS)

    before = len(session.timeline)
    actions["step"].trigger()
    qtbot.waitUntil(lambda: len(session.timeline) > before and session.run_state == "paused", timeout=SOON_MSECS)
    with Tape(session.tape) as tape:
        assert len(tape) == len(session.timeline) == before + 1
        assert [event.data["reason"] for event in tape.events("stopped")] == ["pause", "step"]
    qtbot.waitUntil(lambda: session.step == before and session.drawing.step.index == before, timeout=SOON_MSECS)

    actions["continue"].trigger()
    qtbot.waitUntil(lambda: len(session.timeline) > before + 3, timeout=SOON_MSECS)

    spin = window.findChild(StepBox).spin
    spin.setValue(3)
    qtbot.waitUntil(lambda: session.drawing.step.index == 3, timeout=SOON_MSECS)
    assert not session.follows_live

    canvas.select("cell#0")
    actions["close_call"].trigger()
    qtbot.waitUntil(lambda: "cell#0" not in session.drawing.open_calls, timeout=SOON_MSECS)
    boxes = len(canvas.scene.layout.boxes)
    actions["toggle_call"].trigger()
    qtbot.waitUntil(lambda: "cell#0" in session.drawing.open_calls, timeout=SOON_MSECS)
    assert len(canvas.scene.layout.boxes) > boxes
    assert "cell#0" in {group.key for group in canvas.scene.layout.view.groups}

    for choice in format_choices():
        out = tmp_path / f"step{choice.suffix}"
        with qtbot.waitSignal(window.workbench.exported, timeout=SOON_MSECS):
            window.workbench.export(choice.name, out)
    assert QImage(str(tmp_path / "step.png")).width() > 100
    assert ElementTree.parse(tmp_path / "step.svg").getroot().tag.endswith("svg")
    assert json.loads((tmp_path / "step.json").read_text())["graph"]["step"] == 3

    process = process_of(window)
    click_in_message_box("Stop it")
    assert window.close()
    qtbot.waitUntil(lambda: not is_alive(*process), timeout=SOON_MSECS)


def test_closing_while_paused_can_be_called_off_or_let_the_training_run_on(
    qtbot: QtBot, window: MainWindow, endless: Path
) -> None:
    session = window.workbench.session
    start(qtbot, window, endless)
    qtbot.waitUntil(window.actions_["pause"].isEnabled, timeout=SOON_MSECS)
    window.actions_["pause"].trigger()
    qtbot.waitUntil(lambda: session.run_state == "paused", timeout=SOON_MSECS)
    process, tape_path, count = process_of(window), session.tape, len(session.timeline)

    click_in_message_box("Cancel")
    assert not window.close()
    assert session.run_state == "paused"

    click_in_message_box("Let it run on")
    assert window.close()
    try:
        with Tape(tape_path) as tape:
            qtbot.waitUntil(lambda: bool(tape.refresh()) and len(tape) > count, timeout=SOON_MSECS)
        assert is_alive(*process)
    finally:
        kill(qtbot, process)


def test_stop_ends_the_training_and_keeps_its_steps(qtbot: QtBot, window: MainWindow, endless: Path) -> None:
    session = window.workbench.session
    start(qtbot, window, endless)
    window.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: session.run_state == "ended" and not window.workbench.can_stop, timeout=SOON_MSECS)
    assert len(session.timeline) >= 3
    assert not window.actions_["stop"].isEnabled()
    assert window.close()


def test_a_script_that_raises_shows_its_traceback_and_its_steps(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    script = tmp_path / "failing.py"
    script.write_text(FAILING)
    start(qtbot, window, script)
    session = window.workbench.session
    qtbot.waitUntil(lambda: "exit code 1" in window.console.text, timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: session.run_state == "ended", timeout=SOON_MSECS)
    assert "RuntimeError: the data ran out" in window.console.text
    assert len(session.timeline) == 3


def test_a_tape_of_a_failed_run_from_a_terminal_tells_how_it_failed(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    script, tape = tmp_path / "failing.py", tmp_path / "failing.tape"
    script.write_text(FAILING)
    subprocess.run(tapescope("run", "--headless", "-o", str(tape), str(script)), capture_output=True, timeout=240)
    window.commands.open_path(tape)
    session, pill = window.workbench.session, window.findChild(RunPill)
    assert "outside the app" in window.console.widget().placeholderText()
    qtbot.waitUntil(lambda: session.drawing is not None and session.run_state == "ended", timeout=SOON_MSECS)
    assert "RuntimeError: the data ran out" in window.console.text
    assert pill.text().endswith("Failed: RuntimeError")
    assert "the data ran out" in pill.toolTip()
    session.last()
    qtbot.waitUntil(lambda: session.drawing.step.index == session.step, timeout=SOON_MSECS)
    titles = lambda: [block.title for block in window.inspector.model.blocks]  # noqa: E731
    qtbot.waitUntil(lambda: titles()[:1] == ["Exception"], timeout=SOON_MSECS)
    first, second, *_ = window.inspector.model.blocks[0].rows
    assert (first.texts, second.texts) == (("type", "RuntimeError"), ("message", "the data ran out"))


def test_a_script_that_never_starts_ends_without_a_tape(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("def :\n")
    start(qtbot, window, script)
    qtbot.waitUntil(lambda: "SyntaxError" in window.console.text, timeout=SOON_MSECS)
    assert len(window.workbench.session.timeline) == 0


def test_a_file_that_is_no_tape_is_refused_in_one_sentence(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "no.tape"
    path.write_text("hello")
    warnings: list[str] = []
    monkeypatch.setattr("gui.windows.commands.warn", lambda window, message: warnings.append(message))
    window.commands.open_path(path)
    assert len(warnings) == 1
    assert "no.tape" in warnings[0]
    assert window.workbench.session.tape is None


def test_a_dropped_tape_is_opened_and_remembered(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(recorded_tape))])
    nothing = Qt.KeyboardModifier.NoModifier
    drop = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, nothing)
    window.dropEvent(drop)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    assert session.run_state == "ended"
    assert window.workbench.settings.recent_tapes == (recorded_tape,)
    window.actions_["welcome"].trigger()
    assert window.welcome.isVisible()
    assert window.welcome.recent.rowCount() == 1


def test_keys_move_through_the_steps(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> None:
    window.commands.open_path(recorded_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    window.activateWindow()
    window.graph.canvas.setFocus()
    visited = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_End, Qt.Key.Key_Home):
        qtbot.keyClick(window.graph.canvas, key)
        visited.append(session.step)
    assert visited == [1, 2, 1, len(session.timeline) - 1, 0]


def test_at_the_ends_of_the_run_the_keys_of_the_steps_do_nothing(
    qtbot: QtBot, window: MainWindow, recorded_tape: Path
) -> None:
    window.commands.open_path(recorded_tape)
    session, canvas = window.workbench.session, window.graph.canvas
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: len(session.timeline) == 6, timeout=SOON_MSECS)
    window.activateWindow()
    canvas.setFocus()
    for go, key in ((session.first, Qt.Key.Key_Left), (session.last, Qt.Key.Key_Right)):
        go()
        qtbot.waitUntil(lambda: session.drawing.step.index == session.step, timeout=SOON_MSECS)
        camera = canvas.camera
        qtbot.keyClick(canvas, key)
        assert (canvas.selected_key, canvas.camera) == ("", camera)
    qtbot.keyClick(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert canvas.selected_key and session.step == 5


def test_the_dialog_for_tapes_runs_no_script(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, out = tmp_path / "train.py", tmp_path / "was_run"
    script.write_text(f"open({str(out)!r}, 'w')\n")
    warnings: list[str] = []
    monkeypatch.setattr("gui.windows.commands.warn", lambda window, message: warnings.append(message))
    monkeypatch.setattr("gui.windows.commands.QFileDialog.getOpenFileName", lambda *_: (str(script), ""))
    window.actions_["open"].trigger()
    assert len(warnings) == 1 and "train.py" in warnings[0]
    assert window.workbench.session.tape is None and not window.workbench.can_stop
    assert not out.exists()


def test_without_a_display_the_demo_is_trained_and_drawn_to_files(tmp_path: Path) -> None:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        tapescope("demo", "--headless", "--steps", "4"),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / "tapescope-out"
    with Tape(out / "mnist_mlp.tape") as tape:
        assert len(tape) == 4
    assert QImage(str(out / "mnist_mlp-window.png")).width() == 1440
    assert (out / "mnist_mlp-graph.svg").stat().st_size > 5000
    assert "Traceback" not in done.stderr
