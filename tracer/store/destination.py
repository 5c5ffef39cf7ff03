"""Where a new tape may be written."""

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

from tracer.errors import TapeError, UsageError
from tracer.store.connection import open_read_only
from tracer.store.liveness import is_alive

_UNWRITABLE = "Cannot write the tape {}: {}. Choose a place that can be written."


def free_name(stem: str) -> Path:
    """`stem.tape` in the working directory, numbered where that exists."""
    path, number = Path(f"{stem}.tape"), 2
    while path.exists():
        path, number = Path(f"{stem}-{number}.tape"), number + 1
    return path


def prepare(path: Path) -> None:
    """See that a tape can be written at `path` later. Leaves no file where there was none.

    Raises UsageError where the file could not be written, and where it would replace something that is not a tape.
    """
    check(path)
    is_new = not path.exists()
    try:
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise UsageError(_UNWRITABLE.format(path, error.strerror)) from None


def check(path: Path) -> None:
    """Raise UsageError where a tape at `path` would replace something that is not a tape, or a run still going on."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UsageError(_UNWRITABLE.format(path, getattr(error, "strerror", error))) from None
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path} exists and is not a file. Choose another name for the tape.")
    if status.st_size:
        _check_replaceable(path)


def _check_replaceable(path: Path) -> None:
    try:
        with contextlib.closing(open_read_only(path)) as tape:
            meta = dict(tape.execute("SELECT key, value FROM meta LIMIT 100").fetchall())
            is_live = meta["state"] == "live" and is_alive(int(meta["pid"]), meta["process_start"])
    except (TapeError, sqlite3.Error, KeyError, ValueError):
        text = f"{path} exists and is not a tape; it is left as it is. Choose another name for the tape."
        raise UsageError(text) from None
    if is_live and int(meta["pid"]) != os.getpid():
        raise UsageError(f"{path} is being written by process {meta['pid']}. Choose another name for the tape.")
