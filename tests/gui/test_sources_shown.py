"""Where in the user's code a node was made: shown with the code around it, opened, copied."""

import os
from html import unescape
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.editors import DESKTOP
from gui.facts import opaque_text
from gui.sources import read_excerpt
from gui.windows.main_window import MainWindow
from tests.gui.conftest import LOG_LINE, SPOILT
from tracer.model.source_paths import short_path
from tracer.source_file import MAX_FILE_BYTES

SOON_MSECS = 60_000
TEXT = "import os\n\n\ndef f(x):\n    y = x\n    if y:\n        y = 2\n    return y\n\n\nf(1)\n"


def plain(text: str) -> str:
    """Without the marks that let it wrap."""
    return text.replace("\u200b", "")


def test_excerpt_is_the_line_and_its_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text(TEXT)
    excerpt = read_excerpt(str(path), 6)
    assert excerpt is not None
    assert (excerpt.first, excerpt.lines[3]) == (3, "    if y:")
    assert excerpt.lines == tuple(TEXT.split("\n")[2:9])


def test_excerpt_ends_with_the_function_and_loses_its_indentation(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text("class A:\n    def f(self):\n        a = 1\n        b = 2\n        return a\n\nA()\n")
    excerpt = read_excerpt(str(path), 5)
    assert excerpt is not None
    assert excerpt.lines == ("def f(self):", "    a = 1", "    b = 2", "    return a", "")


@pytest.mark.parametrize("line", [0, 99])
def test_a_line_that_the_file_lacks_has_no_excerpt(tmp_path: Path, line: int) -> None:
    path = tmp_path / "f.py"
    path.write_text(TEXT)
    assert read_excerpt(str(path), line) is None


def test_what_is_no_text_on_this_machine_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"a\0b\n")
    (tmp_path / "latin.py").write_bytes(b"\xe9\n")
    (tmp_path / "large.py").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    os.mkfifo(tmp_path / "pipe.py")
    for name in ("binary.py", "latin.py", "large.py", "pipe.py", "gone.py", "."):
        assert read_excerpt(str(tmp_path / name), 1) is None, name
    assert read_excerpt("f.py", 1) is None
    assert read_excerpt("/dev/zero", 1) is None
    assert read_excerpt("<stdin>\0", 1) is None


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("/home/me/run/net.py", "net.py"),
        ("/home/me/run/nets/deep.py", "nets/deep.py"),
        ("/usr/lib/python3/site-packages/timm/layers/mlp.py", "timm/layers/mlp.py"),
        ("/elsewhere/net.py", "net.py"),
    ],
)
def test_paths_are_short(file: str, short: str) -> None:
    assert short_path(file, "/home/me/run") == short


def test_what_an_opaque_node_stands_for_is_said_in_words() -> None:
    words = {
        "CheckpointFunctionBackward": "reentrant checkpoint",
        "CompiledFunctionBackward": "torch.compile",
        "torch::jit::(anonymous namespace)::DifferentiableGraphBackward": "TorchScript",
        "CppNode<MyOp>": "C++",
    }
    for op, word in words.items():
        assert word in opaque_text(op)
        assert "autograd hides what is inside" in opaque_text(op)


class Desktop(QObject):
    """Takes the place of the user's editor."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        self.opened.append(url.toLocalFile())


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow, full_tape: Path) -> MainWindow:
    """The window on the tape, the log selected."""
    window.workbench.open_tape(full_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and session.meta != {}, timeout=SOON_MSECS)
    session.select(next(key for key in session.drawing.graph if "LogBackward" in key))
    return window


def test_the_inspector_shows_the_code_that_made_a_node(opened: MainWindow, full_tape: Path) -> None:
    panel = opened.inspector.source
    assert panel.isVisible()
    assert plain(panel.place.text()) == f"spoilt.py:{LOG_LINE} in Decoder.forward"
    assert panel.place.toolTip() == f"{full_tape.with_suffix('.py')}:{LOG_LINE}"
    (selection,) = panel.code.extraSelections()
    marked = selection.cursor.block().text()
    assert marked.split(maxsplit=1) == [f"▸{LOG_LINE}", SPOILT.split("\n")[LOG_LINE - 1].strip()]
    opened.workbench.session.select("encoder.weight")
    assert not panel.isVisible()


def test_a_long_line_can_be_scrolled_to_its_end_and_is_told_whole(qtbot: QtBot, opened: MainWindow) -> None:
    code = opened.inspector.source.code
    bar, line = code.horizontalScrollBar(), SPOILT.split("\n")[LOG_LINE - 1].strip()
    assert unescape(code.toolTip()) == f"<pre>{line}</pre>"
    code.setFixedWidth(120)
    qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.isVisible(), timeout=SOON_MSECS)
    assert code.verticalScrollBar().maximum() == 0
    code.setFixedWidth(1200)
    qtbot.waitUntil(lambda: not bar.isVisible(), timeout=SOON_MSECS)


def test_the_source_is_copied_and_opened_in_the_editor(opened: MainWindow, full_tape: Path) -> None:
    script = full_tape.with_suffix(".py")
    opened.workbench.settings.editor = DESKTOP
    opened.actions_["copy_source"].trigger()
    assert QApplication.clipboard().text() == f"{script}:{LOG_LINE}"
    desktop = Desktop()
    QDesktopServices.setUrlHandler("file", desktop, "open")
    try:
        opened.actions_["open_source"].trigger()
    finally:
        QDesktopServices.unsetUrlHandler("file")
    assert desktop.opened == [str(script)]


def test_a_file_that_is_gone_is_said_so(opened: MainWindow, full_tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("gui.windows.source_commands.warn", lambda window, message: warnings.append(message))
    script = full_tape.with_suffix(".py")
    text = script.read_text()
    script.unlink()
    try:
        opened.actions_["open_source"].trigger()
    finally:
        script.write_text(text)
    assert warnings == [f"{script} is not on this machine."]


def test_without_a_source_there_is_nothing_to_open(opened: MainWindow) -> None:
    opened.workbench.session.select("")
    assert not opened.actions_["open_source"].isEnabled()
    assert not opened.actions_["copy_source"].isEnabled()
