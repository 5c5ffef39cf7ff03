"""What damaged rows make SQLite and the decoders raise, and the one sentence it becomes."""

import contextlib
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from tracer.errors import TapeError

REMEDY = "`tapescope repair` takes out what is intact."

_MOST_CHARS = 200


class DamageError(TapeError):
    """A row that is not what was written. Its text is a clause: whoever knows the file makes a sentence of it."""


DAMAGE = (
    DamageError,
    sqlite3.Error,
    UnicodeError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    OverflowError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def compare(found: int, stored: int, what: str) -> None:
    """Raises DamageError where two checksums differ."""
    if found != stored:
        raise DamageError(f"{what} does not match its checksum")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a damaged file makes SQLite or the decoders raise becomes one TapeError."""
    try:
        yield
    except DamageError as error:
        raise TapeError(f"{path} is damaged: {error}. {REMEDY}") from None
    except DAMAGE as error:
        raise TapeError(f"{path} is damaged ({type(error).__name__}: {_plain(error)}). {REMEDY}") from None


def _plain(error: Exception) -> str:
    """On one line, without what might steer a terminal: SQLite quotes what it cannot read."""
    text = " ".join(str(error).split())
    return "".join(char if char.isprintable() else "?" for char in text)[:_MOST_CHARS]
