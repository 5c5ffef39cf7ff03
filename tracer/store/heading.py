"""What a tape says of its run, read at once however long the tape is."""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tracer.errors import TapeError
from tracer.store.blobs import checksum
from tracer.store.connection import open_read_only
from tracer.store.liveness import is_alive

MOST_FACTS = 1_000


@dataclass(frozen=True, slots=True)
class Heading:
    """`meta` and `state` as `Tape` has them."""

    meta: dict[str, str]
    state: str


def read_heading(path: str | os.PathLike[str]) -> Heading:
    """Raises TapeError where the file is no tape or of an unknown format; of its steps nothing is looked at."""
    with contextlib.closing(open_read_only(Path(path))) as connection:
        try:
            meta = read_meta(connection, Path(path))
            return Heading(meta, state_of(meta))
        except (sqlite3.Error, UnicodeError, ValueError, KeyError) as error:
            raise TapeError(f"{path} is damaged ({type(error).__name__}: {error}).") from None


def read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    rows = connection.execute(f"SELECT key, value, crc FROM meta LIMIT {MOST_FACTS}").fetchall()
    for *row, crc in rows:
        if checksum(*row) != crc:
            raise TapeError(f"{path} is damaged: a fact of the run does not match its checksum.")
    return {key: value for key, value, _ in rows}


def state_of(meta: dict[str, str]) -> str:
    """ "live", "closed" or "abrupt"."""
    state = meta.get("state", "closed")
    if state != "live":
        return state
    return "live" if is_alive(int(meta["pid"]), meta["process_start"]) else "abrupt"
