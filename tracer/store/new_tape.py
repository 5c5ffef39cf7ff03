"""Making the file that a run is recorded in."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from tracer.errors import TapeError
from tracer.store import schema
from tracer.store.blobs import checksum, storable


def create(path: Path, meta: Mapping[str, str]) -> sqlite3.Connection:
    """The one writing connection to a new tape without a step, replacing a file of that name. Raises TapeError where
    that is not possible."""
    with contextlib.ExitStack() as on_failure:
        try:
            draft = path.with_name(path.name + ".new")
            on_failure.callback(_remove, draft)
            _write_empty(draft, meta)
            _remove(path)
            draft.replace(path)  # nobody ever sees a file of that name that is not yet a tape
            on_failure.callback(_remove, path)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
            on_failure.callback(connection.close)
            open_log(connection)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA user_version={schema.FORMAT}")  # syncs the log and its name in the folder
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint=256")
        except (sqlite3.Error, OSError, ValueError) as error:
            raise TapeError(f"Cannot create the tape {path}: {error}. Choose a place that can be written.") from None
        on_failure.pop_all()
    return connection


def open_log(connection: sqlite3.Connection) -> None:
    """Make the files that lie beside a tape while it is written."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("SELECT count(*) FROM meta").fetchone()  # SQLite waits for a reason


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _write_empty(path: Path, meta: Mapping[str, str]) -> None:
    """A complete tape without a step."""
    _remove(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={schema.PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={schema.FORMAT}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in schema.TABLES.values():
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?, ?)", meta_rows(meta))
        connection.execute("COMMIT")


def meta_rows(meta: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """Rows of the table `meta`."""
    for key, value in meta.items():
        row = key, storable(value)
        yield *row, checksum(*row)
