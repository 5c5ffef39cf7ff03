"""Leaving a tape as one plain file, when nothing more will be written to it."""

import contextlib
import sqlite3
from pathlib import Path


def leave(connection: sqlite3.Connection) -> None:
    """Raises sqlite3.Error where the disk refuses; what was committed then lies in the log beside the tape."""
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(sqlite3.Error):  # a reader is still there: the log stays beside the tape, empty
            connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()


def leave_moved(connection: sqlite3.Connection, to: Path | None) -> None:
    """Of a file that was moved to `to` without its log, nobody knows where to if that is None. Under its old name
    another tape may lie by now, whose log `journal_mode=DELETE` would remove: only a connection that was opened where
    the file is may do that."""
    try:
        is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    if is_busy:
        raise sqlite3.OperationalError("a reader is still there")
    if to is not None:
        with contextlib.closing(sqlite3.connect(to)) as there:
            there.execute("PRAGMA journal_mode=DELETE")
