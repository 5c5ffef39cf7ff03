"""Writing a tape: the training thread appends records to a queue, one thread of ours commits them.

The training never waits for the disk. What the disk refuses waits in the queue (see `backlog`), and is written when it
can be. A record that cannot be stored is dropped alone. Where the file is taken away, recording ends.
"""

import contextlib
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from tracer.model.keep import Keep
from tracer.store.appender import Appender
from tracer.store.backlog import Backlog
from tracer.store.damage import DamageError
from tracer.store.ending import leave, leave_moved
from tracer.store.forks import Forkable, abandon
from tracer.store.log_sync import LogSync
from tracer.store.mounts import network_file_system
from tracer.store.new_tape import create, open_log
from tracer.store.records import EventRecord, Record, StepRecord
from tracer.store.transactions import transaction
from tracer.store.trouble import Trouble
from tracer.store.whereabouts import Whereabouts

COMMIT_SECS = 0.02
LOOK_SECS = 1.0
"""So often is looked whether the file is still there."""
CLOSE_SECS = 5.0
_GRACE_SECS = 2.0
_GAP_STEPS = 100_000
_BAD_RECORD = "it could not be stored"
_NETWORK = (
    "tapescope: {} lies on a network file system ({}), where looking at it from another machine while it is written "
    "may damage it; look from this machine only, or record to a local disk and copy the tape afterwards."
)
_REFUSED = (sqlite3.Error, MemoryError)
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


class Writer(Forkable):
    """The one writing connection of a tape. `append` is called by the training thread, everything else happens on a
    thread of its own. In a forked child it does nothing."""

    def __init__(self, path: Path, meta: Mapping[str, str], keep: Keep | None = None) -> None:
        """Create the file, replacing one of that name. Raises TapeError where that is not possible."""
        self.path = path
        self._backlog = Backlog()
        self._wake = threading.Event()
        self._committed = threading.Condition()
        self._end_state: str | None = None
        self._ends_by = 0.0
        self._is_ended = False
        self._trouble = Trouble(path)
        self._connection = create(path, meta)
        self._whereabouts = Whereabouts(path)
        self._appender = Appender(self._connection, keep)
        self._sync = LogSync(self._whereabouts.log)
        self._next_look = time.monotonic() + LOOK_SECS
        self._warn_of_network()
        super().__init__()
        self._thread = threading.Thread(target=self._run, name="tapescope-writer", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> None:
        """Queue a record, a microsecond; never blocks, never raises."""
        self._backlog.append(record)

    def flush(self, timeout_secs: float = 2.0) -> bool:
        """Wait until everything queued so far is committed; False if that took longer than `timeout_secs`."""
        with self._committed:
            self._wake.set()
            return self._committed.wait_for(lambda: self._backlog.is_empty or self._is_ended, timeout_secs)

    def close(self, state: str) -> None:
        """Commit the rest, mark the tape as `state` and leave one plain file. Where the disk stands still it is left to
        itself after some seconds."""
        self._ends_by = time.monotonic() + CLOSE_SECS
        self._end_state = state
        self._wake.set()
        self._thread.join(CLOSE_SECS + _GRACE_SECS)
        if self._thread.is_alive():
            abandon(self._connection)
            self._trouble.warn("the disk does not answer", "what was recorded last may be missing")
        self.ended()

    def forked(self) -> None:
        """In a child: nothing may touch the connection, wait for a thread that is not there, or fill a queue."""
        abandon(self._connection)
        self._backlog.stop()
        self._wake, self._committed = threading.Event(), threading.Condition()
        self._is_ended = True

    def _run(self) -> None:
        pause_secs = COMMIT_SECS
        while not self._is_ended:
            self._wake.wait(pause_secs)
            self._wake.clear()
            state = self._end_state
            pause_secs = self._write_waiting()
            if state is not None or time.monotonic() >= self._next_look:
                self._look()
            if state is not None and not self._is_ended:
                self._finish(state)
            with self._committed:
                self._committed.notify_all()

    def _write_waiting(self) -> float:
        """Write all that waits; how long to wait until the next time. What comes meanwhile can wait for that, but for
        the end: a transaction costs as much as several steps."""
        while self._backlog.has_work and not self._is_late:
            with self.in_sqlite:
                if not self._commit():
                    return self._trouble.next_pause()
                has_time = not self._fold_if_due() and not self._backlog.was_full
            if has_time and self._end_state is None:
                break
        return COMMIT_SECS

    @property
    def _is_late(self) -> bool:
        return self._end_state is not None and time.monotonic() > self._ends_by

    def _commit(self) -> bool:
        """Commit some of what waits. What the disk refuses is kept and tried again."""
        self._backlog.fill_batch()
        error = self._refusal()
        if error is not None and self._has_made_room():
            error = self._refusal()
        if error is not None:
            self._trouble.met(error, self._first_waiting())
            return False
        self._backlog.batch_written()
        if self._trouble.is_on:
            self._backlog.batch.append(self._trouble.over(self._backlog.last_step))
        return True

    def _fold_if_due(self) -> bool:
        """In a transaction of its own: what is in the batch shall not wait for it. What it fails of is no reason to
        lose anything."""
        if not self._appender.has_to_fold:
            return False
        try:
            with transaction(self._connection):
                self._appender.fold()
        except (*_REFUSED, *_UNSTORABLE, DamageError):
            self._appender.rolled_back()
            self._appender.put_off_folding()
        else:
            self._appender.committed()
            self._sync.committed()
        return True

    def _refusal(self) -> Exception | None:
        """Try to commit the batch; why that is not possible."""
        try:
            try:
                self._transact(self._backlog.batch)
            except _UNSTORABLE:
                self._commit_singly()
        except _REFUSED as error:
            return error
        return None

    def _has_made_room(self) -> bool:
        """On a full disk the log need not grow if what it has can be put into the tape: it begins anew."""
        with contextlib.suppress(sqlite3.Error):
            _, n_pages, n_moved = self._connection.execute("PRAGMA wal_checkpoint").fetchone()
            return bool(n_pages and n_pages == n_moved)
        return False

    def _commit_singly(self) -> None:
        while self._backlog.batch:
            record = self._backlog.batch[0]
            try:
                self._transact([record])
            except _UNSTORABLE as error:
                self._trouble.warn(f"{error}", "a record is left out")
                if isinstance(record, StepRecord):
                    self._backlog.losses.add(record.index, _BAD_RECORD)
            del self._backlog.batch[0]

    def _transact(self, records: list[Record]) -> None:
        """One transaction, all or nothing."""
        lost = self._backlog.losses.next(_GAP_STEPS)
        try:
            with transaction(self._connection):
                self._appender.write(records)
                self._appender.write_gaps(lost)
        except BaseException:
            self._appender.rolled_back()
            raise
        self._appender.committed()
        self._sync.committed()
        self._backlog.losses.written(len(lost))

    def _first_waiting(self) -> int:
        steps = (record.index for record in self._backlog.batch if isinstance(record, StepRecord))
        return next(steps, self._backlog.last_step)

    def _look(self) -> None:
        """See that the file is still there, and can be synced."""
        self._next_look = time.monotonic() + LOOK_SECS
        if self._sync.error is not None:
            self._trouble.warn(f"{self._sync.error}", "what was recorded may be lost if the power is cut")
        with self.in_sqlite:
            if not self._whereabouts.is_here:
                self._leave()
                return
            if not self._whereabouts.has_log:
                try:
                    self._renew_log()
                except _REFUSED as error:
                    self._trouble.met(error, self._first_waiting())

    def _renew_log(self) -> None:
        """Somebody deleted the files beside the tape, which readers need: have SQLite make new ones."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.execute("PRAGMA journal_mode=DELETE")
        open_log(self._connection)
        self._whereabouts.log_renewed()

    def _leave(self) -> None:
        """The file is not where it was: end the recording, and leave it readable where it is now."""
        place = self._whereabouts.elsewhere()
        where = "the file is gone" if place is None else f"the file was moved to {place}"
        self._trouble.warn(where, "the training goes on, recording has ended")
        self._is_ended = True
        try:
            self._write_end("closed", self._trouble.ended(f"{where}; recording ended", self._backlog.last_step))
            leave_moved(self._connection, self._whereabouts, place)
        except (*_REFUSED, OSError):  # what was committed is in the log, which stays
            self._sync.stop()
            self._connection.close()
        self._backlog.stop()

    def _finish(self, state: str) -> None:
        """Nothing more will come, and what the disk has not taken by now is lost."""
        self._is_ended = True
        over = (self._trouble.over(self._backlog.last_step),) if self._trouble.is_on else ()
        with self.in_sqlite:
            self._backlog.give_up()
            try:
                self._write_end(state, *over)
                leave(self._connection)
            except _REFUSED as error:
                self._trouble.warn(f"{error}", "what was recorded last may be missing")
                self._sync.stop()
                self._connection.close()

    def _write_end(self, state: str, *events: EventRecord) -> None:
        """The end of the tape, after whatever still waits."""
        while self._backlog.has_work:
            self._backlog.fill_batch()
            error = self._refusal()
            if error is not None:
                raise error
            self._backlog.batch_written()
        with transaction(self._connection):
            self._appender.write(events)
            self._appender.write_end(state)
        self._sync.committed()
        self._sync.stop()

    def _warn_of_network(self) -> None:
        kind = network_file_system(self.path)
        if kind is not None:
            print(_NETWORK.format(self.path, kind), file=sys.stderr)
