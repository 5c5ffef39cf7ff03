"""The query language in the real window: nodes, steps on the timeline, proposals, examples, and what is refused."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.docks.span import Span
from gui.docks.structure_strip import FOUND_HEIGHT
from gui.finder import Finder
from gui.marks import FOUND
from gui.theme import LIGHT
from gui.windows.main_window import MainWindow
from gui.windows.search_bar import SearchBar
from tests.store.samples import META, step_record, structure_record
from tracer import Tape
from tracer.store.writer import Writer

SOON_MSECS = 60_000


def open_tape(qtbot: QtBot, window: MainWindow, path: Path, count: int) -> None:
    window.commands.open_path(path)
    session = window.workbench.session
    qtbot.waitUntil(lambda: len(session.timeline) == count and session.drawing is not None, timeout=SOON_MSECS)


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> MainWindow:
    """Six steps of sentences with 3, 5, 5, 2, 4, 3 words, step 0 shown."""
    open_tape(qtbot, window, recorded_tape, 6)
    window.workbench.session.go_to(0)
    return window


def bar_of(window: MainWindow) -> SearchBar:
    return window.graph.navigation.search_bar


def finder_of(window: MainWindow) -> Finder:
    return window.graph.navigation.finder


def look_for(qtbot: QtBot, window: MainWindow, text: str) -> SearchBar:
    """Types a query as a whole and waits for its answer."""
    window.actions_["find"].trigger()
    bar, finder = bar_of(window), finder_of(window)
    bar.field.setText(text)
    with qtbot.waitSignal(finder.changed, timeout=SOON_MSECS):
        pass
    qtbot.waitUntil(lambda: not finder.is_searching, timeout=SOON_MSECS)
    return bar


def test_a_query_finds_in_the_graph_what_the_tape_finds(qtbot: QtBot, page: MainWindow, recorded_tape: Path) -> None:
    for query in ("op:addmm module:cell", "param:weight -module:cell", "shape:[1,*] kind:op", "call:1 or output:0"):
        look_for(qtbot, page, query)
        with Tape(recorded_tape) as tape:
            assert list(finder_of(page).found) == tape.find(query, 0) != []
    assert page.workbench.session.marks.kind == FOUND


def test_steps_are_found_marked_and_gone_through(qtbot: QtBot, page: MainWindow) -> None:
    session = page.workbench.session
    bar = look_for(qtbot, page, "steps where module:cell ran > 3")
    assert session.found_steps is not None and session.found_steps.tolist() == [1, 2, 4]
    assert bar.count.text() == "3 steps" and bar.steps_button.isChecked()
    assert finder_of(page).found == () and not session.marks
    visited = []
    for _ in range(4):
        qtbot.keyClick(bar.field, Qt.Key.Key_Return)
        visited.append((session.step, bar.count.text()))
    assert visited == [(1, "1 of 3"), (2, "2 of 3"), (4, "3 of 3"), (1, "1 of 3")]
    qtbot.keyClick(bar.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert session.step == 4
    session.go_to(3)
    assert bar.count.text() == "3 steps"
    page.actions_["find_next"].trigger()
    assert session.step == 4
    qtbot.keyClick(bar.field, Qt.Key.Key_Escape)
    assert session.found_steps is None and bar.isHidden()


def test_the_button_turns_the_question_and_nodes_are_marked_again(qtbot: QtBot, page: MainWindow) -> None:
    session = page.workbench.session
    bar = look_for(qtbot, page, "cell#3")
    assert finder_of(page).found == ()
    qtbot.mouseClick(bar.steps_button, Qt.MouseButton.LeftButton)
    assert bar.field.text() == "steps where cell#3"
    qtbot.waitUntil(lambda: session.found_steps is not None, timeout=SOON_MSECS)
    assert session.found_steps is not None and session.found_steps.tolist() == [1, 2, 4]
    qtbot.mouseClick(bar.steps_button, Qt.MouseButton.LeftButton)
    assert bar.field.text() == "cell#3"
    qtbot.waitUntil(lambda: session.found_steps is None, timeout=SOON_MSECS)


def test_find_steps_begins_the_question(qtbot: QtBot, page: MainWindow) -> None:
    page.actions_["find_steps"].trigger()
    bar = bar_of(page)
    assert bar.field.text() == "steps where " and bar.steps_button.isChecked()
    QTest.keyClicks(bar.field, "new")
    session = page.workbench.session
    qtbot.waitUntil(lambda: session.found_steps is not None, timeout=SOON_MSECS)
    assert session.found_steps is not None and session.found_steps.tolist() == [0, 1, 3, 4]
    assert bar.count.text() == "1 of 4" and not bar.completer.is_open
    page.actions_["find_steps"].trigger()
    assert bar.field.selectedText() == "new"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour:red", "Character 1: There is no field 'colour:'; there are op, module,"),
        ("steps where lss > 2", "Character 13: There is no scalar 'lss' in this tape; there are step, duration, loss"),
        ("zeros > 0.5", "Character 1: 'zeros' was not measured in this step"),
        ("(a", "Character 1: This parenthesis is not closed; write ) after it."),
    ],
)
def test_what_cannot_be_answered_is_said_under_the_field(
    qtbot: QtBot, page: MainWindow, text: str, sentence: str
) -> None:
    bar = look_for(qtbot, page, "relu")
    height = bar.height()
    look_for(qtbot, page, text)
    qtbot.waitUntil(lambda: not bar.message.isHidden(), timeout=SOON_MSECS)
    assert bar.message.text().startswith(sentence) and bar.count.text() == ""
    assert bar.height() > height and bar.rect().contains(bar.message.geometry())
    assert bar.message.height() >= bar.message.heightForWidth(bar.message.width())
    assert bar.message.palette().windowText().color() == QColor(LIGHT.error)
    assert not page.workbench.session.marks and page.workbench.session.found_steps is None
    look_for(qtbot, page, "op:addmm")
    assert bar.message.isHidden() and bar.height() == height


def test_what_changed_is_looked_for_against_the_compared_step(qtbot: QtBot, page: MainWindow) -> None:
    session = page.workbench.session
    session.pin(1)
    qtbot.waitUntil(
        lambda: session.drawing is not None and session.drawing.question.compared_step == 1, timeout=SOON_MSECS
    )
    look_for(qtbot, page, "removed op:addmm")
    assert session.drawing is not None and session.drawing.diff is not None
    expected = {key for key in session.drawing.diff.removed if "Addmm" in key}
    assert set(finder_of(page).found) == expected != set()
    with qtbot.waitSignal(finder_of(page).changed, timeout=SOON_MSECS):
        session.go_to(2)
    qtbot.waitUntil(lambda: finder_of(page).found == (), timeout=SOON_MSECS)


def test_names_are_proposed_and_taken_by_keyboard(qtbot: QtBot, page: MainWindow) -> None:
    page.actions_["find"].trigger()
    bar = bar_of(page)
    qtbot.waitUntil(lambda: bool(finder_of(page).names()), timeout=SOON_MSECS)
    QTest.keyClicks(bar.field, "op:addmm module:ce")
    assert bar.completer.is_open and bar.completer.model.stringList() == ["module:cell"]
    popup = bar.completer.completer.popup()
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert bar.field.text() == "op:addmm module:cell" and not bar.completer.is_open
    QTest.keyClicks(bar.field, " pa")
    QTest.keyClick(popup, Qt.Key.Key_Tab)
    assert bar.field.text() == "op:addmm module:cell param:"


def test_enter_passes_the_proposals_by_and_escape_closes_them_first(qtbot: QtBot, page: MainWindow) -> None:
    page.actions_["find"].trigger()
    bar, popup = bar_of(page), bar_of(page).completer.completer.popup()
    qtbot.waitUntil(lambda: bool(finder_of(page).names()), timeout=SOON_MSECS)
    QTest.keyClicks(bar.field, "cel")
    assert bar.completer.is_open
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert not bar.completer.is_open and bar.field.text() == "cel"
    assert page.workbench.session.selection == "cell#0"
    QTest.keyClicks(bar.field, "l")
    assert bar.completer.is_open
    QTest.keyClick(popup, Qt.Key.Key_Escape)
    assert not bar.completer.is_open and bar.isVisible()
    QTest.keyClick(bar.field, Qt.Key.Key_Escape)
    assert bar.isHidden()


def test_an_example_is_looked_for_when_chosen(qtbot: QtBot, page: MainWindow) -> None:
    page.actions_["find"].trigger()
    bar = bar_of(page)
    qtbot.mouseClick(bar.help_button, Qt.MouseButton.LeftButton)
    assert bar.help.isVisible() and len(bar.help.buttons) >= 6
    example = next(button for button in bar.help.buttons if button.text().startswith("steps where new"))
    QTest.keyClick(example, Qt.Key.Key_Space)
    assert bar.help.isHidden() and bar.field.text() == example.text()
    qtbot.waitUntil(lambda: bar.count.text() == "1 of 4", timeout=SOON_MSECS)


def test_in_little_room_the_field_keeps_enough(qtbot: QtBot, page: MainWindow) -> None:
    page.resize(780, 700)
    bar = look_for(qtbot, page, "steps where module:cell ran > 3")
    qtbot.waitUntil(lambda: bar.width() < 400, timeout=SOON_MSECS)
    QApplication.processEvents()
    shown = [part for part in (bar.field, bar.count, bar.close_button) if part.isVisible()]
    assert len(shown) == 3 and bar.field.width() >= bar.field.minimumWidth()
    for left, right in pairwise(shown):
        assert left.geometry().right() < right.geometry().left()
    page.resize(1400, 800)
    qtbot.waitUntil(lambda: bar.steps_button.isVisible() and bar.help_button.isVisible(), timeout=SOON_MSECS)


def test_while_a_run_goes_on_more_is_found(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "live.tape", META)
    writer.append(step_record(0, structure_record(1), loss=1.0))
    assert writer.flush()
    open_tape(qtbot, window, tmp_path / "live.tape", 1)
    session = window.workbench.session
    look_for(qtbot, window, "steps where loss >= 3")
    assert session.found_steps is not None and session.found_steps.tolist() == []
    for step in range(1, 6):
        writer.append(step_record(step, structure_record(1), loss=float(step)))
    writer.close("closed")

    def has_all() -> bool:
        found = session.found_steps
        return found is not None and found.tolist() == [3, 4, 5]

    qtbot.waitUntil(has_all, timeout=SOON_MSECS)


def test_another_tape_ends_the_search_and_its_thread(
    qtbot: QtBot, page: MainWindow, tmp_path: Path, sampled_tape: Path
) -> None:
    look_for(qtbot, page, "steps where new")
    open_tape(qtbot, page, sampled_tape, 6)
    assert page.workbench.session.found_steps is None and bar_of(page).isHidden()
    look_for(qtbot, page, "steps where grad_norm > 0")
    assert page.workbench.session.found_steps is not None
    with Tape(sampled_tape) as tape:
        assert page.workbench.session.found_steps.tolist() == tape.find_steps("grad_norm > 0").tolist() != []


def test_a_tape_that_is_gone_is_said_in_the_bar(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "gone.tape"
    writer = Writer(path, META)
    writer.append(step_record(0, structure_record(1), loss=1.0))
    writer.close("closed")
    open_tape(qtbot, window, path, 1)
    path.unlink()
    bar = look_for(qtbot, window, "steps where new")
    assert bar.message.text() == f"There is no file {path}."


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_found_steps_stand_out_by_a_bar_and_keep_their_colour(
    qtbot: QtBot, qapp: QApplication, page: MainWindow, theme: str
) -> None:
    page.actions_[f"theme_{theme}"].trigger()
    strip = page.scalars.strip
    qtbot.waitUntil(lambda: strip.width() > 300, timeout=SOON_MSECS)
    before = strip.grab().toImage()
    look_for(qtbot, page, "steps where module:cell ran > 3")
    after = strip.grab().toImage()
    span = strip._span
    colors = {
        step: after.pixelColor(round(float(span.px_at(step))), strip.height() - FOUND_HEIGHT // 2) for step in range(6)
    }
    marked = {step for step, color in colors.items() if color == QColor(strip._theme.selection)}
    assert marked == {1, 2, 4}
    for step in (1, 2, 4, 3, 5):
        x_px = round(float(span.px_at(step)))
        assert (before.pixelColor(x_px, 12) == after.pixelColor(x_px, 12)) == (step in marked)
    assert strip.tip(4).endswith("\nFound by the search") and "Found" not in strip.tip(3)


def test_one_step_among_very_many_is_seen() -> None:
    span = Span(-0.5, 99_999.5, 60, 560)
    columns = span.filled(np.array([31_415]), 60, 560)
    assert columns.sum() == 1 and 60 + int(np.flatnonzero(columns)[0]) == int(span.px_at(31_415))
    span = Span(-0.5, 4.5, 60, 560)
    assert span.filled(np.array([0, 3]), 60, 560).sum() == 200
