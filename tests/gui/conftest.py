"""The app for tests: the real window on settings of its own, and one recorded tape for all."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.appearance import Appearance
from gui.demos import find_demo
from gui.process import tapescope_command
from gui.settings import Settings
from gui.windows.main_window import MainWindow
from gui.workbench import Workbench

RECORDED_STEPS = 12


@pytest.fixture(scope="session")
def recorded_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first steps of the demo whose graph changes, recorded by the real command."""
    tape: Path = tmp_path_factory.mktemp("tapes") / "recorded.tape"
    words = ["run", "--headless", "-o", str(tape), "--max-steps", str(RECORDED_STEPS)]
    done = subprocess.run(
        [*tapescope_command(), *words, str(find_demo("sentence_rnn").path)], capture_output=True, timeout=60
    )
    assert tape.is_file(), done.stderr.decode()
    return tape


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    settings.theme = "light"
    settings.tapes_folder = tmp_path / "tapes"
    return settings


@pytest.fixture
def appearance(qapp: QApplication, settings: Settings) -> Iterator[Appearance]:
    appearance = Appearance(qapp, settings)
    yield appearance
    appearance.deleteLater()


@pytest.fixture
def workbench(appearance: Appearance, settings: Settings) -> Iterator[Workbench]:
    workbench = Workbench(settings, appearance)
    yield workbench
    workbench.close_tape(stops_run=True)


@pytest.fixture
def window(qtbot: QtBot, workbench: Workbench, appearance: Appearance) -> Iterator[MainWindow]:
    """The app's window on its welcome page; a training still running at the end is ended."""
    window = MainWindow(workbench, appearance)
    qtbot.addWidget(window)
    window.resize(1280, 800)
    with qtbot.waitExposed(window):
        window.show()
    yield window
    workbench.close_tape(stops_run=True)
