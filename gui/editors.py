"""The user's editor: which ones are installed, and the command that opens a file at a line in one. No shell runs."""

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracer.errors import UsageError

AUTOMATIC, DESKTOP = "", "desktop"
"""Choices that are no command: what is found, and whatever the desktop opens Python files with."""

_SPECIAL = frozenset('"&|<>^%!')
_BATCH = (".bat", ".cmd")


@dataclass(frozen=True, slots=True)
class Editor:
    """`command` has `{file}`, and `{line}` where it can go to one."""

    name: str
    command: str

    @property
    def program(self) -> str:
        return self.command.split()[0]


KNOWN = (
    Editor("Visual Studio Code", "code -g {file}:{line}"),
    Editor("VSCodium", "codium -g {file}:{line}"),
    Editor("Cursor", "cursor -g {file}:{line}"),
    Editor("PyCharm", "pycharm --line {line} {file}"),
    Editor("PyCharm Community", "pycharm-community --line {line} {file}"),
    Editor("PyCharm Professional", "pycharm-professional --line {line} {file}"),
    Editor("Sublime Text", "subl {file}:{line}"),
    Editor("Zed", "zed {file}:{line}"),
    Editor("Kate", "kate --line {line} {file}"),
    Editor("gedit", "gedit +{line} {file}"),
    Editor("GNOME Text Editor", "gnome-text-editor +{line} {file}"),
    Editor("Xed", "xed +{line} {file}"),
    Editor("Geany", "geany --line {line} {file}"),
    Editor("GVim", "gvim +{line} {file}"),
    Editor("MacVim", "mvim +{line} {file}"),
    Editor("Emacs client", "emacsclient -n +{line} {file}"),
    Editor("TextMate", "mate -l {line} {file}"),
    Editor("Notepad++", "notepad++ -n{line} {file}"),
)


def installed() -> tuple[Editor, ...]:
    """Those of `KNOWN` that are found here."""
    return tuple(editor for editor in KNOWN if shutil.which(editor.program))


def automatic() -> Editor | None:
    """That of $VISUAL or $EDITOR if it is a known one with a window of its own, else the first that is installed."""
    here = {editor.program: editor for editor in installed()}
    named = [here[name] for name in _named_by_user() if name in here]
    return next(iter((*named, *here.values())), None)


def checked(command: str) -> str:
    """The command without spaces around it. Raises UsageError where no file could be opened with it."""
    words = _words(command)
    if not any("{file}" in word for word in words[1:]):
        raise UsageError("The command needs {file} where the file's name goes, for example: code -g {file}:{line}")
    unknown = set(re.findall(r"{[^{}]*}", command)) - {"{file}", "{line}"}
    if unknown:
        raise UsageError(f"The command may have {{file}} and {{line}}, but not {min(unknown)}.")
    if not shutil.which(words[0]):
        raise UsageError(f"There is no program {words[0]} on this machine.")
    return command.strip()


def words_to_open(command: str, file: str, line: int) -> list[str]:
    """The program with its path, and its arguments. Raises UsageError."""
    program, *words = _words(checked(command))
    path = shutil.which(program) or program
    if path.lower().endswith(_BATCH) and not _SPECIAL.isdisjoint(file):
        raise UsageError(f"{file} has characters in its name that {program} would misread; open it by hand.")
    values = {"{file}": file, "{line}": str(line)}
    return [path, *(re.sub(r"{file}|{line}", lambda match: values[match[0]], word) for word in words)]


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command, posix=os.name == "posix")
    except ValueError:
        raise UsageError("A quotation mark in the command is not closed.") from None
    if not words:
        raise UsageError("Write a command, for example: code -g {file}:{line}")
    return words if os.name == "posix" else [word.strip('"') for word in words]


def _named_by_user() -> Iterator[str]:
    for variable in ("VISUAL", "EDITOR"):
        first, *_ = os.environ.get(variable, "").split() or [""]
        if first:
            yield Path(first).stem
