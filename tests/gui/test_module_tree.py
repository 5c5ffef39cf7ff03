"""The tree of module calls in its dock: what has room, what is folded."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.docks.modules import ModuleTree
from gui.fonts import load_fonts
from gui.models.modules import ModuleModel
from tests.gui.test_models import called


@pytest.fixture
def tree(qtbot: QtBot, qapp: QApplication) -> ModuleTree:
    load_fonts()
    tree = ModuleTree(ModuleModel())
    qtbot.addWidget(tree)
    tree.resize(270, 400)
    tree.show()
    return tree


def filled(tree: ModuleTree, *paths: str) -> ModuleTree:
    model = tree.model()
    assert isinstance(model, ModuleModel)
    model.set_graph(called(*paths))
    tree.expandAll()
    tree.fit_columns()
    return tree


def test_names_have_their_room_before_the_classes(tree: ModuleTree) -> None:
    filled(tree, "a_module_with_a_rather_long")
    assert tree.isColumnHidden(1)
    assert tree.columnWidth(0) >= tree.sizeHintForColumn(0)
    filled(tree, "short")
    assert not tree.isColumnHidden(1)
    assert tree.columnWidth(1) >= tree.sizeHintForColumn(1)


def test_the_tooltip_says_what_the_columns_have_no_room_for(tree: ModuleTree) -> None:
    filled(tree, "fc")
    index = tree.model().index(0, 0, tree.model().index(0, 0))
    assert index.data(Qt.ItemDataRole.ToolTipRole) == "fc#0\nCell · 0 ops"
