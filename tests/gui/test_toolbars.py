"""The toolbars in windows that are wide enough for all tools, and in those that are not."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect
from pytestqt.qtbot import QtBot

from gui.theme import DARK, LIGHT, Theme
from gui.windows.main_window import MainWindow
from gui.windows.menus import FILE_TOOLS
from gui.windows.run_pill import RunPill

SOON_MSECS = 60_000


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow, recorded_tape: Path) -> MainWindow:
    window.workbench.open_tape(recorded_tape)
    qtbot.waitUntil(lambda: window.workbench.session.drawing is not None, timeout=SOON_MSECS)
    return window


def is_whole(window: MainWindow, pill: RunPill) -> bool:
    """Whether the pill has the room that it wants, inside of the window."""
    place = QRect(pill.mapTo(window, QPoint(0, 0)), pill.size())
    return pill.isVisible() and pill.width() >= pill.sizeHint().width() and window.rect().contains(place)


@pytest.mark.parametrize("width_px", [1440, 1200, 1000])
def test_the_state_of_the_run_always_shows(qtbot: QtBot, opened: MainWindow, width_px: int) -> None:
    pill = opened.findChild(RunPill)
    opened.resize(width_px, 700)
    qtbot.waitUntil(lambda: is_whole(opened, pill), timeout=SOON_MSECS)
    pill.setText(pill.text() + ": the structure changed")
    qtbot.waitUntil(lambda: is_whole(opened, pill), timeout=SOON_MSECS)


def test_tools_without_room_are_behind_a_button(qtbot: QtBot, opened: MainWindow) -> None:
    tools, last = opened.tools, opened.actions_[FILE_TOOLS[-1]]
    opened.resize(1440, 800)
    qtbot.waitUntil(lambda: not tools.more.isVisible() and tools.widgetForAction(last).isVisible(), timeout=SOON_MSECS)
    opened.resize(1000, 700)
    qtbot.waitUntil(lambda: tools.more.isVisible() and not tools.widgetForAction(last).isVisible(), timeout=SOON_MSECS)
    assert tools.geometry().contains(tools.mapToParent(tools.more.geometry().center()))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_the_button_for_more_has_the_colour_of_the_text(opened: MainWindow, theme: Theme) -> None:
    opened.tools.set_theme(theme)
    image = opened.tools.more.icon().pixmap(32, 32).toImage()
    inked = [image.pixelColor(x, y) for x in range(32) for y in range(32) if image.pixelColor(x, y).alpha() > 250]
    assert inked and {color.name() for color in inked} == {theme.text}
