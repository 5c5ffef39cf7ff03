"""The recording level is shown as the tape has it, and is changed while a real training runs."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from gui.levels import CHOICES, sampling_text
from gui.session import Session
from gui.windows.level_button import LevelButton
from gui.windows.main_window import MainWindow
from tests.gui.growing_table import NO_STEPS
from tests.gui.test_app import ENDLESS, SOON_MSECS, start
from tracer import Batch, Event
from tracer.options import Sampling


@pytest.mark.parametrize(
    ("sampling", "text"),
    [
        (Sampling(), "Structure only"),
        (Sampling("statistics", 10), "Statistics every 10th step"),
        (Sampling("statistics"), "Statistics every step"),
        (Sampling("full"), "Everything (full)"),
        (Sampling("full", 3), "Everything (full) every 3rd step"),
        (Sampling("structure", 12), "Structure only every 12th step"),
    ],
)
def test_every_sampling_has_a_name(sampling: Sampling, text: str) -> None:
    assert sampling_text(sampling) == text


def test_what_is_recorded_is_what_the_tape_says(qtbot: QtBot, tmp_path: Path) -> None:
    session = Session()
    session.open(tmp_path / "run.tape", follows_live=False)
    seen = []
    for number, (kind, data) in enumerate(
        [
            ("started", {"level": "statistics", "every": 10}),
            ("level", {"level": "full", "every": 1}),
            ("level", {"level": "of the future", "every": 1}),
            ("started", {}),
        ]
    ):
        session.append(Batch(NO_STEPS, (Event(number, kind, 0, 0, data),), {}))
        seen.append(session.sampling)
    assert seen == [Sampling("statistics", 10), Sampling("full"), Sampling(), Sampling()]


def checked(window: MainWindow) -> list[str]:
    return [choice.name for choice in CHOICES if window.actions_[f"level_{choice.name}"].isChecked()]


def test_the_level_is_changed_while_running_and_checked_when_the_tape_says_so(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    assert not window.actions_["level_full"].isEnabled()
    start(qtbot, window, script)
    session, actions, button = window.workbench.session, window.actions_, window.findChild(LevelButton)
    qtbot.waitUntil(actions["level_statistics"].isEnabled, timeout=SOON_MSECS)
    assert checked(window) == ["structure"]
    qtbot.waitUntil(button.isVisible, timeout=SOON_MSECS)
    assert button.text() == "Structure only"

    actions["level_statistics"].trigger()
    assert checked(window) == ["structure"]  # a click is a wish
    qtbot.waitUntil(lambda: checked(window) == ["statistics"], timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: session.drawing.statistics is not None, timeout=SOON_MSECS)
    assert button.text() == "Statistics"
    assert "structure and statistics" in window._facts.text()

    actions["level_full"].trigger()
    qtbot.waitUntil(lambda: checked(window) == ["full"] and session.drawing.step.level == "full", timeout=SOON_MSECS)
    assert session.drawing.statistics.operators

    actions["pause"].trigger()
    qtbot.waitUntil(lambda: session.run_state == "paused", timeout=SOON_MSECS)
    actions["level_statistics_10"].trigger()
    actions["step"].trigger()
    qtbot.waitUntil(lambda: checked(window) == ["statistics_10"], timeout=SOON_MSECS)

    window.workbench.stop()
    qtbot.waitUntil(lambda: session.run_state == "ended", timeout=SOON_MSECS)
    assert not actions["level_full"].isEnabled()
    qtbot.waitUntil(lambda: not button.isVisible(), timeout=SOON_MSECS)  # the toolbar lays itself out later


def test_source_lines_are_noted_on_demand(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    start(qtbot, window, script)
    session, actions = window.workbench.session, window.actions_
    qtbot.waitUntil(actions["trace_sources"].isEnabled, timeout=SOON_MSECS)
    session.go_to(len(session.timeline) - 1)
    actions["trace_sources"].trigger()
    assert "next step" in window.statusBar().currentMessage()
    qtbot.waitUntil(lambda: session.drawing is not None and session.drawing.has_lines, timeout=SOON_MSECS)
    key = next(key for key in session.drawing.graph if "MulBackward" in key)
    session.select(key)
    assert session.drawing.graph.nodes[key]["source"]["line"] == 7
    assert window.inspector.source.isVisible()
    window.workbench.close_tape(stops_run=True)
