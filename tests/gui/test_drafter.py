"""The worker that draws: what steps share is made once, and a layout that takes long can be given up."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui import drafter as drafter_module
from gui import draftsman, foresight
from gui.drafter import Drafter
from gui.drawing import Drawing, DrawingOptions, Question
from gui.recent import Recent
from gui.session import Session
from gui.step_graphs import StepGraphs
from gui.theme import DARK, LIGHT
from gui.windows.main_window import MainWindow
from tracer import Tape
from tracer.errors import TapeError
from tracer.layout import Cancelled

SOON_MSECS = 60_000


@pytest.fixture
def tape(recorded_tape: Path) -> Iterator[Tape]:
    """Steps 1 and 2 read five words, step 0 and step 5 three."""
    with Tape(recorded_tape) as opened:
        yield opened


def draw(drafter: Drafter, step: int, compared: int = -1, theme=LIGHT, **options: object) -> Drawing:
    return drafter.draw(Question(step, compared, DrawingOptions(**options), theme))


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_the_last_values_asked_for_are_kept_and_no_more(keys: list[int], most: int) -> None:
    recent: Recent[int] = Recent(most)
    made: list[int] = []

    def make(key: int) -> Callable[[], int]:
        return lambda: made.append(key) or key

    kept: list[int] = []
    for key in keys:
        count = len(made)
        assert recent.get(key, make(key)) == key
        assert len(made) - count == (key not in kept)
        kept = ([other for other in kept if other != key] + [key])[-most:]


def test_a_value_that_cannot_be_made_is_asked_for_again() -> None:
    recent: Recent[int] = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.get("a", lambda: 1 // 0)
    assert recent.get("a", lambda: 7) == 7


def test_steps_that_share_a_graph_share_the_scene(tape: Tape) -> None:
    drafter = Drafter(tape, lambda: False)
    first, second, other = draw(drafter, 1), draw(drafter, 2), draw(drafter, 0)
    assert first.scene is second.scene and first.graph is second.graph
    assert other.scene is not first.scene and other.scene.layout is first.scene.layout


def test_another_colouring_or_theme_colours_the_same_fit(tape: Tape) -> None:
    drafter = Drafter(tape, lambda: False)
    plain, dark, by_type = draw(drafter, 1), draw(drafter, 1, theme=DARK), draw(drafter, 1, coloring="device")
    assert plain.scene is not dark.scene and plain.scene is not by_type.scene
    assert plain.scene.fit is dark.scene.fit is by_type.scene.fit


def test_what_the_tape_holds_is_in_the_layout_before_it_is_shown(tape: Tape) -> None:
    drafter = Drafter(tape, lambda: False)
    first = draw(drafter, 0)
    assert not drafter.look_ahead()
    assert draw(drafter, 1).scene.layout is first.scene.layout


def test_of_large_structures_the_one_asked_for_is_drawn_before_the_others_are_read(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foresight, "FORESEEN_AT_ONCE", 0)
    drafter = Drafter(tape, lambda: False)
    first = draw(drafter, 0)
    assert not drafter.is_outdated
    while drafter.look_ahead():
        pass
    assert drafter.is_outdated
    again = draw(drafter, 0)
    assert len(again.calls) > len(first.calls) and not drafter.is_outdated
    assert draw(drafter, 1).scene.layout is again.scene.layout


def test_the_window_comes_to_show_the_layout_of_all_that_was_foreseen(
    qtbot: QtBot, window: MainWindow, recorded_tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foresight, "FORESEEN_AT_ONCE", 0)
    session = window.workbench.session
    seen: list[int] = []
    session.drawing_changed.connect(lambda: seen.append(0 if session.drawing is None else len(session.drawing.calls)))
    window.commands.open_path(recorded_tape)
    qtbot.waitUntil(lambda: len(seen) > 2, timeout=SOON_MSECS)
    assert 0 < seen[-2] < seen[-1]
    assert session.drawing is not None and session.drawing.step.index == session.step


def test_damage_elsewhere_in_the_tape_does_not_keep_a_step_from_being_drawn(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = tape.graph

    def damaged(index: int) -> nx.MultiDiGraph:
        if index == 1:
            raise TapeError("The file is damaged.")
        return graph(index)

    monkeypatch.setattr(tape, "graph", damaged)
    assert draw(Drafter(tape, lambda: False), 0).step.index == 0


def test_ghosts_are_left_out_of_the_scene_and_kept_in_the_layout(tape: Tape) -> None:
    drafter = Drafter(tape, lambda: False)
    whole, part = draw(drafter, 0), draw(drafter, 0, shows_ghosts=False)
    assert whole.scene.shows_ghosts and not part.scene.shows_ghosts
    assert part.scene.layout is whole.scene.layout


def test_what_differs_is_found_once_for_all_steps_of_two_graphs(tape: Tape) -> None:
    graphs = StepGraphs(tape)
    steps = [tape.step(index) for index in range(len(tape))]
    assert graphs.diff(steps[0], steps[1]) is graphs.diff(steps[5], steps[2])
    assert graphs.diff(steps[1], steps[0]) is not graphs.diff(steps[0], steps[1])
    assert graphs.diff(steps[0], steps[1]) == tape.diff(0, 1)


def test_progress_rises_to_the_end(tape: Tape) -> None:
    shares: list[float] = []
    draw(Drafter(tape, lambda: False, shares.append), 1)
    assert shares == sorted(shares) and shares[-1] == 1.0 and shares[0] >= 0


def test_a_layout_that_is_not_wanted_is_given_up_and_can_be_asked_for_again(tape: Tape) -> None:
    is_wanted = [False]
    drafter = Drafter(tape, lambda: not is_wanted[0])
    with pytest.raises(Cancelled):
        draw(drafter, 1)
    is_wanted[0] = True
    assert len(draw(drafter, 1).scene.boxes) > 0


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> Session:
    window.workbench.open_tape(recorded_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and len(session.timeline) == 6, timeout=SOON_MSECS)
    return session


def endless(*_: object, cancelled: Callable[[], bool], progress: Callable[[float], None], **__: object) -> None:
    """A layout that gets nowhere."""
    progress(0.4)
    never = threading.Event()
    while not cancelled():
        never.wait(0.005)
    raise Cancelled


def test_a_layout_given_up_leaves_the_picture_and_takes_the_options_back(
    qtbot: QtBot, window: MainWindow, opened: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draftsman, "LONG_SECS", -1.0)
    qtbot.waitUntil(lambda: window.workbench._drawn is not None)
    before, scene = opened.options, opened.drawing.scene
    monkeypatch.setattr(drafter_module, "lay_out", endless)
    canvas = window.graph.canvas
    window.actions_["bookkeeping"].trigger()
    qtbot.waitUntil(canvas.progress.isVisible, timeout=SOON_MSECS)
    assert opened.drawing.scene is scene
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert opened.options == before
    assert not window.actions_["bookkeeping"].isChecked()
    qtbot.waitUntil(lambda: not canvas.progress.isVisible(), timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: opened.drawing.question.options == before, timeout=SOON_MSECS)
    assert opened.drawing.scene.layout is scene.layout


def test_what_a_step_lacks_is_hidden_by_its_action_and_remembered(
    qtbot: QtBot, window: MainWindow, opened: Session
) -> None:
    assert window.actions_["ghosts"].isChecked()
    window.actions_["ghosts"].trigger()
    qtbot.waitUntil(lambda: not opened.drawing.scene.shows_ghosts, timeout=SOON_MSECS)
    assert not window.workbench.settings.shows_ghosts


def test_the_animation_is_turned_off_in_both_canvases_and_remembered(window: MainWindow) -> None:
    window.actions_["animate"].trigger()
    assert not window.workbench.settings.animates
    assert not any(canvas.animates for canvas in window.graph.panes.canvases)
