"""What a tape says of its run, read without the steps."""

import contextlib
import sqlite3
from pathlib import Path

from tracer.errors import TapeError
from tracer.store.connection import open_read_only
from tracer.store.encoding import checksum
from tracer.store.liveness import is_alive

_MOST = 1000


def facts_of(path: Path) -> dict[str, str]:
    """As `Tape.meta`. Raises TapeError for no tape, and for one whose facts are damaged."""
    with contextlib.closing(open_read_only(path)) as connection:
        try:
            rows = connection.execute(f"SELECT key, value, crc FROM meta LIMIT {_MOST}").fetchall()
            is_sound = all(checksum(key, value) == crc for key, value, crc in rows)
        except (sqlite3.Error, UnicodeError, TypeError, ValueError) as error:
            raise TapeError(f"{path} is damaged ({type(error).__name__}: {error}).") from None
    if not is_sound:
        raise TapeError(f"{path} is damaged: a fact of the run does not match its checksum.")
    return {key: value for key, value, _ in rows}


def is_live(facts: dict[str, str]) -> bool:
    """Whether the process that writes the tape is there. KeyError or ValueError where the facts do not say."""
    return facts["state"] == "live" and is_alive(int(facts["pid"]), facts["process_start"])
