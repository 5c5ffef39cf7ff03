"""The transactions of the one writing connection, and when their log is synced to the disk.

A committed transaction survives the end of the process, however it ends: it is in the system's hands. For a power cut
the log has to be synced. In WAL mode SQLite does so at checkpoints (synchronous=NORMAL), which of a slow run come once
in hours, or at each commit (FULL), which costs a wait for the disk each time. Here one commit a second is FULL: it
syncs all of the log before it as well. The setting may change between transactions, never within one
(https://sqlite.org/pragma.html#pragma_synchronous).
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator

from tracer.store import schema

SYNC_SECS = 1.0


class Transactions:
    """Belongs to the writer's thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last_sync = -SYNC_SECS
        self._is_synced = True

    @contextlib.contextmanager
    def transaction(self, is_synced: bool = False) -> Iterator[None]:
        """All or nothing, synced where that is due or asked for."""
        with self._synced() if is_synced or self._is_due else contextlib.nullcontext():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
                self._is_synced = False
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise

    def sync(self) -> None:
        """For when nothing more comes: sync what was committed."""
        with self._synced():
            # What the file has there already: a commit that changes nothing would not be logged, nor synced.
            self._connection.execute(f"PRAGMA user_version={schema.FORMAT}")

    @property
    def is_sync_due(self) -> bool:
        """Whether what was committed last has waited for long enough."""
        return not self._is_synced and self._is_due

    @property
    def _is_due(self) -> bool:
        return time.monotonic() >= self._last_sync + SYNC_SECS

    @contextlib.contextmanager
    def _synced(self) -> Iterator[None]:
        self._connection.execute("PRAGMA synchronous=FULL")
        try:
            yield
            self._is_synced, self._last_sync = True, time.monotonic()
        finally:
            self._connection.execute("PRAGMA synchronous=NORMAL")
