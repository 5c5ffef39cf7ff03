"""Why the graph changed, in the real window: beside the changes, and over the graph."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QSignalSpy
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from gui import draftsman
from gui.docks.cause_table import CauseTable
from gui.drafter import Drafter
from gui.drawing import DrawingOptions, Explained, Question
from gui.models.causes import CAUSE_ROLE, MOST_CAUSES, CauseModel
from gui.session import Session
from gui.theme import DARK, LIGHT
from gui.windows.main_window import MainWindow
from gui.windows.why_line import FRAME_PX, SHARE, SPACE_PX
from tracer import Cause, Tape
from tracer.model.structure import SourceLine

SOON_MSECS = 60_000
LINE = SourceLine("/home/me/run/nets/net.py", 14, "Net.forward")


def cause(text: str, module: str | None = None, source: SourceLine | None = None) -> Cause:
    return Cause("appeared", text, module, source, 0, 1, (text,), (), ())


def texts(model: CauseModel) -> list[tuple[object, object]]:
    return [(model.index(row, 0).data(), model.index(row, 1).data()) for row in range(model.rowCount())]


@pytest.fixture
def explained(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> Iterator[MainWindow]:
    """Step 1, of five words, compared with step 0, of three; the list of changes is in front."""
    session = window.workbench.session
    window.workbench.open_tape(recorded_tape)
    qtbot.waitUntil(lambda: session.drawing is not None and len(session.timeline) == 6, timeout=SOON_MSECS)
    window.changes.raise_()
    session.go_to(1)
    qtbot.waitUntil(lambda: window.changes.causes.rowCount() == 1, timeout=SOON_MSECS)
    yield window


def test_causes_are_rows_with_their_lines(qtmodeltester: ModelTester) -> None:
    model = CauseModel()
    model.set_causes(
        [cause("a now runs", "a", LINE), cause("batch 3 → 2"), cause("nets/net.py:14 ran twice", "a", LINE)],
        "/home/me/run",
    )
    # those of one module together; a line that the sentence begins with is not told twice
    assert texts(model) == [("a now runs", "net.py:14"), ("nets/net.py:14 ran twice", ""), ("batch 3 → 2", "")]
    assert model.index(0, 1).data(Qt.ItemDataRole.ToolTipRole) == "nets/net.py:14"
    qtmodeltester.check(model)


def test_more_causes_than_anybody_reads_are_counted() -> None:
    model = CauseModel()
    model.set_causes([cause(f"{number}") for number in range(MOST_CAUSES + 3)])
    assert model.rowCount() == MOST_CAUSES + 1
    assert model.index(MOST_CAUSES, 0).data() == "and 3 more" and model.index(MOST_CAUSES, 0).data(CAUSE_ROLE) is None
    model.set_causes([])
    assert model.rowCount() == 0


def test_the_table_shows_whole_sentences_at_any_width(qtbot: QtBot) -> None:
    model = CauseModel()
    table = CauseTable(model, LIGHT)
    qtbot.addWidget(table)
    assert not table.isVisibleTo(None)
    model.set_causes([cause("layers.3, layers.4 and 17 more no longer run: −1,234 nodes", "a", LINE), cause("short")])
    heights = []
    for width in (600, 300, 200):
        table.resize(width, 50)
        table.show()
        qtbot.waitUntil(lambda: table.columnWidth(0) + table.columnWidth(1) == table.viewport().width())
        heights.append((table.rowHeight(0), table.rowHeight(1)))
    assert heights[0][0] < heights[1][0] < heights[2][0]
    assert len({short for _, short in heights}) == 1
    table.set_theme(DARK)
    model.set_causes([])
    assert table.isHidden()


def test_the_drawing_thread_gives_the_causes_that_the_tape_gives(recorded_tape: Path) -> None:
    with Tape(recorded_tape) as tape:
        drafter = Drafter(tape, lambda: False)
        for first, second in ((0, 1), (1, 3), (1, 2), (2, 2)):
            drawing = drafter.draw(Question(second, first, DrawingOptions(), LIGHT))
            explained = drafter.explain(drawing)
            assert explained.drawing is drawing and explained.causes == tape.causes(first, second)
        first_seen = drafter.draw(Question(0, -1, DrawingOptions(), LIGHT))
        assert drafter.explain(first_seen).causes == ()


def test_causes_of_an_earlier_drawing_are_not_taken_for_those_of_the_shown_one(recorded_tape: Path) -> None:
    session = Session()
    with Tape(recorded_tape) as tape:
        drafter = Drafter(tape, lambda: False)
        old, new = (drafter.draw(Question(step, 0, DrawingOptions(), LIGHT)) for step in (1, 3))
    session.set_drawing(old)
    session.set_drawing(new)
    session.set_causes(Explained(old, (cause("a"),)))
    assert session.causes is None
    session.set_causes(Explained(new, (cause("b"),)))
    assert session.causes is not None and [each.text for each in session.causes] == ["b"]
    session.close()
    assert session.causes is None


def test_the_list_of_changes_says_why(explained: MainWindow) -> None:
    [(sentence, line)] = texts(explained.changes.causes)
    assert sentence == "recorded.py:15 ran 5 times instead of 3: +32 nodes in embedding, cell"
    assert line == "" and explained.changes.why.isVisible()


def test_a_cause_marks_its_nodes_and_leads_to_them(qtbot: QtBot, explained: MainWindow) -> None:
    session, table = explained.workbench.session, explained.changes.why
    place = table.visualRect(explained.changes.causes.index(0, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    diff = session.drawing.diff
    assert session.marks.keys == diff.added | diff.removed | set(diff.changed)
    assert session.selection == "cell#3"
    session.go_to(3)
    qtbot.waitUntil(lambda: session.drawing.step.index == 3, timeout=SOON_MSECS)
    assert not session.marks


def test_a_cause_is_chosen_by_keyboard(qtbot: QtBot, explained: MainWindow) -> None:
    session, table = explained.workbench.session, explained.changes.why
    table.setFocus()
    table.setCurrentIndex(explained.changes.causes.index(0, 0))
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert session.marks and session.selection == "cell#3"


def test_marks_of_something_else_stay(qtbot: QtBot, explained: MainWindow) -> None:
    session = explained.workbench.session
    explained.graph.navigation.navigator.mark_upstream()
    before = session.marks
    session.go_to(3)
    qtbot.waitUntil(lambda: session.drawing.step.index == 3, timeout=SOON_MSECS)
    assert session.marks.kind == before.kind


def test_removed_nodes_are_marked_where_their_ghosts_are(qtbot: QtBot, explained: MainWindow) -> None:
    session = explained.workbench.session
    session.go_to(0)
    qtbot.waitUntil(lambda: session.drawing.step.index == 0 and session.causes is not None, timeout=SOON_MSECS)
    [shorter] = session.causes
    assert shorter.removed and shorter.before == 5
    explained.changes.why.cause_activated.emit(shorter)
    assert session.marks.keys == set(shorter.nodes)
    assert len(explained.graph.canvas._highlight.boxes) > 0


def test_the_first_cause_stands_over_the_graph(qtbot: QtBot, explained: MainWindow) -> None:
    line = explained.graph.why_line
    explained.modules.raise_()
    qtbot.waitUntil(lambda: line.why.isVisible(), timeout=SOON_MSECS)
    assert line.why.text().startswith("recorded.py:15 ran 5 times instead of 3")
    line.why.click()
    assert explained.changes.isVisible() and not explained.changes.visibleRegion().isEmpty()
    explained.workbench.session.go_to(2)  # the graph of step 1 again
    session = explained.workbench.session
    qtbot.waitUntil(lambda: session.drawing.step.index == 2 and session.causes is not None, timeout=SOON_MSECS)
    assert line.why.isHidden()


def test_the_sentence_has_what_the_place_leaves(qtbot: QtBot, explained: MainWindow) -> None:
    line, place = explained.graph.why_line, explained.graph.navigation.breadcrumbs
    qtbot.waitUntil(lambda: line.why.isVisible(), timeout=SOON_MSECS)
    sentence = line.why.toolTip().splitlines()[0]
    needed = line.why.fontMetrics().horizontalAdvance(sentence) + place.needed_px + FRAME_PX + SPACE_PX + 1
    assert needed < line.why.fontMetrics().horizontalAdvance(sentence) / SHARE
    line.setMaximumWidth(needed)
    qtbot.waitUntil(lambda: line.width() == needed, timeout=SOON_MSECS)
    assert line.why.text().startswith(sentence)


def test_a_sentence_that_cannot_be_read_gives_way(qtbot: QtBot, explained: MainWindow) -> None:
    line = explained.graph.why_line
    qtbot.waitUntil(lambda: line.why.isVisible(), timeout=SOON_MSECS)
    line.setMaximumWidth(200)
    qtbot.waitUntil(lambda: line.why.isHidden(), timeout=SOON_MSECS)


def test_a_large_graph_is_explained_only_when_nothing_else_is_asked(
    qtbot: QtBot, recorded_tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draftsman, "EXPLAINED_AT_ONCE", 0)
    monkeypatch.setattr(draftsman, "REST_SECS", 60.0)
    thread = draftsman.Draftsman(recorded_tape)
    spy = QSignalSpy(thread.explained)
    thread.start()
    for step in (1, 3):
        with qtbot.waitSignal(thread.drawn, timeout=SOON_MSECS):
            thread.ask(Question(step, 0, DrawingOptions(), LIGHT))
    started = time.monotonic()
    thread.finish()  # does not wait for that either
    assert time.monotonic() - started < 30 and spy.count() == 0
