"""Opening and closing modules and taking folds apart, in the real window."""

import subprocess
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from pytestqt.qtbot import QtBot

from gui import hierarchy
from gui.canvas.camera import Camera
from gui.canvas.geometry import rows_in
from gui.settings import Settings
from gui.windows.main_window import MainWindow
from tracer.launch import command as tapescope

SOON_MSECS = 60_000


def wait_for_drawing(qtbot: QtBot, window: MainWindow) -> None:
    """Until what is drawn answers what the session asks now."""
    session = window.workbench.session

    def is_drawn() -> bool:
        drawing = session.drawing
        return (
            drawing is not None and drawing.step.index == session.step and drawing.question.options == session.options
        )

    qtbot.waitUntil(is_drawn, timeout=SOON_MSECS)


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> MainWindow:
    """At step 0 of six, which read 3, 5, 5, 2, 4 and 3 words; modules as they open by default."""
    window.graph.canvas.animates = False
    window.workbench.open_tape(recorded_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and len(session.timeline) == 6, timeout=SOON_MSECS)
    session.go_to(0)
    wait_for_drawing(qtbot, window)
    return window


def do(qtbot: QtBot, window: MainWindow, name: str) -> None:
    window.actions_[name].trigger()
    wait_for_drawing(qtbot, window)


def select(window: MainWindow, key: str) -> None:
    window.workbench.session.select(key)


def frames(window: MainWindow) -> set[str]:
    return {group.key for group in window.workbench.session.drawing.scene.groups}


def titles(window: MainWindow) -> list[str]:
    scene = window.workbench.session.drawing.scene
    return [each.title for each in (*scene.boxes, *scene.groups)]


def test_modules_are_expanded_to_a_depth(qtbot: QtBot, opened: MainWindow) -> None:
    do(qtbot, opened, "close_all")
    assert frames(opened) == set()
    do(qtbot, opened, "depth_1")
    assert frames(opened) == {"#0"}
    do(qtbot, opened, "depth_2")
    assert frames(opened) == {"#0", "embedding#0", "cell#0", "output#0"}


def test_a_selected_module_is_opened_further_and_fully_and_closed_from_within(qtbot: QtBot, opened: MainWindow) -> None:
    do(qtbot, opened, "close_all")
    select(opened, "#0")
    do(qtbot, opened, "open_further")
    assert frames(opened) == {"#0"}
    do(qtbot, opened, "close_call")
    do(qtbot, opened, "open_below")
    assert frames(opened) == {"#0", "embedding#0", "cell#0", "output#0"}
    select(opened, next(box.key for box in opened.workbench.session.drawing.scene.boxes if box.group == "cell#0"))
    do(qtbot, opened, "close_around")
    assert frames(opened) == {"#0", "embedding#0", "output#0"}
    assert opened.workbench.session.selection == "cell#0"
    do(qtbot, opened, "close_around")
    assert frames(opened) == set()


def test_plus_and_minus_open_and_close_what_is_selected_and_zoom_otherwise(qtbot: QtBot, opened: MainWindow) -> None:
    canvas = opened.graph.canvas
    do(qtbot, opened, "depth_1")
    select(opened, "cell#0")
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    wait_for_drawing(qtbot, opened)
    assert "cell#0" in frames(opened)
    qtbot.keyClick(canvas, Qt.Key.Key_Minus)
    wait_for_drawing(qtbot, opened)
    assert "cell#0" not in frames(opened)
    select(opened, "loss")
    before = canvas.camera.scale
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    qtbot.waitUntil(lambda: canvas.camera.scale > before, timeout=SOON_MSECS)


def test_a_fold_is_taken_apart_and_folded_again_from_one_of_its_copies(qtbot: QtBot, opened: MainWindow) -> None:
    do(qtbot, opened, "depth_1")
    assert "cell ×3" in titles(opened)
    select(opened, "cell#2")
    do(qtbot, opened, "toggle_fold")
    assert {"cell #0", "cell #2", "cell #4"} <= set(titles(opened))
    assert not any("×" in title for title in titles(opened))
    select(opened, "cell#3")
    do(qtbot, opened, "toggle_fold")
    assert "cell ×3" in titles(opened)


def test_folds_and_open_modules_survive_a_change_of_step(qtbot: QtBot, opened: MainWindow) -> None:
    session = opened.workbench.session
    do(qtbot, opened, "depth_1")
    assert "cell ×3" in titles(opened)
    session.go_to(1)
    wait_for_drawing(qtbot, opened)
    assert "cell ×3 → ×5" in titles(opened)
    select(opened, "cell#0")
    do(qtbot, opened, "toggle_fold")
    session.go_to(3)
    wait_for_drawing(qtbot, opened)
    assert frames(opened) == {"#0"}
    assert session.options.unfolded
    assert not any("×" in title for title in titles(opened))


def test_repeats_are_drawn_one_by_one_on_request_and_that_is_remembered(qtbot: QtBot, opened: MainWindow) -> None:
    do(qtbot, opened, "fold_repeats")
    assert not opened.workbench.session.options.folds_repeats
    assert opened.workbench.settings.folds_repeats is False
    assert not any("×" in title for title in titles(opened))
    do(qtbot, opened, "fold_repeats")
    assert opened.workbench.settings.folds_repeats is True


LOOP = """
import torch

weight = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([weight], lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    x = torch.ones(3)
    for _ in range(6):
        x = torch.tanh(x * weight)
    x.sum().backward()
    optimizer.step()
"""


def test_a_fold_of_ops_is_taken_apart_by_a_double_click(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    script, tape = tmp_path / "loop.py", tmp_path / "loop.tape"
    script.write_text(LOOP)
    subprocess.run(tapescope("run", "--headless", "-o", str(tape), str(script)), check=True, capture_output=True)
    window.workbench.open_tape(tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and len(session.timeline) == 2, timeout=SOON_MSECS)
    wait_for_drawing(qtbot, window)
    assert "Tanh ×6" in titles(window)
    key = next(box.key for box in session.drawing.scene.boxes if box.title == "Tanh ×6")
    window.graph.canvas.activate(key)
    wait_for_drawing(qtbot, window)
    assert titles(window).count("Tanh") == 6


def test_folding_is_on_until_told_otherwise(tmp_path: Path) -> None:
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    assert settings.folds_repeats
    settings.folds_repeats = False
    assert not settings.folds_repeats


def test_the_view_is_never_empty_after_much_was_closed(qtbot: QtBot, opened: MainWindow) -> None:
    canvas = opened.graph.canvas
    do(qtbot, opened, "fold_repeats")
    do(qtbot, opened, "open_all")
    boxes = canvas.scene.layout.boxes
    lowest = boxes[boxes[:, 1].argmax()]
    canvas.set_camera(Camera(float(lowest[0]), float(lowest[1]) - 900.0, 1.0))
    do(qtbot, opened, "close_all")
    x, y, width, height = canvas.camera.visible((canvas.width(), canvas.height()))
    assert len(rows_in(canvas.scene.layout.boxes, (x, y, width, height)))


def test_what_is_drawn_for_a_copy_is_found(qtbot: QtBot, opened: MainWindow) -> None:
    do(qtbot, opened, "depth_1")
    drawing = opened.workbench.session.drawing
    view = drawing.scene.layout.view
    assert hierarchy.drawn_key(view, "cell#2") == "cell#0"
    assert hierarchy.drawn_key(view, "cell.weight_ih") == "cell#0"
    assert hierarchy.drawn_key(view, "nothing") == ""
    assert hierarchy.can_open(drawing, "cell#2")
    assert hierarchy.can_close(drawing, "#0")
    assert not hierarchy.can_open(drawing, "loss")
    assert hierarchy.frame_around(drawing, "cell#2") == "#0"
    assert hierarchy.frame_around(drawing, "loss") == ""
    assert hierarchy.fold_at(drawing, "cell#4") == view.folds[0].key
    assert hierarchy.fold_at(drawing, "output#0") == ""
