"""Source lines on screen: the lines of code around one, read from disk where they still are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

from tracer.errors import SourceError
from tracer.source_file import read_source

MAX_LINE_CHARS = 300
LINES_AROUND = 3


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a file from `first` (from 1 on) to where it ends or the limit is; `mtime_ns` is the file's age."""

    first: int
    lines: tuple[str, ...]
    mtime_ns: int


def started_ns_of(meta: Mapping[str, Any]) -> int:
    """When the run of a tape started: a file written since may say something else. 0 where that is not known."""
    text = str(meta.get("started_ns"))
    return int(text) if text.isdecimal() else 0


def read_excerpt(file: str, line: int) -> Excerpt | None:
    """The lines around `line`, without their common indentation; None where there is no such code on this machine."""
    try:
        found = read_source(file)
    except SourceError:
        return None
    lines = found.lines
    if not 1 <= line <= len(lines):
        return None
    first = max(line - LINES_AROUND, 1)
    after = _of_same_block(lines[line - 1], lines[line : line + LINES_AROUND])
    shown = "\n".join(part[:MAX_LINE_CHARS] for part in (*lines[first - 1 : line], *after))
    return Excerpt(first, tuple(dedent(shown.expandtabs(4)).split("\n")), found.mtime_ns)


def _of_same_block(line: str, after: Sequence[str]) -> Sequence[str]:
    """Up to where the function ends: what comes then says nothing of the line, and would take the room of an indent."""
    if not line[:1].isspace():
        return after
    end = next((at for at, text in enumerate(after) if text[:1].strip()), len(after))
    return after[:end]
