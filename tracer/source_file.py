"""Python files that a tape names, read where they still are. A tape may come from anywhere and name anything: only
regular files of text with a suffix of Python's are read, and nothing is written."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tracer.errors import SourceError

MAX_FILE_BYTES = 2 << 20
SUFFIXES = (".py", ".pyi", ".pyw", ".pyx")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Its lines as Python counts them, from 1 on; `mtime_ns` is when it was written last."""

    lines: tuple[str, ...]
    mtime_ns: int


def read_source(file: str) -> SourceFile:
    """Raises SourceError, which says why in one sentence."""
    data, mtime_ns = _read(file)
    try:
        text = data.decode("utf-8-sig")
    except ValueError:
        raise SourceError(f"{file} is not UTF-8 text and is not shown.") from None
    if "\0" in text:
        raise SourceError(f"{file} is not text and is not shown.")
    return SourceFile(tuple(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")), mtime_ns)


def _read(file: str) -> tuple[bytes, int]:
    if "\0" in file or not Path(file).is_absolute():
        raise SourceError(f"{file.replace(chr(0), '?')} is not a file, so there is nothing to show.")
    if Path(file).suffix not in SUFFIXES:
        raise SourceError(f"{file} is not a Python file and is not opened.")
    try:
        _check(file, os.stat(file))  # before it is opened: to open some devices does something to them
        with open(file, "rb", opener=_open) as opened:
            facts = os.fstat(opened.fileno())
            _check(file, facts)
            return opened.read(MAX_FILE_BYTES), facts.st_mtime_ns
    except FileNotFoundError:
        raise SourceError(f"{file} is not on this machine.") from None
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}.") from None


def _check(file: str, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise SourceError(f"{file} is not a regular file and is not opened.")
    if facts.st_size > MAX_FILE_BYTES:
        raise SourceError(f"{file} is larger than {MAX_FILE_BYTES >> 20} MB and is not shown.")


def _open(file: str, flags: int) -> int:
    """Without waiting, should the file have become a pipe just now."""
    return os.open(file, flags | getattr(os, "O_NONBLOCK", 0))
