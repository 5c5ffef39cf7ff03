"""Writing to the terminal what a tape says: its names and texts are somebody's, and must not steer it."""

import sys
from typing import TextIO

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def say(*lines: str, to: TextIO | None = None) -> None:
    """Write each as one line, whatever is in it."""
    for line in lines:
        print(clean(line), file=sys.stdout if to is None else to)


def clean(text: str) -> str:
    """Without line breaks, escape sequences, marks of direction and the like: one replacement character for each."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\N{NO-BREAK SPACE}" else _REPLACEMENT for char in text)
