"""Writing a tape: the training thread appends records to a queue, one thread of ours commits them.

The training never waits for the disk. Where the disk is slower than the training, graphs and measurements are dropped
first (the step and its scalars stay), then steps, events never; gaps say so. A record that cannot be stored is dropped
alone.
"""

import contextlib
import os
import sqlite3
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tracer.model.keep import Keep
from tracer.store.appender import Appender
from tracer.store.new_tape import create
from tracer.store.records import EventRecord, Record, StatisticsRecord, StepRecord

COMMIT_SECS = 0.04
RETRY_SECS = 0.25
MAX_GRAPHS = 5_000
MAX_RECORDS = 200_000
_MAX_BATCH = 2_000
_SLOW = "the disk was slower than the training"
_NO_GRAPH = f"without graph: {_SLOW}"
_NO_STATISTICS = f"without statistics: {_SLOW}"
_BAD_RECORD = "it could not be stored"
# What a record itself is to blame for; every other sqlite3.Error is the disk's.
_UNSTORABLE = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
_kept_in_forks: list[sqlite3.Connection] = []


class Writer:
    """The one writing connection of a tape. `append` is called by the training thread, everything else happens on a
    thread of its own."""

    def __init__(self, path: Path, meta: Mapping[str, str], keep: Keep | None = None) -> None:
        """Create the file, replacing one of that name. Raises TapeError where that is not possible."""
        self.path = path
        self._queue: deque[Record] = deque()
        self._lost: list[tuple[int, str]] = []
        self._batch: list[Record] = []
        self._pid = os.getpid()
        self._wake = threading.Event()
        self._committed = threading.Condition()
        self._closing = False
        self._has_warned = False
        self._connection = create(path, meta)
        self._appender = Appender(self._connection, keep)
        self._thread = threading.Thread(target=self._run, name="tapescope-writer", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> None:
        """Queue a record, a microsecond; never blocks, never raises."""
        waiting = len(self._queue)
        if waiting > MAX_GRAPHS and not isinstance(record, EventRecord):
            if isinstance(record, StatisticsRecord):
                self._lost.append((record.step, _NO_STATISTICS))
                return
            if waiting > MAX_RECORDS:
                if isinstance(record, StepRecord):
                    self._lost.append((record.index, _SLOW))
                return
            if isinstance(record, StepRecord) and record.structure is not None:
                self._lost.append((record.index, _NO_GRAPH))
                record = replace(record, structure=None, evaluated=())
        self._queue.append(record)

    def flush(self, timeout_secs: float = 2.0) -> bool:
        """Wait until everything queued so far is committed; False if that took longer than `timeout_secs`."""
        with self._committed:
            self._wake.set()
            return self._committed.wait_for(lambda: not self._queue and not self._batch, timeout_secs)

    def close(self, state: str) -> None:
        """Commit the rest, mark the tape as `state` and leave one plain file. A forked child's close does nothing."""
        if os.getpid() != self._pid:
            _kept_in_forks.append(self._connection)
            return
        self._closing = True
        self._wake.set()
        self._thread.join()
        left = (record for record in (*self._batch, *self._queue) if isinstance(record, StepRecord))
        self._lost += [(record.index, _SLOW) for record in left]
        try:
            self._write_end(state)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            self._warn(error)
        with contextlib.suppress(sqlite3.Error):  # a reader is still there: the log stays beside the tape, empty
            self._connection.execute("PRAGMA journal_mode=DELETE")
        self._connection.close()

    def _run(self) -> None:
        while True:
            self._wake.wait(COMMIT_SECS)
            self._wake.clear()
            is_last = self._closing
            has_failed = False
            while (self._queue or self._batch or self._lost) and not has_failed:
                has_failed = not self._commit()
            with self._committed:
                self._committed.notify_all()
            if is_last:
                return
            if has_failed:
                time.sleep(RETRY_SECS)

    def _commit(self) -> bool:
        """Commit some of the queue. What the disk refuses is kept and tried again."""
        while self._queue and len(self._batch) < _MAX_BATCH:
            self._batch.append(self._queue[0])  # before it leaves the queue: `flush` must find it in one of the two
            self._queue.popleft()
        try:
            try:
                self._transact(self._batch)
                self._batch = []
            except _UNSTORABLE:
                self._commit_singly()
        except sqlite3.Error as error:
            self._warn(error)
            return False
        return True

    def _commit_singly(self) -> None:
        while self._batch:
            record = self._batch[0]
            try:
                self._transact([record])
            except _UNSTORABLE as error:
                self._warn(error, "a record is left out")
                if isinstance(record, StepRecord):
                    self._lost.append((record.index, _BAD_RECORD))
            del self._batch[0]

    def _transact(self, records: list[Record]) -> None:
        """One transaction, all or nothing."""
        n_lost = len(self._lost)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._appender.write(records)
            self._appender.write_gaps(self._lost[:n_lost])
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._appender.committed()
        del self._lost[:n_lost]

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled back by itself
            self._connection.execute("ROLLBACK")
        self._appender.rolled_back()

    def _write_end(self, state: str) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._appender.write_gaps(self._lost)
        self._appender.write_end(state)
        self._connection.execute("COMMIT")

    def _warn(self, error: Exception, consequence: str = "the training goes on, recording waits") -> None:
        if self._has_warned:
            return
        self._has_warned = True
        text = f"tapescope: {self.path} cannot be written ({error}); {consequence}."
        with contextlib.suppress(OSError, ValueError):  # stderr may be closed
            print(text, file=sys.stderr)
