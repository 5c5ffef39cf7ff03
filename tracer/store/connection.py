"""Opening a file that claims to be a tape: read-only, and trusting nothing it says."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from tracer.errors import TapeError
from tracer.store import schema
from tracer.store.encoding import MAX_BLOB_BYTES

_MAGIC = b"SQLite format 3\0"


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection whose schema is exactly ours. Raises TapeError with one sentence on anything else."""
    _check_file(path)
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None, timeout=2
        )
        _harden(connection)
        _check_schema(connection, path)
    except sqlite3.Error as error:
        raise TapeError(f"{path} cannot be read as a tape ({error}); it may be damaged.") from None
    return connection


def _check_file(path: Path) -> None:
    if not path.exists():
        raise TapeError(f"There is no file {path}.")
    if not path.is_file():
        raise TapeError(f"{path} is not a file; a tape is one file, written by `tapescope run`.")
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
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
    expected = {("table", name): sql for name, sql in schema.TABLES.items()}
    expected.update((("index", name), sql) for name, sql in schema.INDEXES.items())
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema LIMIT 100").fetchall()
    found = {(kind, name): sql for kind, name, sql in rows if not name.startswith("sqlite_")}
    if found != expected:
        raise TapeError(
            f"{path} does not have the tables of a tape of format {schema.FORMAT}; it is damaged or was altered."
        )
