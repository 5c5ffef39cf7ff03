"""Opening a file that claims to be a tape: read-only, and trusting nothing it says.

Nothing is written, not even beside the file; no other file is read than the tape and its log, `-wal`; no statement may
do more than read our tables, nor take longer than a file of that size can need.
"""

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tracer.errors import TapeError
from tracer.store import schema
from tracer.store.blobs import MAX_BLOB_BYTES
from tracer.store.damage import REMEDY
from tracer.store.liveness import is_alive
from tracer.store.private_copy import PrivateCopy

_MAGIC = b"SQLite format 3\0"
_START_SECS = 0.2
_WAIT_SECS = 0.01
_INDEX_SECS = 0.5

STEPS_BETWEEN_LOOKS = 50_000
STEPS_AT_LEAST = 2_000_000
STEPS_PER_BYTE = 4
"""Of SQLite's virtual machine, for one statement. Reading a row takes a dozen and a row some forty bytes; a tree of
pages that leads back into itself goes on for ever."""

# Only the file itself: no lock, no log, no journal. For a file that nobody writes.
_STILL = "mode=ro&immutable=1"
# With the log, whose index is only read; where its writer is gone, SQLite makes an index of its own in memory.
_WRITTEN = "mode=ro&readonly_shm=1"
_COPIED = "mode=ro"

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_BLOB_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 20_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 40,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 40,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 20_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 10,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_TABLES = {*schema.TABLES, *schema.OLD_TABLES, "sqlite_master", "sqlite_schema"}
_FUNCTIONS = {"abs", "coalesce", "count", "ifnull", "length", "max", "min", "sum", "total", "typeof"}
_PRAGMAS = {
    "application_id",
    "data_version",
    "freelist_count",
    "page_count",
    "page_size",
    "quick_check",
    "user_version",
}


class ReadConnection(sqlite3.Connection):
    """Ends a statement that goes on for longer than the file can be read. Made by `open_read_only`."""

    _files: tuple[Path, ...] = ()
    _copy: PrivateCopy | None = None
    _steps = 0

    def guard(self, path: Path, copy: PrivateCopy | None) -> None:
        self._files = path, _beside(path, "-wal")
        self._copy = copy
        self.set_progress_handler(self._look, STEPS_BETWEEN_LOOKS)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Again where the log's index was just being written: SQLite would mend it, and may not."""
        deadline = time.monotonic() + _INDEX_SECS
        while True:
            self._steps = 0
            try:
                return super().execute(*arguments)
            except sqlite3.OperationalError as error:
                if not _is_about_index(error) or time.monotonic() > deadline:
                    raise
            time.sleep(_WAIT_SECS)

    def close(self) -> None:
        super().close()
        if self._copy is not None:
            self._copy.remove()

    def _look(self) -> int:
        """Not 0: SQLite stops, with "interrupted"."""
        self._steps += STEPS_BETWEEN_LOOKS
        return int(self._steps > STEPS_AT_LEAST and self._steps > STEPS_PER_BYTE * sum(map(_size, self._files)))


def open_read_only(path: Path) -> ReadConnection:
    """A connection whose schema is exactly ours. Raises TapeError with one sentence on anything else."""
    deadline = time.monotonic() + _START_SECS
    while True:
        file = checked_file(path)
        has_log = _lstat(_beside(file, "-wal")) is not None
        connection = _open(path, file)
        if has_log or not _has_writer(connection) or time.monotonic() > deadline:
            return connection
        connection.close()  # the training has just made the file, and will make its log
        time.sleep(_WAIT_SECS)


def _open(path: Path, file: Path) -> ReadConnection:
    try:
        return _open_as(_mode(file), path, file)
    except sqlite3.OperationalError:
        return _open_as(_COPIED, path, file)  # its writer died as it wrote the log's index


def _is_about_index(error: sqlite3.OperationalError) -> bool:
    """SQLITE_READONLY and its kin: the index of the log would have to be mended, and is only read here."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY


def _open_as(mode: str, path: Path, file: Path) -> ReadConnection:
    with contextlib.ExitStack() as on_failure:
        copy = None
        if mode == _COPIED:
            copy = PrivateCopy(file)
            on_failure.callback(copy.remove)
            file = copy.file
        address = f"file:{quote(os.fsencode(file))}?{mode}"
        try:
            connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=2, factory=ReadConnection)
            on_failure.callback(connection.close)
            connection.guard(file, copy)
            _harden(connection)
            _check_schema(connection, path)
        except (sqlite3.Error, UnicodeError, MemoryError) as error:
            if mode == _WRITTEN and isinstance(error, sqlite3.OperationalError) and _is_about_index(error):
                raise
            raise TapeError(_unreadable(path, error)) from None
        on_failure.pop_all()
    return connection


def checked_file(path: Path) -> Path:
    """The file itself, behind links. It is not opened: to close it would take this process's other locks on it. Raises
    TapeError where it is no file, or something else lies where its log should."""
    try:
        facts = os.stat(path)
        file = path.resolve()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        raise TapeError(f"There is no file {path}.") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise TapeError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if not stat.S_ISREG(facts.st_mode):
        raise TapeError(f"{path} is not a file; a tape is one file, written by `tapescope run`.")
    if facts.st_size == 0:
        raise TapeError(f"{path} is empty; it is not a tape; a tape is written by `tapescope run`.")
    for suffix in ("-wal", "-shm"):
        beside = _lstat(_beside(file, suffix))
        if beside is not None and not stat.S_ISREG(beside.st_mode):
            raise TapeError(f"{file}{suffix} is not a file; beside a tape lies its log or nothing of that name.")
    return file


def _mode(file: Path) -> str:
    """How to open it, by what lies beside it. A journal is never rolled back: ours are not left behind, and another's
    may name a file to be deleted."""
    log, index, journal = (_lstat(_beside(file, suffix)) for suffix in ("-wal", "-shm", "-journal"))
    if log is None:
        return _STILL
    if index is not None and journal is None:
        return _WRITTEN
    return _COPIED if log.st_size else _STILL


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _size(path: Path) -> int:
    """What it takes on the disk: a file may claim more."""
    facts = _lstat(path)
    if facts is None:
        return 0
    return min(facts.st_size, 512 * getattr(facts, "st_blocks", facts.st_size))


def _harden(connection: sqlite3.Connection) -> None:
    for category, limit in _LIMITS.items():
        connection.setlimit(category, limit)
    # Defensive mode and the like are out of reach of Python 3.11's sqlite3; there the authorizer alone must do.
    if hasattr(connection, "setconfig"):
        for name, value in (("DEFENSIVE", True), ("TRUSTED_SCHEMA", False), ("ENABLE_VIEW", False)):
            connection.setconfig(getattr(sqlite3, f"SQLITE_DBCONFIG_{name}"), value)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "temp_store=MEMORY", "query_only=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.set_authorizer(_authorize)


def _authorize(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """Reading our tables is all that is allowed."""
    is_allowed = (
        action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION)
        or (action == sqlite3.SQLITE_READ and first in _TABLES and trigger is None)
        or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS)
        or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS and (second is None or first == "quick_check"))
    )
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


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
        raise TapeError(f"{path} has no format; it is damaged or was altered. {REMEDY}")
    expected = schema.tables(version)
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema LIMIT 100").fetchall()
    if len(rows) != len(expected) or set(rows) != expected:
        raise TapeError(
            f"{path} does not have the tables of a tape of format {version}; it is damaged or was altered. {REMEDY}"
        )


def _has_writer(connection: sqlite3.Connection) -> bool:
    try:
        rows: Iterable[tuple[str, str]] = connection.execute("SELECT key, value FROM meta LIMIT 1000").fetchall()
        meta = dict(rows)
        return meta.get("state") == "live" and is_alive(int(meta["pid"]), meta["process_start"])
    except (sqlite3.Error, KeyError, ValueError, OverflowError):
        return False


def _unreadable(path: Path, error: Exception) -> str:
    """Why, in one sentence; the file is opened only now that nobody can have it open as a tape."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
            has_pages = os.fstat(file.fileno()).st_size % schema.PAGE_BYTES == 0
    except OSError as refusal:
        return f"{path} cannot be read: {refusal.strerror}."
    if head != _MAGIC:
        words = f"{path} is not a tape; a tape is written by `tapescope run`."
        return f"{words} If it was one, its beginning is destroyed: {REMEDY}" if has_pages else words
    return f"{path} cannot be read as a tape ({error}); it may be damaged. {REMEDY}"
