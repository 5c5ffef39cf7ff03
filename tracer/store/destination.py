"""Where a new tape may be written."""

import contextlib
import importlib
import multiprocessing
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracer.errors import TapeError, UsageError
from tracer.store.heading import read_heading

_UNWRITABLE = "Cannot write the tape {}: {}. Choose a place that can be written."
_ADVICE = ", or begin recording after init_process_group, where each rank gets a tape of its own"
_PATIENCE_SECS = 5.0


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
        heading = read_heading(path)
    except TapeError:
        text = f"{path} exists and is not a tape; it is left as it is. Choose another name for the tape."
        raise UsageError(text) from None
    pid = heading.meta.get("pid", "")
    if heading.state == "live" and pid != str(os.getpid()):
        advice = "" if multiprocessing.parent_process() is None else _ADVICE
        raise UsageError(f"{path} is being written by process {pid}. Choose another name for the tape{advice}.")


@contextlib.contextmanager
def taking_turns(folder: Path) -> Iterator[None]:
    """Of several processes that are about to write a tape in this folder each looks at what is there, and makes its own
    file, before the next does. Without file locks (Windows, some network folders), and where one does not come to an
    end, nobody waits."""
    try:
        lock = importlib.import_module("fcntl")
        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        deadline = time.monotonic() + _PATIENCE_SECS
        while not _locked(lock, descriptor) and time.monotonic() < deadline:
            time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def _locked(lock: Any, descriptor: int) -> bool:
    """False while another process has it."""
    try:
        lock.flock(descriptor, lock.LOCK_EX | lock.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # there are no locks on this file system
        pass
    return True
