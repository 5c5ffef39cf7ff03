"""The user's editor: which are found, what a command must have, and that it is started with the file and the line."""

import json
import os
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from gui.editors import AUTOMATIC, DESKTOP, automatic, checked, installed, words_to_open
from gui.theme import LIGHT
from gui.windows.editor_dialog import EditorDialog
from gui.windows.main_window import MainWindow
from tests.gui.conftest import LOG_LINE
from tracer.errors import UsageError

SOON_MSECS = 60_000


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone holds programs: `code`, `subl` and `vim`, which write down what they are given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("code", "subl", "vim"):
        program = folder / name
        words = f"import json, sys; json.dump(sys.argv[1:], open({str(tmp_path / 'given')!r}, 'w'))"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{words}" "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    return folder


def test_installed_editors_are_found(programs: Path) -> None:
    assert [editor.name for editor in installed()] == ["Visual Studio Code", "Sublime Text"]


def test_the_users_own_editor_comes_first_if_it_has_a_window(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def name() -> str:
        found = automatic()
        assert found is not None
        return found.name

    assert name() == "Visual Studio Code"
    monkeypatch.setenv("EDITOR", "subl -w")
    assert name() == "Sublime Text"
    monkeypatch.setenv("VISUAL", str(programs / "code"))
    assert name() == "Visual Studio Code"
    monkeypatch.setenv("VISUAL", "vim")
    assert name() == "Sublime Text", "vim needs a terminal"
    monkeypatch.setenv("PATH", "")
    assert automatic() is None


REFUSED = {
    "": "Write a command, for example: code -g {file}:{line}",
    "code": "The command needs {file} where the file's name goes, for example: code -g {file}:{line}",
    "{file}": "The command needs {file} where the file's name goes, for example: code -g {file}:{line}",
    "code 'a {file}": "A quotation mark in the command is not closed.",
    "code {file} {row}": "The command may have {file} and {line}, but not {row}.",
    "emacs {file}": "There is no program emacs on this machine.",
}


@pytest.mark.parametrize("command", REFUSED)
def test_a_command_that_cannot_work_is_refused_in_one_sentence(programs: Path, command: str) -> None:
    with pytest.raises(UsageError) as refused:
        checked(command)
    assert str(refused.value) == REFUSED[command]


def test_a_name_is_one_argument_whatever_it_holds(programs: Path) -> None:
    file = "/a b/$(rm x); {line}'\".py"
    assert words_to_open("code -g {file}:{line}", file, 7) == [str(programs / "code"), "-g", f"{file}:7"]
    assert words_to_open(" 'subl' --line={line} {file} ", file, 7)[1:] == ["--line=7", file]


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow, full_tape: Path) -> MainWindow:
    window.workbench.open_tape(full_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None and session.meta != {}, timeout=SOON_MSECS)
    session.select(next(key for key in session.drawing.graph if "LogBackward" in key))
    return window


def given(qtbot: QtBot, path: Path) -> list[str]:
    qtbot.waitUntil(lambda: path.is_file() and path.read_text().endswith("]"), timeout=SOON_MSECS)
    found: list[str] = json.loads(path.read_text())
    path.unlink()
    return found


def test_the_editor_is_started_at_the_line(
    qtbot: QtBot, opened: MainWindow, programs: Path, tmp_path: Path, full_tape: Path
) -> None:
    script = full_tape.with_suffix(".py")
    opened.actions_["open_source"].trigger()
    assert given(qtbot, tmp_path / "given") == ["-g", f"{script}:{LOG_LINE}"]
    opened.workbench.settings.editor = "subl --new {file} +{line}"
    opened.actions_["open_source"].trigger()
    assert given(qtbot, tmp_path / "given") == ["--new", str(script), f"+{LOG_LINE}"]


def test_the_dock_opens_its_file_at_the_cursor(
    qtbot: QtBot, opened: MainWindow, programs: Path, tmp_path: Path, full_tape: Path
) -> None:
    opened.actions_["show_source"].trigger()
    qtbot.waitUntil(lambda: opened.source.view.line == LOG_LINE, timeout=SOON_MSECS)
    opened.source.view.go_to(3)
    opened.source.editor.click()
    assert given(qtbot, tmp_path / "given") == ["-g", f"{full_tape.with_suffix('.py')}:3"]


def test_a_failure_is_said_in_one_sentence(
    opened: MainWindow, programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    monkeypatch.setattr("gui.windows.source_commands.warn", lambda window, message: said.append(message))
    opened.workbench.settings.editor = "gone {file}"
    opened.actions_["open_source"].trigger()
    (programs / "code").write_text("#!/nowhere/at/all\n")
    opened.workbench.settings.editor = "code {file}"
    opened.actions_["open_source"].trigger()
    assert said == [
        "There is no program gone on this machine.",
        f"{programs / 'code'} cannot be started; choose another editor.",
    ]
    opened.commands.sources.open("/etc/passwd", 1)
    opened.commands.sources.open(str(tmp_path / "none.py"), 1)
    assert said[2:] == [
        "/etc/passwd is not a Python file and is not opened.",
        f"{tmp_path / 'none.py'} is not on this machine.",
    ]


def test_the_dialog_offers_what_is_there_and_refuses_what_cannot_work(
    qtbot: QtBot, window: MainWindow, programs: Path
) -> None:
    dialog = EditorDialog(AUTOMATIC, LIGHT, window)
    qtbot.addWidget(dialog)
    dialog.show()
    texts = [button.text() for button in dialog.buttons.values()]
    assert texts[:3] == ["Automatic (Visual Studio Code)", "Visual Studio Code", "Sublime Text"]
    assert dialog.choice == AUTOMATIC and not dialog.command.isEnabled()
    dialog.buttons[DESKTOP].click()
    assert dialog.choice == DESKTOP
    dialog.own.click()
    dialog.command.setText("code")
    ok = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
    ok.click()
    assert dialog.isVisible() and "{file}" in dialog.error.text()
    dialog.command.setText("code {file}")
    ok.click()
    assert not dialog.isVisible() and dialog.choice == "code {file}"
    again = EditorDialog("code {file}", LIGHT, window)
    qtbot.addWidget(again)
    assert again.own.isChecked() and again.command.text() == "code {file}"


def test_the_choice_is_remembered(window: MainWindow, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(dialog: EditorDialog) -> int:
        next(button for command, button in dialog.buttons.items() if command.startswith("subl")).click()
        dialog.accept()
        return dialog.result()

    monkeypatch.setattr(EditorDialog, "exec", choose)
    assert window.workbench.settings.editor == AUTOMATIC
    window.actions_["choose_editor"].trigger()
    assert window.workbench.settings.editor == "subl {file}:{line}"
    assert os.environ["PATH"] == str(programs)
