"""The source dock: the whole file, what each line made, the line of the selection; and files that cannot be shown."""

import os
from collections import Counter
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from gui.docks.source import SourceDock
from gui.docks.source_view import PIECE_CHARS, SourceView
from gui.source_lines import LineMark, files_by_count, lines_of, mark_text, marks_in, more_text
from gui.source_reader import Content, SourceReader
from gui.syntax import spans_of
from gui.theme import DARK, LIGHT
from gui.windows.main_window import MainWindow
from tests.gui.conftest import SENTENCES, record
from tracer import Tape

SOON_MSECS = 60_000
CELL_LINE = SENTENCES.split("\n").index("            state = self.cell(self.embedding(word[None]), state)") + 1
OUTPUT_LINE = CELL_LINE + 1


# pure


def test_lines_know_the_nodes_they_made(recorded_tape: Path) -> None:
    graph = Tape(recorded_tape).graph(1)
    lines = lines_of(graph)
    plainly = Counter(
        (source["file"], source["line"]) for _, source in graph.nodes(data="source") if source is not None
    )
    assert {(file, line): len(keys) for file, found in lines.items() for line, keys in found.items()} == plainly
    assert lines_of(graph) is lines
    script = str(recorded_tape.with_suffix(".py"))
    assert files_by_count(lines)[0] == (script, sum(n for (file, _), n in plainly.items() if file == script))


def test_marks_tell_how_much_more_or_less_a_line_made() -> None:
    now, before = {"f": {1: ("a", "b"), 2: ("c",)}}, {"f": {1: ("a",), 3: ("d", "e")}}
    marks = marks_in("f", now, before)
    assert {line: mark.more for line, mark in marks.items()} == {1: 1, 2: 1, 3: -2}
    assert [more_text(marks[line]) for line in (1, 3)] == ["+1", "−2"]
    assert {mark.more for mark in marks_in("f", now, None).values()} == {0}
    assert marks_in("g", now, before) == {}
    assert marks_in("f", now, {}) == {1: LineMark(("a", "b"), 0), 2: LineMark(("c",), 0)}


def test_a_mark_reads_as_a_sentence(recorded_tape: Path) -> None:
    graph = Tape(recorded_tape).graph(1)
    keys = lines_of(graph)[str(recorded_tape.with_suffix(".py"))][CELL_LINE]
    text = mark_text(LineMark(keys, len(keys) - 2), graph)
    assert text.startswith("80 nodes in this step: ") and "15 × Sigmoid" in text
    assert text.endswith("…; 2 more than in the compared step")
    assert mark_text(LineMark((), 3), graph) == "No node in this step; 3 fewer than in the compared step"
    assert mark_text(LineMark(keys[:1]), graph).startswith("1 node in this step: ")


def test_colours_cover_what_python_says_is_a_keyword_or_a_comment() -> None:
    text = 'def f(self, x):  # a comment\n    """two\n    lines 😀""" + "é"\n    return x and None\n'
    lines = list(spans_of(text))
    kinds = [{(start, length): kind for start, length, kind in line} for line in lines]
    assert len(lines) == text.count("\n") + 1
    assert kinds[0][0, 3] == "keyword" and kinds[0][4, 1] == "definition" and kinds[0][17, 11] == "comment"
    assert set(kinds[1].values()) == {"string"}
    assert 18 in {start for start, _ in kinds[2]}, "where the second string begins: the face counts two, as Qt counts"
    assert kinds[3][4, 6] == kinds[3][13, 3] == "keyword"
    assert {kind for line in kinds for kind in line.values()} <= LIGHT.syntax.keys() == DARK.syntax.keys()


# the view alone


def test_a_long_file_comes_in_turns_and_is_whole_and_coloured(qtbot: QtBot) -> None:
    text = "".join(f"value_{number} = {number}  # {'é' * 60}\n" for number in range(4_000))
    assert len(text) > 2 * PIECE_CHARS
    view = SourceView(lambda line: "", LIGHT)
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show()

    view.show_text(text)
    view.set_line(3_500)
    assert view.blockCount() < 4_000
    qtbot.waitUntil(lambda: view.is_settled, timeout=SOON_MSECS)

    assert view.toPlainText() == text
    assert view.cursor_line == 3_500
    formats = view.document().findBlockByNumber(3_499).layout().formats()
    colors = [found.format.foreground().color().name() for found in formats]
    assert colors == [LIGHT.syntax["number"], LIGHT.syntax["comment"]]
    first, last = view._spread()[0][0], view._spread()[-1][0]
    assert first < 3_500 < last and abs((first + last) / 2 - 3_500) < 3, "in the middle"
    view.dress(DARK)
    qtbot.waitUntil(lambda: view.is_settled, timeout=SOON_MSECS)
    formats = view.document().findBlockByNumber(3_499).layout().formats()
    assert formats[0].format.foreground().color().name() == DARK.syntax["number"]


def test_the_last_file_asked_for_is_the_one_that_comes(qtbot: QtBot, tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n" * 20_000)
    reader = SourceReader()
    read: list[Content] = []
    reader.read.connect(read.append)
    reader.ask(str(tmp_path / "a.py"))
    reader.ask(str(tmp_path / "b.py"))
    qtbot.waitUntil(lambda: bool(read), timeout=SOON_MSECS)
    assert [content.file for content in read] == [str(tmp_path / "b.py")]
    (tmp_path / "b.py").write_text("y = 2\n")
    reader.ask(str(tmp_path / "b.py"))
    qtbot.waitUntil(lambda: len(read) == 2, timeout=SOON_MSECS)
    assert read[1].text == "y = 2\n"
    reader.ask(str(tmp_path / "a.py"))
    reader.finish()
    qtbot.wait(50)
    assert len(read) == 2


# in the window


@pytest.fixture
def dock(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> SourceDock:
    """The tape at step 1, compared with step 0, the dock in view."""
    window.workbench.open_tape(recorded_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and session.meta != {}, timeout=SOON_MSECS)
    session.pin(0)
    session.go_to(1)
    window.actions_["show_source"].trigger()
    qtbot.waitUntil(
        lambda: session.drawing.step.index == 1 and bool(window.source.view.toPlainText()), timeout=SOON_MSECS
    )
    settle(qtbot, window.source)
    return window.source


def settle(qtbot: QtBot, dock: SourceDock) -> None:
    def is_settled() -> bool:
        marks = dock.view.margin.marks
        return dock.view.is_settled and bool(marks) and any(mark.count_before is not None for mark in marks.values())

    qtbot.waitUntil(is_settled, timeout=SOON_MSECS)


def margin_point(dock: SourceDock, line: int) -> QPoint:
    rect = dict(dock.view._spread())[line]
    return QPoint(10, rect.center().y())


def test_without_a_selection_it_is_the_file_that_made_most_nodes(dock: SourceDock, recorded_tape: Path) -> None:
    assert dock.file == str(recorded_tape.with_suffix(".py"))
    assert dock.view.toPlainText() == SENTENCES
    assert dock.view.line == 0
    assert dock.files.currentText().startswith("recorded.py   (")
    assert not dock.hint.isVisible()


def test_it_follows_the_selection_to_the_line(window: MainWindow, dock: SourceDock) -> None:
    session = window.workbench.session
    session.select(next(key for key in session.drawing.graph if key.startswith("output#0/Addmm")))
    assert (dock.view.line, dock.view.cursor_line) == (OUTPUT_LINE, OUTPUT_LINE)
    (band,) = dock.view.extraSelections()
    assert band.cursor.block().text().strip() == "return self.output(state[0])"
    session.select("cell.weight_hh")
    assert dock.view.line == 0 and dock.view.toPlainText() == SENTENCES


def test_marks_count_the_nodes_of_the_shown_step_against_the_compared_one(
    dock: SourceDock, recorded_tape: Path, window: MainWindow
) -> None:
    tape, script = Tape(recorded_tape), str(recorded_tape.with_suffix(".py"))
    now, before = (lines_of(tape.graph(step))[script] for step in (1, 0))
    marks = dock.view.margin.marks
    assert {line: len(mark.keys) for line, mark in marks.items()} == {line: len(keys) for line, keys in now.items()}
    assert marks[CELL_LINE].more == len(now[CELL_LINE]) - len(before[CELL_LINE]) > 0
    assert marks[OUTPUT_LINE].more == 0
    image, theme = dock.grab().toImage(), window._appearance.theme
    added = theme.added.text
    assert any(
        image.pixelColor(x, y).name() == added for x in range(image.width()) for y in range(40, image.height())
    ), "+32 is painted"


def test_a_click_in_the_margin_leads_to_the_nodes(qtbot: QtBot, window: MainWindow, dock: SourceDock) -> None:
    session = window.workbench.session
    dock.view.go_to(CELL_LINE)
    keys = lines_of(session.drawing.graph)[dock.file][CELL_LINE]
    qtbot.mouseClick(dock.view.margin, Qt.MouseButton.LeftButton, pos=margin_point(dock, CELL_LINE))
    assert session.marks.keys == frozenset(keys)
    assert session.selection == keys[0]
    assert dock.view.line == CELL_LINE


def test_a_click_on_a_line_that_made_nothing_does_nothing(qtbot: QtBot, window: MainWindow, dock: SourceDock) -> None:
    dock.view.go_to(CELL_LINE)
    qtbot.mouseClick(dock.view.margin, Qt.MouseButton.LeftButton, pos=margin_point(dock, CELL_LINE - 1))
    assert not window.workbench.session.marks and window.workbench.session.selection == ""


def test_by_keyboard_the_cursor_moves_and_return_leads_to_the_nodes(
    qtbot: QtBot, window: MainWindow, dock: SourceDock
) -> None:
    session = window.workbench.session
    window.activateWindow()
    dock.view.setFocus()
    dock.view.go_to(CELL_LINE)
    qtbot.keyClick(dock.view, Qt.Key.Key_End)
    qtbot.keyClick(dock.view, Qt.Key.Key_Left)
    assert session.step == 1, "these keys change the step only where no text has them"
    qtbot.keyClick(dock.view, Qt.Key.Key_Down)
    qtbot.keyClick(dock.view, Qt.Key.Key_Return)
    assert session.selection.startswith("output#0/")
    assert len(session.marks.keys) == len(dock.view.margin.marks[OUTPUT_LINE].keys)


@pytest.mark.qt_log_ignore(r"does not support (raise|propagateSizeHints)")
def test_hovering_a_mark_tells_its_ops(qtbot: QtBot, dock: SourceDock) -> None:
    dock.view.go_to(CELL_LINE)
    at = margin_point(dock, CELL_LINE)
    QApplication.sendEvent(dock.view.margin, QHelpEvent(QEvent.Type.ToolTip, at, dock.view.margin.mapToGlobal(at)))
    assert "80 nodes in this step: " in QToolTip.text() and "32 more than in the compared step" in QToolTip.text()
    QToolTip.hideText()


def test_it_keeps_its_place_while_steps_go_by(qtbot: QtBot, window: MainWindow, dock: SourceDock) -> None:
    session = window.workbench.session
    session.select(next(key for key in session.drawing.graph if key.startswith("cell#0/Addmm")))
    dock.view.go_to(1)
    session.go_to(3)
    counts = lambda: len(dock.view.margin.marks[CELL_LINE].keys)  # noqa: E731
    qtbot.waitUntil(lambda: counts() == 32, timeout=SOON_MSECS)
    assert dock.view.cursor_line == 1, "only another selection moves it"
    assert dock.view.margin.marks[CELL_LINE].more == -16


def test_coming_back_to_the_dock_keeps_the_place(qtbot: QtBot, window: MainWindow, dock: SourceDock) -> None:
    session = window.workbench.session
    session.select(next(key for key in session.drawing.graph if key.startswith("cell#0/Addmm")))
    dock.view.go_to(2)
    answers: list[object] = []
    dock._reader.read.connect(answers.append)
    window.scalars.raise_()
    qtbot.waitUntil(lambda: not dock.isVisible() or dock.visibleRegion().isEmpty(), timeout=SOON_MSECS)
    dock.hide()
    window.actions_["show_source"].trigger()
    qtbot.waitUntil(lambda: bool(answers), timeout=SOON_MSECS)
    assert (dock.view.line, dock.view.cursor_line) == (CELL_LINE, 2)
    assert dock.view.toPlainText() == SENTENCES


def test_a_file_changed_since_the_run_says_so(qtbot: QtBot, window: MainWindow, dock: SourceDock) -> None:
    script, facts = Path(dock.file), os.stat(dock.file)
    os.utime(script, ns=(facts.st_atime_ns, facts.st_mtime_ns + 10**12))
    try:
        dock.hide()
        window.actions_["show_source"].trigger()
        qtbot.waitUntil(lambda: dock.hint.isVisible(), timeout=SOON_MSECS)
        assert "has changed since the run started" in dock.hint.text()
    finally:
        os.utime(script, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_a_file_that_is_gone_or_huge_is_told_in_one_sentence(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    tape = record(tmp_path, "away", SENTENCES)
    script = tape.with_suffix(".py")
    script.unlink()
    window.workbench.open_tape(tape)
    session, dock = window.workbench.session, window.source
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    window.actions_["show_source"].trigger()
    qtbot.waitUntil(lambda: dock.why.isVisible() and "machine" in dock.why.text(), timeout=SOON_MSECS)
    assert dock.why.text() == f"{script} is not on this machine."
    assert not dock.editor.isEnabled() and not dock.view.isVisible()
    script.write_bytes(b"#" * (3 << 20))
    dock.hide()
    window.actions_["show_source"].trigger()
    qtbot.waitUntil(lambda: "larger" in dock.why.text(), timeout=SOON_MSECS)
    assert dock.why.text() == f"{script} is larger than 2 MB and is not shown."


def test_another_tape_starts_with_its_own_file(
    qtbot: QtBot, window: MainWindow, dock: SourceDock, full_tape: Path
) -> None:
    window.workbench.open_tape(full_tape)
    qtbot.waitUntil(lambda: dock.file == str(full_tape.with_suffix(".py")), timeout=SOON_MSECS)
    qtbot.waitUntil(lambda: "class Decoder" in dock.view.toPlainText(), timeout=SOON_MSECS)
    window.workbench.close_tape()
    assert dock.file == "" and dock.view.toPlainText() == ""


def test_files_of_the_step_can_be_chosen(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("import torch\n\ndef act(x):\n    return torch.tanh(x) * 2\n")
    script = (
        "import torch\nfrom layers import act\nw = torch.nn.Parameter(torch.ones(3))\n(act(w) + 1).sum().backward()\n"
    )
    window.workbench.open_tape(record(tmp_path, "two", script))
    session, dock = window.workbench.session, window.source
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    window.actions_["show_source"].trigger()
    qtbot.waitUntil(lambda: dock.files.count() == 2 and bool(dock.view.toPlainText()), timeout=SOON_MSECS)
    session.select(next(key for key in session.drawing.graph if "Sum" in key))
    layers = dock.files.findData(str(tmp_path / "layers.py"))
    dock.files.setCurrentIndex(layers)
    dock.files.activated.emit(layers)
    qtbot.waitUntil(lambda: "torch.tanh" in dock.view.toPlainText(), timeout=SOON_MSECS)
    assert [len(mark.keys) for mark in dock.view.margin.marks.values()] == [2]
    dock.refresh()
    assert dock.file == str(tmp_path / "layers.py"), "what the user chose stays until something else is selected"
    session.select(next(key for key in session.drawing.graph if "Add" in key))
    qtbot.waitUntil(lambda: "(act(w) + 1)" in dock.view.toPlainText(), timeout=SOON_MSECS)
    assert dock.view.line == 4
