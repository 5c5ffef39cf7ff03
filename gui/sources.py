"""Source lines on screen: the lines of code around one, read from disk where they still are."""

import stat
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

MAX_FILE_BYTES = 4 << 20
MAX_LINE_CHARS = 300
LINES_AROUND = 3


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a file from `first` (from 1 on) to where it ends or the limit is; `mtime_ns` is the file's age."""

    first: int
    lines: tuple[str, ...]
    mtime_ns: int


def read_excerpt(file: str, line: int) -> Excerpt | None:
    """The lines around `line`, without their common indentation; None where there is no such text on this machine.

    Only regular files up to 4 MiB are read: a path on a tape may name anything, and the window waits for it.
    """
    path = Path(file)
    try:
        facts = path.stat()
        if not path.is_absolute() or not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_FILE_BYTES:
            return None
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError):
        return None
    lines = text.replace("\r\n", "\n").split("\n")
    if "\0" in text or not 1 <= line <= len(lines):
        return None
    first = max(line - LINES_AROUND, 1)
    after = _of_same_block(lines[line - 1], lines[line : line + LINES_AROUND])
    shown = "\n".join(part[:MAX_LINE_CHARS] for part in (*lines[first - 1 : line], *after))
    return Excerpt(first, tuple(dedent(shown.expandtabs(4)).split("\n")), facts.st_mtime_ns)


def _of_same_block(line: str, after: list[str]) -> list[str]:
    """Up to where the function ends: what comes then says nothing of the line, and would take the room of an indent."""
    if not line[:1].isspace():
        return after
    end = next((at for at, text in enumerate(after) if text[:1].strip()), len(after))
    return after[:end]
