"""The app for tests: the real window on settings of its own, and one recorded tape for all."""

import gc
import subprocess
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.appearance import Appearance
from gui.settings import Settings
from gui.windows.main_window import MainWindow
from gui.workbench import Workbench
from tracer.launch import command as tapescope

PATIENCE_MSECS = 60_000

SENTENCES = """
import torch
from torch import nn

class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.cell = nn.LSTMCell(4, 8)
        self.output = nn.Linear(8, 2)

    def forward(self, words):
        state = None
        for word in words:
            state = self.cell(self.embedding(word[None]), state)
        return self.output(state[0])

torch.manual_seed(0)
model = Reader()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for length in (3, 5, 5, 2, 4, 3):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.arange(length)), torch.tensor([1])).backward()
    optimizer.step()
"""


SPOILT = """
import torch
from torch import nn

class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, shift):
        return torch.log(self.linear(x).sigmoid() - shift)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.decoder = Decoder()
        self.unused = nn.Linear(2, 2)

    def forward(self, x, shift):
        return self.decoder(self.encoder(x).relu(), shift).mean()

torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(6):
    optimizer.zero_grad()
    model(torch.randn(3, 4), 9.0 if step >= 4 else -1.0).backward()
    optimizer.step()
"""
LOG_LINE = 11
"""Where `torch.log` stands in it: what makes NaN from step 4 on."""


def record(folder: Path, name: str, script_text: str, *options: str) -> Path:
    """A tape of a script, recorded by the real command."""
    script, tape = folder / f"{name}.py", folder / f"{name}.tape"
    script.write_text(script_text)
    words = ["run", "--headless", *options, "-o", str(tape), str(script)]
    done = subprocess.run(tapescope(*words), capture_output=True, timeout=240)
    assert tape.is_file(), done.stderr.decode()
    return tape


@pytest.fixture(scope="session")
def recorded_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps whose graph grows and shrinks with a sentence."""
    return record(tmp_path_factory.mktemp("tapes"), "recorded", SENTENCES)


@pytest.fixture(scope="session")
def full_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps at the level "full"; from step 4 on the loss is NaN, out of a log in the decoder."""
    return record(tmp_path_factory.mktemp("tapes"), "spoilt", SPOILT, "--level", "full")


@pytest.fixture(scope="session")
def sampled_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same at the level "statistics" at every second step."""
    return record(tmp_path_factory.mktemp("tapes"), "sampled", SPOILT, "--level", "statistics", "--every", "2")


@pytest.fixture(scope="session")
def thinned_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps, of which only steps 0 and 3 have a graph."""
    return record(tmp_path_factory.mktemp("tapes"), "thinned", SENTENCES, "--every", "3")


@pytest.fixture(autouse=True)
def garbage_collected_here() -> Iterator[None]:
    """As in the app (gui/garbage.py): no worker destroys what is left of an earlier test's widgets."""
    gc.disable()
    yield
    gc.collect()
    gc.enable()


class PatientBot(QtBot):
    """Waits for up to a minute where it is not told how long: a busy machine takes its time."""

    waitSignal = partialmethod(QtBot.waitSignal, timeout=PATIENCE_MSECS)
    waitUntil = partialmethod(QtBot.waitUntil, timeout=PATIENCE_MSECS)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    return PatientBot(request)


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
    """The app's window on its welcome page; a training still running at the end is ended.

    Fails the test whose window had to tell the user that something went wrong.
    """
    complaints: list[str] = []
    workbench.failed.connect(complaints.append)
    window = MainWindow(workbench, appearance)
    # a failed test must not end in the question what becomes of its training
    qtbot.addWidget(window, before_close_func=lambda _: workbench.close_tape(stops_run=True))
    window.resize(1280, 800)
    with qtbot.waitExposed(window):
        window.show()
    yield window
    workbench.close_tape(stops_run=True)
    assert complaints == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Qt's offscreen platform says this of every window that limits its size, and of every one that pops up."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.qt_log_ignore("propagateSizeHints", r"support (raise\(\)|grabbing the key)"))
