"""A tape that turns out to be damaged once it is open: the window says so, and nothing else of it."""

from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.findings import why_nothing
from gui.session import Session
from gui.theme import LIGHT
from gui.windows.main_window import MainWindow
from gui.windows.run_pill import RunPill
from gui.windows.step_box import StepBox

WHY = "a.tape is damaged: step 3 does not match its checksum. `tapescope repair` takes out what is intact."


def test_a_tape_that_cannot_be_read_is_said_to_be_damaged_until_another_is_opened(qtbot: QtBot) -> None:
    session = Session()
    pill = RunPill(session, LIGHT)
    qtbot.addWidget(pill)
    session.open(Path("a.tape"), follows_live=False)
    assert pill.text().endswith("  Reading") and why_nothing(session) == "Reading the tape…"
    session.fail(WHY)
    assert pill.text().endswith("  Damaged") and LIGHT.error in pill.styleSheet() and "step 3" in pill.toolTip()
    assert why_nothing(session) == WHY
    session.open(Path("b.tape"), follows_live=True)
    assert pill.text().endswith("  Starting") and why_nothing(session) == "Starting the training…"


def test_after_a_step_was_typed_the_arrows_are_the_graphs_again(
    qtbot: QtBot, window: MainWindow, recorded_tape: Path
) -> None:
    session, spin = window.workbench.session, window.findChild(StepBox).spin
    window.workbench.open_tape(recorded_tape)
    qtbot.waitUntil(lambda: session.drawing is not None)
    window.activateWindow()
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, "2")
    assert spin.hasFocus()
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert session.step == 2 and not spin.hasFocus()
