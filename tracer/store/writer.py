"""Writing a tape: the training thread appends records to a queue, one thread of ours commits them.

The training never waits for the disk. Where the disk is slower than the training, graphs are dropped first (the step
and
its scalars stay), then steps (a gap says so), events never.
"""

import json
import os
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tracer.errors import TapeError
from tracer.model.records import Pass
from tracer.model.structure import ModuleCall, Structure
from tracer.store import schema
from tracer.store.chunks import ChunkWriter
from tracer.store.encoding import address, checksum, compress, encode_calls, encode_structure

COMMIT_SECS = 0.04
_RETRY_SECS = 0.25
_MAX_GRAPHS = 5_000
_MAX_STEPS = 200_000
_MAX_BATCH = 2_000
_kept_in_forks: list[sqlite3.Connection] = []


@dataclass(frozen=True, slots=True, eq=False)
class StructureRecord:
    """A structure with its ids; the same object stands for it in every step, so that it is encoded once."""

    structure: Structure
    topology_id: str
    shape_id: str


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as it closes. `evaluated` are the calls of the forward-only passes that preceded it."""

    index: int
    structure: StructureRecord | None
    evaluated: tuple[ModuleCall, ...]
    phase: str
    optimizer: str | None
    started_ns: int
    duration_ns: int
    level: str
    passes: tuple[Pass, ...]
    scalars: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ScalarRecord:
    """A value that came after its step had closed."""

    step: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened while step `step` was being formed."""

    kind: str
    step: int
    time_ns: int
    data: Mapping[str, Any]


Record = StepRecord | ScalarRecord | EventRecord


class Writer:
    """The one writing connection of a tape. `append` is called by the training thread, everything else happens on a
    thread of its own."""

    def __init__(self, path: Path, meta: Mapping[str, str]) -> None:
        """Create the file, replacing one of that name. Raises TapeError where that is not possible."""
        self.path = path
        self._queue: deque[Record] = deque()
        self._lost: list[int] = []
        self._batch: list[Record] = []
        self._structures: dict[StructureRecord, int] = {}
        self._pid = os.getpid()
        self._wake = threading.Event()
        self._committed = threading.Condition()
        self._closing = False
        self._has_warned = False
        self._connection = _create(path, meta)
        self._chunks = ChunkWriter(self._connection)
        self._thread = threading.Thread(target=self._run, name="tapescope-writer", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> None:
        """Queue a record, a microsecond; never blocks, never raises."""
        waiting = len(self._queue)
        if isinstance(record, StepRecord) and waiting > _MAX_GRAPHS:
            if waiting > _MAX_STEPS:
                self._lost.append(record.index)
                return
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
        try:
            self._connection.execute("UPDATE meta SET value = ? WHERE key = 'state'", (state,))
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            self._warn(error)
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
                time.sleep(_RETRY_SECS)

    def _commit(self) -> bool:
        """One transaction. What fails is kept and tried again."""
        while self._queue and len(self._batch) < _MAX_BATCH:
            self._batch.append(self._queue.popleft())
        known = len(self._structures)
        lost = len(self._lost)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._write(self._batch)
            self._write_gaps(self._lost[:lost])
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back(known)
            self._warn(error)
            return False
        self._chunks.committed()
        self._batch = []
        del self._lost[:lost]
        return True

    def _roll_back(self, known_structures: int) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._structures = dict(list(self._structures.items())[:known_structures])
        self._chunks.rolled_back()

    def _write(self, records: Iterable[Record]) -> None:
        steps, events = [], []
        for record in records:
            if isinstance(record, StepRecord):
                steps.append(self._step_row(record))
                for name, value in record.scalars.items():
                    self._chunks.add(name, record.index, value)
            elif isinstance(record, ScalarRecord):
                self._chunks.add(record.name, record.step, record.value)
            else:
                events.append(_event_row(record))
        self._connection.executemany("INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", steps)
        self._connection.executemany("INSERT INTO event(kind, step, time_ns, data, crc) VALUES (?, ?, ?, ?, ?)", events)
        self._chunks.write()

    def _write_gaps(self, lost: list[int]) -> None:
        if lost:
            row = (min(lost), max(lost), "the disk was slower than the training")
            self._connection.execute("INSERT INTO gap(first, last, reason) VALUES (?, ?, ?)", row)

    def _step_row(self, record: StepRecord) -> tuple[object, ...]:
        fields = (
            record.index,
            None if record.structure is None else self._structure_id(record.structure),
            self._evaluation_id(record.evaluated) if record.evaluated else None,
            record.phase,
            record.optimizer,
            record.started_ns,
            record.duration_ns,
            record.level,
            json.dumps([asdict(item) for item in record.passes]),
        )
        return (*fields, checksum(*fields))

    def _structure_id(self, record: StructureRecord) -> int:
        known = self._structures.get(record)
        if known is not None:
            return known
        data = encode_structure(record.structure)
        packed, digest = compress(data), address(data)
        self._connection.execute(
            "INSERT INTO structure(digest, topology_id, shape_id, size, crc, data) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (
                digest,
                record.topology_id,
                record.shape_id,
                len(data),
                checksum(record.topology_id, record.shape_id, packed),
                packed,
            ),
        )
        row = self._connection.execute("SELECT id FROM structure WHERE digest = ?", (digest,)).fetchone()
        self._structures[record] = row[0]
        return int(row[0])

    def _evaluation_id(self, calls: tuple[ModuleCall, ...]) -> int:
        data = encode_calls(calls)
        packed, digest = compress(data), address(data)
        self._connection.execute(
            "INSERT INTO evaluation(digest, size, crc, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (digest, len(data), checksum(packed), packed),
        )
        return int(self._connection.execute("SELECT id FROM evaluation WHERE digest = ?", (digest,)).fetchone()[0])

    def _warn(self, error: sqlite3.Error) -> None:
        if not self._has_warned:
            self._has_warned = True
            print(
                f"tapescope: {self.path} cannot be written ({error}); the training goes on, recording waits.",
                file=sys.stderr,
            )


def _create(path: Path, meta: Mapping[str, str]) -> sqlite3.Connection:
    try:
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA page_size={schema.PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={schema.FORMAT}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint=256")
        connection.execute("BEGIN IMMEDIATE")
        for statement in (*schema.TABLES.values(), *schema.INDEXES.values()):
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise TapeError(f"Cannot create the tape {path}: {error}. Choose a place that can be written.") from None
    return connection


def _event_row(record: EventRecord) -> tuple[object, ...]:
    fields = (record.kind, record.step, record.time_ns, json.dumps(dict(record.data), default=str))
    return (*fields, checksum(*fields))
