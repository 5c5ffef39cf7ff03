"""Which of the frames on the stack is the user's code."""

import os
import re
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType

import torch

from tracer.model.structure import SourceLine

_USER, _LIBRARY, _SKIPPED, _OUTSIDE = range(4)

_MADE_BY_LIBRARIES = ("<frozen ", "<eval_with_key>", "<__array_function__", "<attrs generated", "<decorator-gen")
_TRACEBACK_LINE = re.compile(r'^\s*File "(.+)", line (\d+), in (.+)$', re.MULTILINE)

Position = tuple[CodeType, int]
"""A line of some code; holds no frame, and so no tensor."""


Spot = tuple[FrameType, int]
"""A frame and the line it is at."""


class Frames:
    """Finds the innermost frame of the user: not in torch, an installed package, the standard library or Tapescope.

    Where all code belongs to packages (`python -m torchvision.…`) the innermost package's counts, torch's not.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, int] = {}
        self._lines: dict[tuple[str, int, str], SourceLine] = {}
        self._paths: dict[str, str] = {}

    def innermost(self, frame: FrameType | None) -> Position | None:
        """Where the user's code stands, searched from `frame` outwards."""
        kinds = self._kinds
        package: Position | None = None
        while frame is not None:
            code = frame.f_code
            kind = kinds.get(code.co_filename)
            if kind is None:
                kind = self._learn(code.co_filename)
            if kind == _USER:
                return code, frame.f_lineno
            if kind == _LIBRARY and package is None:
                package = code, frame.f_lineno
            elif kind == _OUTSIDE:
                break
            frame = frame.f_back
        return package

    def line(self, position: Position) -> SourceLine:
        """The record of a position; the same object for the same line."""
        code, line = position
        return self._record(code.co_filename, line, code.co_qualname)

    def innermost_of_traceback(self, text: str) -> SourceLine | None:
        """The same from a traceback as text, innermost last."""
        package: SourceLine | None = None
        for file, line, function in reversed(_TRACEBACK_LINE.findall(text)):
            kind = self._kinds.get(file) or self._learn(file)
            if kind == _USER:
                return self._record(file, int(line), function)
            if kind == _LIBRARY and package is None:
                package = self._record(file, int(line), function)
        return package

    def of_user(self, frames: Iterable[Spot]) -> list[Spot]:
        """Those of the user's code, in their order; the packages' where all code is theirs."""
        kinds = [(self._kinds.get(file) or self._learn(file), spot) for spot in frames if (file := _file(spot))]
        return [spot for kind, spot in kinds if kind == _USER] or [spot for kind, spot in kinds if kind == _LIBRARY]

    def _learn(self, file: str) -> int:
        kind = self._kinds[file] = _kind(file)
        return kind

    def _record(self, file: str, line: int, function: str) -> SourceLine:
        key = file, line, function
        found = self._lines.get(key)
        if found is None:
            path = self._paths.setdefault(file, file if file.startswith("<") else os.path.abspath(file))
            found = self._lines[key] = SourceLine(path, line, function)
        return found


def _file(spot: Spot) -> str:
    return spot[0].f_code.co_filename


def _kind(file: str) -> int:
    """What a code object's file is. Code without a file, as from `exec` or a notebook, is the user's."""
    if file.startswith("<"):
        return _SKIPPED if file.startswith(_MADE_BY_LIBRARIES) else _USER
    path = os.path.abspath(file)
    if path == _RUNNER:
        return _OUTSIDE
    if path.startswith(_SKIPPED_FOLDERS):
        return _SKIPPED
    parts = Path(path).parts
    if "site-packages" in parts or "dist-packages" in parts or path.startswith(_SCRIPTS):
        return _LIBRARY
    # after the packages, which may lie inside the standard library's folder
    return _SKIPPED if path.startswith(_STANDARD_FOLDERS) else _USER


def _folders(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    return tuple(os.path.join(os.path.abspath(path), "") for path in paths)


_TAPESCOPE = Path(__file__).parents[1]
_RUNNER = os.path.abspath(_TAPESCOPE / "script.py")  # it runs the user's script: what called it is not the user's
_SKIPPED_FOLDERS = _folders([Path(torch.__file__).parent, _TAPESCOPE, _TAPESCOPE.parent / "gui"])
_SCRIPTS = _folders([sysconfig.get_path("scripts")])  # where pip puts the commands of packages
_STANDARD_FOLDERS = _folders(
    {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
)
