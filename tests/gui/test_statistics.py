"""What was measured, as tables: the model over arrays, the contents of each tab, the dock in the window."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from gui.docks.statistics import MeasuredTable
from gui.measurements import measured_call
from gui.models.measured import Column, MeasuredModel, Rows
from gui.models.tree import KEY_ROLE
from gui.tables import Content
from gui.windows.main_window import MainWindow
from tracer import Tape

SOON_MSECS = 60_000
NAN = math.nan


def rows(names: str, numbers: list[float]) -> Rows:
    return Rows(tuple(names), (Column("Name", tuple(names)), Column("Number", np.array(numbers), "{:g}".format)))


def shown(model: MeasuredModel, column: int = 0) -> list[object]:
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_model_keeps_the_rules(qtmodeltester: ModelTester) -> None:
    model = MeasuredModel()
    qtmodeltester.check(model)
    model.set_rows(rows("abc", [2, NAN, 1]))
    qtmodeltester.check(model)
    model.sort(1, Qt.SortOrder.DescendingOrder)
    model.set_filter("c")
    qtmodeltester.check(model)
    model.set_rows(rows("", []))
    qtmodeltester.check(model)


@pytest.mark.parametrize("order", list(Qt.SortOrder))
def test_numbers_sort_as_numbers_with_the_unknown_last(order: Qt.SortOrder) -> None:
    numbers = [random.Random(7).uniform(-1e6, 1e6) for _ in range(200)] + [NAN, math.inf, -math.inf, NAN]
    model = MeasuredModel()
    model.set_rows(Rows([""] * len(numbers), (Column("Number", np.array(numbers), repr),)))
    model.sort(0, order)
    known = sorted((n for n in numbers if not math.isnan(n)), reverse=order == Qt.SortOrder.DescendingOrder)
    assert shown(model) == [repr(np.float64(number)) for number in [*known, NAN, NAN]]
    model.sort(-1)
    assert shown(model) == [repr(np.float64(number)) for number in numbers]


def test_numbers_stand_at_the_right(qtbot: QtBot) -> None:
    model = MeasuredModel()
    model.set_rows(rows("ab", [1, 2]))
    alignment = [model.index(0, column).data(Qt.ItemDataRole.TextAlignmentRole) for column in (0, 1)]
    assert bool(alignment[1] & Qt.AlignmentFlag.AlignRight)
    assert not alignment[0] & Qt.AlignmentFlag.AlignRight


def test_filter_keeps_rows_with_all_its_words() -> None:
    model = MeasuredModel()
    keys = ("encoder.weight", "encoder.bias", "decoder.bias")
    model.set_rows(Rows(keys, (Column("Name", keys), Column("Number", np.arange(3.0)))))
    model.set_filter("BIAS code")
    assert shown(model) == ["encoder.bias", "decoder.bias"]
    model.set_filter("encoder bias")
    assert shown(model) == ["encoder.bias"]
    assert model.find("decoder.bias").row() == -1
    model.set_filter("")
    assert model.find("decoder.bias").row() == 2


def test_new_numbers_of_the_same_things_keep_the_selected_row(qtbot: QtBot) -> None:
    table = MeasuredTable("Numbers")
    qtbot.addWidget(table)
    table.show_content(Content(rows("abc", [3, 1, 2])), None)
    table.view.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    table.select("a")
    assert table.view.currentIndex().row() == 2
    with qtbot.assertNotEmitted(table.model.modelReset):
        table.show_content(Content(rows("abc", [0, 1, 2])), None)
    assert (table.view.currentIndex().row(), table.view.currentIndex().data(KEY_ROLE)) == (0, "a")


def test_of_100_000_rows_only_those_in_view_are_put_into_words(qtbot: QtBot) -> None:
    asked: list[float] = []

    def text(value: float) -> str:
        asked.append(value)
        return f"{value:.0f}"

    count = 100_000
    table = MeasuredTable("Operators")
    qtbot.addWidget(table)
    table.resize(600, 400)
    table.show()
    table.show_content(Content(Rows([""] * count, (Column("Number", np.arange(float(count)), text),))), None)
    table.view.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    table.view.grab()
    assert table.model.rowCount() == count
    assert table.model.index(0, 0).data() == "99999"
    assert len(asked) < 2_000


@pytest.fixture
def measured(qtbot: QtBot, window: MainWindow, full_tape: Path) -> MainWindow:
    """The window on the fully recorded tape, its first step drawn, the statistics in view."""
    window.workbench.open_tape(full_tape)
    qtbot.waitUntil(lambda: window.workbench.session.drawing is not None, timeout=SOON_MSECS)
    window.statistics.raise_()
    qtbot.waitUntil(lambda: window.statistics.table.model.rowCount() > 0, timeout=SOON_MSECS)
    return window


def go_to(qtbot: QtBot, window: MainWindow, step: int) -> None:
    session = window.workbench.session
    session.go_to(step)
    qtbot.waitUntil(lambda: session.drawing.step.index == step, timeout=SOON_MSECS)


def show_tab(window: MainWindow, title: str) -> MeasuredTable:
    window.statistics.tabs.setCurrentIndex(list(window.statistics.tables).index(title))
    return window.statistics.table


def column_of(table: MeasuredTable, title: str) -> list[object]:
    titles = [table.model.headerData(column, Qt.Orientation.Horizontal) for column in range(table.model.columnCount())]
    return shown(table.model, titles.index(title))


def test_modules_follow_the_shown_step(qtbot: QtBot, measured: MainWindow, full_tape: Path) -> None:
    table = show_tab(measured, "Modules")
    assert column_of(table, "NaN") == ["0"] * table.model.rowCount()
    go_to(qtbot, measured, 5)
    with Tape(full_tape) as tape:
        calls = tape.statistics(5).calls
    assert column_of(table, "NaN") == [f"{int(value)}" for value in calls.column("nans")]
    names = column_of(table, "Module call")
    bad = {name for name, count in zip(names, column_of(table, "NaN"), strict=True) if count != "0"}
    assert bad == {"decoder", "Net"}
    alarming = table.model.index(names.index("decoder"), 3).data(Qt.ItemDataRole.ForegroundRole)
    assert alarming is not None


def test_parameters_not_reached_are_listed_and_say_so(measured: MainWindow) -> None:
    table = show_tab(measured, "Parameters")
    notes = dict(zip(column_of(table, "Parameter"), column_of(table, "Note"), strict=True))
    assert {name for name, note in notes.items() if note == "not reached by this step's loss"} == {
        "unused.weight",
        "unused.bias",
    }
    assert len(notes) == 6
    assert "2 not reached" in table.summary.text()


def test_operators_have_a_total_of_each_phase(measured: MainWindow, full_tape: Path) -> None:
    table = show_tab(measured, "Operators")
    with Tape(full_tape) as tape:
        operators = tape.statistics(0).operators
    assert table.model.rowCount() == len(operators)
    assert column_of(table, "Operator")[3] == operators[3].name.removeprefix("aten.").removesuffix(".default")
    assert f"{len(operators)} operators" in table.summary.text()
    # two linear layers of 4 by 4 on 3 rows, two operations a weight; half of the backward of the first is not needed
    assert "forward 192 FLOP in" in table.summary.text()
    assert "backward 288 FLOP in" in table.summary.text()


def test_a_chosen_row_is_the_selection_and_the_selection_is_a_row(qtbot: QtBot, measured: MainWindow) -> None:
    session, table = measured.workbench.session, show_tab(measured, "Modules")
    measured.activateWindow()
    table.view.setFocus()
    index = table.model.find("decoder#0")
    qtbot.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=table.view.visualRect(index).center())
    assert session.selection == "decoder#0"
    session.select("encoder#0")
    assert table.view.currentIndex().data(KEY_ROLE) == "encoder#0"
    nodes = show_tab(measured, "Nodes")
    log = next(key for key in session.drawing.graph if "LogBackward" in key)
    session.select(log)
    assert nodes.view.currentIndex().data(KEY_ROLE) == log
    session.select("")
    assert not nodes.view.selectionModel().selectedRows()


def test_keys_lead_through_the_rows_and_to_the_filter(qtbot: QtBot, measured: MainWindow) -> None:
    session, table = measured.workbench.session, show_tab(measured, "Modules")
    measured.activateWindow()
    measured.actions_["find_row"].trigger()
    assert measured.statistics.filter.hasFocus()
    qtbot.keyClicks(measured.statistics.filter, "linear")
    assert column_of(table, "Class") == ["Linear"] * table.model.rowCount()
    assert table.summary.text().startswith("2 of 4 shown")
    table.view.setFocus()
    qtbot.keyClick(table.view, Qt.Key.Key_Down)
    qtbot.keyClick(table.view, Qt.Key.Key_Down)
    assert session.selection == "decoder.linear#0"


def test_a_step_that_was_not_measured_says_so_and_leads_to_one_that_was(
    qtbot: QtBot, window: MainWindow, sampled_tape: Path
) -> None:
    window.workbench.open_tape(sampled_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    window.statistics.raise_()
    go_to(qtbot, window, 3)
    table = show_tab(window, "Modules")
    assert table.message.text() == "Not measured in this step; step 2 was"
    assert table.message.isVisible()
    table.button.click()
    qtbot.waitUntil(lambda: session.drawing.step.index == 2, timeout=SOON_MSECS)
    assert table.model.rowCount() == 4
    full = show_tab(window, "Operators")
    assert full.message.text() == "Not measured in this step; record with --level full"
    assert not full.button.isVisible()


def test_the_inspector_says_what_was_measured(qtbot: QtBot, measured: MainWindow, full_tape: Path) -> None:
    session, inspector = measured.workbench.session, measured.inspector

    def facts() -> dict[str, str]:
        blocks = [block for block in inspector.model.blocks if block.title == "Measured"]
        return {row.texts[0]: row.texts[1] for block in blocks for row in block.rows}

    session.select("decoder#0")
    assert {"output mean", "output std", "output min", "output max", "zeros", "forward time"} <= set(facts())
    session.select("encoder.weight")
    assert set(facts()) == {"value norm", "gradient norm", "update norm", "update / weight"}
    session.select(next(key for key in session.drawing.graph if "LogBackward" in key))
    assert facts()["saved memory"] == "48 B"  # 3 by 4 floats: what the log was taken of
    assert "backward time" in facts()
    assert not inspector.footnote.isVisible()


def test_the_inspector_says_that_a_step_was_not_measured(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> None:
    window.workbench.open_tape(recorded_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    session.select("cell#0")
    assert window.inspector.footnote.isVisible()
    ended, running = "record with --level statistics", "set the recording level to Statistics"
    assert ended in window.inspector.footnote.text()
    key, drawing, timeline = "cell#0", session.drawing, session.timeline
    assert running in measured_call(drawing, key, timeline)[1]
    assert ended in measured_call(drawing, key, timeline, has_ended=True)[1]
