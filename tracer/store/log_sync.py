"""Syncing the log of a tape to the disk, once a second, in a thread of its own.

A committed transaction survives the end of the process, however it ends: it is in the system's hands. For a power cut
the log has to be synced. In WAL mode SQLite does that at checkpoints (synchronous=NORMAL), which of a slow run come
once in hours, or at each commit (FULL): there what comes meanwhile would wait in memory, for as long as the disk takes,
and be lost if the process were killed. The log may be opened and closed here: SQLite's locks are on the tape and on its
-shm file (https://sqlite.org/wal.html, https://sqlite.org/lockingv3.html).
"""

import os
import threading
from pathlib import Path

SYNC_SECS = 1.0
_LAST_SECS = 2.0


class LogSync:
    """`committed` and `stop` are called by the writer's thread."""

    def __init__(self, log: Path) -> None:
        self.error: OSError | None = None
        """Why the log cannot be synced."""
        self._log = log
        self._is_due = False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tapescope-sync", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """There is something to sync."""
        self._is_due = True

    def stop(self) -> None:
        """Sync what is left; a disk that stands still is not waited for."""
        self._is_over.set()
        self._thread.join(_LAST_SECS)

    def _run(self) -> None:
        while not self._is_over.wait(SYNC_SECS):
            self._sync()
        self._sync()

    def _sync(self) -> None:
        if not self._is_due:
            return
        self._is_due = False  # before: what is committed from here on may not be synced here
        try:
            file = os.open(self._log, os.O_RDWR)
            try:
                os.fsync(file)
            finally:
                os.close(file)
        except FileNotFoundError:  # somebody took it away; the writer sees to that
            pass
        except OSError as error:
            self.error, self._is_due = error, True
