"""The list of keyboard shortcuts names every one."""

from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from gui.models.shortcuts import GRAPH_KEYS
from gui.windows.main_window import MainWindow
from gui.windows.shortcuts import ShortcutsDialog


def test_every_shortcut_is_listed_once_under_its_menu(qtbot: QtBot, window: MainWindow) -> None:
    dialog = ShortcutsDialog(window.actions_, window)
    blocks = dialog.model.blocks
    with_keys = [action for action in window.actions_ if action.shortcuts()]
    assert sum(len(block.rows) for block in blocks) == len(with_keys) + len(GRAPH_KEYS)
    menus = [action.text().replace("&", "") for action in window.menuBar().actions()]
    assert [block.title for block in blocks if block.title in menus] == [
        title for title in menus if title in {block.title for block in blocks}
    ]


def test_typing_filters_and_close_has_no_icon(qtbot: QtBot, window: MainWindow) -> None:
    dialog = ShortcutsDialog(window.actions_, window)
    qtbot.keyClicks(dialog.filter, "colour")
    assert dialog.model.blocks
    assert all("colour" in " ".join(row.texts).lower() for block in dialog.model.blocks for row in block.rows)
    buttons = dialog.findChild(QDialogButtonBox)
    assert buttons is not None and all(button.icon().isNull() for button in buttons.buttons())
