"""Opening a file that claims to be a tape: read-only, and trusting nothing it says."""

import contextlib
import os
import sqlite3
import stat
from pathlib import Path
from urllib.parse import quote

from tracer.errors import TapeError
from tracer.store import schema
from tracer.store.blobs import MAX_BLOB_BYTES

_MAGIC = b"SQLite format 3\0"


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection whose schema is exactly ours. Raises TapeError with one sentence on anything else."""
    _check_file(path)
    address = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"
    with contextlib.ExitStack() as on_failure:
        try:
            connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=2)
            on_failure.callback(connection.close)
            _harden(connection)
            _check_schema(connection, path)
        except (sqlite3.Error, UnicodeError, MemoryError) as error:
            raise TapeError(f"{path} cannot be read as a tape ({error}); it may be damaged.") from None
        on_failure.pop_all()
    return connection


def _check_file(path: Path) -> None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise TapeError(f"{path} is not a file; a tape is one file, written by `tapescope run`.")
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        raise TapeError(f"There is no file {path}.") from None
    except OSError as error:
        raise TapeError(f"{path} cannot be read: {error.strerror}.") from None
    if head != _MAGIC:
        raise TapeError(f"{path} is not a tape; a tape is written by `tapescope run`.")


def _harden(connection: sqlite3.Connection) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BLOB_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != schema.APPLICATION_ID:
        raise TapeError(f"{path} is another program's database, not a tape.")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > schema.FORMAT:
        raise TapeError(
            f"{path} was written by format {version}; this version reads up to {schema.FORMAT}. Update Tapescope."
        )
    if version < 1:
        raise TapeError(f"{path} has no format; it is damaged or was altered.")
    expected = schema.tables(version)
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema LIMIT 100").fetchall()
    if len(rows) != len(expected) or set(rows) != expected:
        raise TapeError(f"{path} does not have the tables of a tape of format {version}; it is damaged or was altered.")
