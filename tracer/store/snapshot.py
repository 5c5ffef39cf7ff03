"""Several queries that see one state of a tape, though it is being written."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from tracer.store.damage import DamageError

Row = tuple[Any, ...]

BEFORE_ALL = -(1 << 63)
"""No row has so low a key. Damage may make negative ones, which must be met to be noticed."""


@contextlib.contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """What is asked within it sees one state; within another it is a part of that."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:  # SQLite ends it by itself where the file is too damaged
            connection.execute("ROLLBACK")


def rows_after(connection: sqlite3.Connection, select: str, after: int, key: str = "id") -> Iterator[Row]:
    """Rows in order of their keys, which come first, from after `after`. Pages of a damaged file that lead to each
    other again would repeat keys."""
    for row in connection.execute(f"{select} WHERE {key} > ? ORDER BY {key}", (after,)):
        if row[0] <= after:
            raise DamageError("its rows are out of order")
        after = row[0]
        yield row
