"""Steps without a graph, and steps that are not there: the picture of them, the window on them."""

import os
import subprocess
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from gui.drafter import Drafter
from gui.drawing import DrawingOptions, Question
from gui.theme import LIGHT
from gui.windows.main_window import MainWindow
from tracer import Tape
from tracer.launch import command as tapescope

SOON_MSECS = 60_000
WHY = "The graph of step 4 was not recorded."


def take_screenshot(tape: Path, step: int, out: Path) -> subprocess.CompletedProcess[str]:
    words = tapescope("open", str(tape), "--step", str(step), "--screenshot", str(out), "--size", "900x600")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(words, capture_output=True, text=True, timeout=240, env=environment)


def test_a_step_without_a_graph_is_pictured(thinned_tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "step.png"
    done = take_screenshot(thinned_tape, 4, out)
    assert done.returncode == 0, done.stderr
    assert QImage(str(out)).width() == 900


def test_no_picture_is_taken_of_a_step_that_is_not_there(thinned_tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "step.png"
    done = take_screenshot(thinned_tape, 99, out)
    sentence = f"tapescope: There is no step 99 in {thinned_tape}; it has steps 0 to 5."
    assert (done.returncode, done.stderr.strip()) == (2, sentence)
    assert not out.exists()


def test_a_step_without_a_graph_shows_what_is_known_of_it(qtbot: QtBot, window: MainWindow, thinned_tape: Path) -> None:
    window.workbench.open_tape(thinned_tape)
    session, inspector = window.workbench.session, window.inspector
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    session.go_to(4)
    qtbot.waitUntil(lambda: session.undrawn is not None, timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: inspector._title.text() == "Step 4", timeout=SOON_MSECS)
    assert (inspector._title.text(), inspector._subtitle.text().replace("\u200b", "")) == ("Step 4", WHY)
    facts = {row.texts[0]: row.texts[1] for block in inspector.model.blocks for row in block.rows}
    assert facts["recorded"] == "no graph" and {"loss", "lr", "duration"} <= set(facts)
    assert (window.graph.canvas.placeholder, window.graph.canvas.scene) == (WHY, None)
    window.statistics.raise_()
    qtbot.waitUntil(lambda: window.statistics.table.message.text() == WHY, timeout=SOON_MSECS)

    session.go_to(3)
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    assert session.undrawn is None
    assert session.drawing.question.compared_step == 0  # the step that was drawn before


@pytest.mark.parametrize("is_beside", [False, True])
def test_a_step_is_drawn_though_the_one_before_it_has_no_graph(thinned_tape: Path, is_beside: bool) -> None:
    with Tape(thinned_tape) as tape:
        drafter = Drafter(tape, lambda: False)
        drawing = drafter.draw(Question(3, 2, DrawingOptions(side_by_side=is_beside), LIGHT))
        assert drawing.step.index == 3 and drawing.diff is None and drawing.graph.number_of_nodes() > 0
        assert drafter.explain(drawing).causes == ()
    assert drawing.compared is None or drawing.compared.why == "The graph of step 2 was not recorded."
