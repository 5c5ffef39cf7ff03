"""Every Qt item model keeps Qt's rules, empty, filled and changed."""

from pathlib import Path

import networkx as nx
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from gui.models.modules import ModuleModel
from gui.models.scalars import VALUE_ROLE, ScalarModel
from gui.models.shortcuts import ShortcutModel
from gui.models.tapes import TapeListModel
from gui.models.tree import KEY_ROLE, Block, Row, SectionModel
from tracer import Tape

BLOCKS = (Block("One", (Row(("a", "1"), "key"), Row(("b", "2")))), Block("Two", (Row(("c", "3")),)))


def test_section_model_keeps_the_rules(qtmodeltester: ModelTester) -> None:
    model = SectionModel(("Name", "Value"))
    qtmodeltester.check(model)
    model.set_blocks(BLOCKS)
    qtmodeltester.check(model)
    section = model.index(0, 0)
    assert model.data(section) == "One"
    assert model.data(model.index(1, 1, section)) == "2"
    assert model.data(model.index(0, 1, section), KEY_ROLE) == "key"


def test_section_model_of_the_same_form_changes_texts_only(qtbot: QtBot) -> None:
    model = SectionModel(("Name", "Value"))
    model.set_blocks(BLOCKS)
    other = (Block("One", (Row(("a", "9")), Row(("b", "8")))), BLOCKS[1])
    with qtbot.assertNotEmitted(model.modelReset), qtbot.waitSignal(model.dataChanged):
        model.set_blocks(other)
    assert model.data(model.index(0, 1, model.index(0, 0))) == "9"


def test_module_model_is_the_tree_of_calls(qtmodeltester: ModelTester, recorded_tape: Path) -> None:
    model = ModuleModel()
    qtmodeltester.check(model)
    with Tape(recorded_tape) as tape:
        graph = tape.graph(0)
    model.set_graph(graph)
    qtmodeltester.check(model)
    top = model.index(0, 0)
    assert model.data(top) == "Reader"
    ops = sum(kind == "op" and bool(graph.nodes[key]["call_key"]) for key, kind in graph.nodes(data="kind"))
    assert model.data(model.index(0, 2)) == str(ops)
    assert model.find("cell#1").parent() == top
    assert not model.find("nothing#0").isValid()
    model.set_graph(None)
    assert model.rowCount() == 0


def called(*paths: str) -> nx.MultiDiGraph:
    """A model that calls these modules one after the other, without ops."""
    graph, calls = nx.MultiDiGraph(), [("", 0, None)]
    for path in paths:
        calls.append((path, sum(other == path for other, _, _ in calls), 0))
    graph.graph["module_calls"] = [
        {
            "key": f"{path}#{call}",
            "path": path,
            "class": "Cell",
            "call": call,
            "parent": parent,
            "grad_enabled": True,
            "count": 1,
        }
        for path, call, parent in calls
    ]
    return graph


def test_many_calls_of_one_module_share_a_row(qtmodeltester: ModelTester) -> None:
    model = ModuleModel()
    model.set_graph(called("first", *["cell"] * 5, "last", *["twice"] * 2))
    qtmodeltester.check(model)
    top = model.index(0, 0)
    assert [model.data(model.index(row, 0, top)) for row in range(model.rowCount(top))] == [
        *("first", "cell ×5", "last", "twice #0", "twice #1"),
    ]
    (fold,) = model.folds()
    assert model.is_fold(fold) and fold.row() == 1
    assert [model.data(model.index(row, 0, fold)) for row in range(5)] == [f"cell #{number}" for number in range(5)]
    assert model.find("cell#3").parent() == fold
    assert model.data(fold, KEY_ROLE) == "cell#0"
    assert len(model) == 10


def test_scalar_model_shows_the_loss_first(qtbot: QtBot, qtmodeltester: ModelTester) -> None:
    model = ScalarModel()
    model.add(["lr", "loss", "accuracy"])
    qtmodeltester.check(model)
    assert model.shown == ("loss",)
    with qtbot.waitSignal(model.shown_changed):
        model.setData(model.index(1), Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    assert model.shown == ("loss", "lr")
    model.set_values({"loss": 0.25})
    assert [model.data(model.index(row), VALUE_ROLE) for row in range(3)] == ["0.25", "–", "–"]


def test_tape_list_leaves_out_files_that_are_gone(qtmodeltester: ModelTester, tmp_path: Path) -> None:
    model = TapeListModel()
    (tmp_path / "here.tape").touch()
    model.set_tapes([tmp_path / "here.tape", tmp_path / "gone.tape"])
    qtmodeltester.check(model)
    assert [model.data(model.index(row)) for row in range(model.rowCount())] == ["here"]


def shortcut_model() -> ShortcutModel:
    actions = [QAction("Open…"), QAction("About"), QAction("Step once")]
    actions[0].setShortcut("Ctrl+O")
    actions[2].setShortcut("F10")
    return ShortcutModel([("File", actions[:2]), ("Run", actions[2:]), ("Help", [])], [("Next box", "Tab")])


def test_shortcut_model_lists_what_has_keys_menu_by_menu(qtbot: QtBot, qtmodeltester: ModelTester) -> None:
    model = shortcut_model()
    qtmodeltester.check(model)
    assert [(block.title, [row.texts for row in block.rows]) for block in model.blocks] == [
        ("File", [("Open", "Ctrl+O")]),
        ("Run", [("Step once", "F10")]),
        ("In the graph", [("Next box", "Tab")]),
    ]


@pytest.mark.parametrize(("text", "titles"), [("", 3), ("ONCE step", 1), ("ctrl", 1), ("o", 3), ("nowhere", 0)])
def test_shortcuts_are_found_by_words_of_the_action_or_its_keys(qtbot: QtBot, text: str, titles: int) -> None:
    model = shortcut_model()
    model.set_filter("nowhere")
    model.set_filter(text)
    assert len(model.blocks) == titles
