"""What becomes of writers where the training process forks: the tape is the parent's.

A child that touches an SQLite connection of its parent's may hang or damage the file
(https://sqlite.org/howtocorrupt.html), and one that was forked while SQLite was at work may hang in SQLite at all.
"""

import contextlib
import ctypes
import os
import sqlite3
import threading

FORK_SECS = 0.25
"""A fork waits so long for a transaction to end, normally a millisecond or two; the disk may stand still."""


class Forkable:
    """Holds `in_sqlite` whenever it works with its connection."""

    def __init__(self) -> None:
        self.in_sqlite = threading.Lock()
        _living.append(self)

    def forked(self) -> None:
        """In the child, which has none of the parent's threads."""

    def ended(self) -> None:
        """Forks need not mind it any more."""
        with contextlib.suppress(ValueError):
            _living.remove(self)


_living: list[Forkable] = []
_held: list[threading.Lock] = []


def abandon(connection: sqlite3.Connection) -> None:
    """Never close it, also not when Python ends: nothing here may touch it any more."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _before() -> None:
    _held[:] = [writer.in_sqlite for writer in _living if writer.in_sqlite.acquire(timeout=FORK_SECS)]


def _after_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_in_child() -> None:
    _held.clear()
    while _living:
        _living.pop().forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
