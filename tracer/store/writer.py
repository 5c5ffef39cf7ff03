"""Writing a tape: the training thread appends records to a queue, one thread of ours commits them.

The training never waits for the disk. Where the disk is slower than the training, graphs and measurements are dropped
first (the step and its scalars stay), then steps, events never; gaps say so. A record that cannot be stored is dropped
alone.
"""

import contextlib
import json
import os
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from tracer.errors import TapeError
from tracer.model.records import Pass
from tracer.model.statistics import Statistics
from tracer.model.structure import ModuleCall, SourceLine, Structure
from tracer.store import schema
from tracer.store.chunks import ChunkWriter
from tracer.store.encoding import (
    address,
    checksum,
    compress,
    encode_calls,
    encode_layout,
    encode_lines,
    encode_structure,
    pack_statistics,
    storable,
)

COMMIT_SECS = 0.04
RETRY_SECS = 0.25
MAX_GRAPHS = 5_000
MAX_RECORDS = 200_000
_MAX_BATCH = 2_000
_KNOWN_STRUCTURES = 256  # a training whose every step differs must not keep them all
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
)
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


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """The source lines of a structure's nodes, in their order; they may come steps after the structure."""

    structure: StructureRecord
    lines: tuple[SourceLine | None, ...]


@dataclass(frozen=True, slots=True)
class StatisticsRecord:
    """The measurements of a step; from an accelerator they come after it closed."""

    step: int
    statistics: Statistics


Record = StepRecord | ScalarRecord | EventRecord | SourceRecord | StatisticsRecord


class Writer:
    """The one writing connection of a tape. `append` is called by the training thread, everything else happens on a
    thread of its own."""

    def __init__(self, path: Path, meta: Mapping[str, str]) -> None:
        """Create the file, replacing one of that name. Raises TapeError where that is not possible."""
        self.path = path
        self._queue: deque[Record] = deque()
        self._lost: list[tuple[int, str]] = []
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
            self._write(records)
            self._write_gaps(self._lost[:n_lost])
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._chunks.committed()
        del self._lost[:n_lost]

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled back by itself
            self._connection.execute("ROLLBACK")
        self._structures.clear()
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
            elif isinstance(record, SourceRecord):
                self._write_lines(record)
            elif isinstance(record, StatisticsRecord):
                self._write_statistics(record)
            else:
                events.append(_event_fields(record))
        self._connection.executemany("INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", steps)
        self._insert_numbered("event", events)
        self._chunks.write()

    def _write_gaps(self, lost: list[tuple[int, str]]) -> None:
        self._insert_numbered("gap", [(first, last, reason) for first, last, reason in _runs(lost)])

    def _insert_numbered(self, table: str, rows: list[tuple[object, ...]]) -> None:
        """Each row between its id and its checksum."""
        for number, row in enumerate(rows, self._next_id(table)):
            marks = ", ".join("?" * (len(row) + 2))
            self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", (number, *row, checksum(number, *row)))

    def _next_id(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])

    def _write_end(self, state: str) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._write_gaps(self._lost)
        steps, events, lines = (
            self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("step", "event", "source")
        )
        facts = {"state": state, "rows": f"{steps} {events} {self._chunks.n_values} {lines}"}
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", _meta_rows(facts))
        self._connection.execute("COMMIT")

    def _step_row(self, record: StepRecord) -> tuple[object, ...]:
        fields = (
            record.index,
            None if record.structure is None else self._structure_id(record.structure),
            self._evaluation_id(record.evaluated) if record.evaluated else None,
            storable(record.phase),
            None if record.optimizer is None else storable(record.optimizer),
            record.started_ns,
            record.duration_ns,
            record.level,
            json.dumps([{"kind": item.kind, "loss": item.loss, "count": item.count} for item in record.passes]),
        )
        return (*fields, checksum(*fields))

    def _structure_id(self, record: StructureRecord) -> int:
        known = self._structures.get(record)
        if known is None:
            ids = storable(record.topology_id), storable(record.shape_id)
            known = self._stored_once("structure", encode_structure(record.structure), ids)
            if len(self._structures) >= _KNOWN_STRUCTURES:
                del self._structures[next(iter(self._structures))]
            self._structures[record] = known
        return known

    def _evaluation_id(self, calls: tuple[ModuleCall, ...]) -> int:
        return self._stored_once("evaluation", encode_calls(calls), ())

    def _write_lines(self, record: SourceRecord) -> None:
        data = encode_lines(record.lines)
        fields = self._structure_id(record.structure), address(data), len(data)
        row = *fields, checksum(*fields), compress(data)
        self._connection.execute("INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?, ?)", row)

    def _write_statistics(self, record: StatisticsRecord) -> None:
        layout = self._stored_once("layout", encode_layout(record.statistics), ())
        data = pack_statistics(record.statistics)
        row = record.step, layout, checksum(record.step, layout, data), data
        self._connection.execute("INSERT OR REPLACE INTO statistics VALUES (?, ?, ?, ?)", row)

    def _stored_once(self, table: str, data: bytes, ids: tuple[str, ...]) -> int:
        """The id of the row with this content, which is added where there is none."""
        digest = address(data)
        row = self._connection.execute(f"SELECT id FROM {table} WHERE digest = ?", (digest,)).fetchone()
        if row is not None:
            return int(row[0])
        number = self._next_id(table)
        fields = (number, digest, *ids, len(data))
        marks = ", ".join("?" * (len(fields) + 2))
        self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", (*fields, checksum(*fields), compress(data)))
        return number

    def _warn(self, error: Exception, consequence: str = "the training goes on, recording waits") -> None:
        if self._has_warned:
            return
        self._has_warned = True
        text = f"tapescope: {self.path} cannot be written ({error}); {consequence}."
        with contextlib.suppress(OSError, ValueError):  # stderr may be closed
            print(text, file=sys.stderr)


def _create(path: Path, meta: Mapping[str, str]) -> sqlite3.Connection:
    with contextlib.ExitStack() as on_failure:
        try:
            draft = path.with_name(path.name + ".new")
            on_failure.callback(_remove, draft)
            _write_empty(draft, meta)
            _remove(path)
            draft.replace(path)  # nobody ever sees a file of that name that is not yet a tape
            on_failure.callback(_remove, path)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            on_failure.callback(connection.close)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint=256")
        except (sqlite3.Error, OSError, ValueError) as error:
            raise TapeError(f"Cannot create the tape {path}: {error}. Choose a place that can be written.") from None
        on_failure.pop_all()
    return connection


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _write_empty(path: Path, meta: Mapping[str, str]) -> None:
    """A complete tape without a step."""
    _remove(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={schema.PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={schema.FORMAT}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in (*schema.TABLES.values(), *schema.INDEXES.values()):
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?, ?)", _meta_rows(meta))
        connection.execute("COMMIT")


def _meta_rows(meta: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    for key, value in meta.items():
        row = key, storable(value)
        yield *row, checksum(*row)


def _event_fields(record: EventRecord) -> tuple[object, ...]:
    return storable(record.kind), record.step, record.time_ns, json.dumps(dict(record.data), default=str)


def _runs(lost: list[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    """Consecutive steps lost for one reason, as (first, last, reason)."""
    for (_, reason), run in groupby(
        enumerate(sorted(lost, key=itemgetter(1, 0))), lambda at: (at[1][0] - at[0], at[1][1])
    ):
        steps = [step for _, (step, _) in run]
        yield steps[0], steps[-1], reason
