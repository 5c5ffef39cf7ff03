"""Turning records into the rows of a tape, within the transactions of its writer."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from tracer.model.structure import ModuleCall
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
from tracer.store.new_tape import meta_rows
from tracer.store.records import (
    EventRecord,
    Record,
    ScalarRecord,
    SourceRecord,
    StatisticsRecord,
    StepRecord,
    StructureRecord,
)

_KNOWN_STRUCTURES = 256  # a training whose every step differs must not keep them all


class Appender:
    """Belongs to the writer's thread. Transactions are the writer's: it says how each one ended."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._structures: dict[StructureRecord, int] = {}
        self._chunks = ChunkWriter(connection)

    def committed(self) -> None:
        """The transaction is on disk."""
        self._chunks.committed()

    def rolled_back(self) -> None:
        """The transaction is undone; its records will come again."""
        self._structures.clear()
        self._chunks.rolled_back()

    def write_end(self, state: str) -> None:
        """The last words of a tape: how the run ended, and how much was recorded."""
        steps, events, lines = (
            self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("step", "event", "source")
        )
        facts = {"state": state, "rows": f"{steps} {events} {self._chunks.n_values} {lines}"}
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", meta_rows(facts))

    def write(self, records: Iterable[Record]) -> None:
        """Raises sqlite3.Error where the disk refuses, other errors where a record cannot be stored."""
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

    def write_gaps(self, lost: list[tuple[int, str]]) -> None:
        """Steps that were not recorded, or not wholly, and why."""
        self._insert_numbered("gap", [(first, last, reason) for first, last, reason in _runs(lost)])

    def _insert_numbered(self, table: str, rows: list[tuple[object, ...]]) -> None:
        """Each row between its id and its checksum."""
        for number, row in enumerate(rows, self._next_id(table)):
            marks = ", ".join("?" * (len(row) + 2))
            self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", (number, *row, checksum(number, *row)))

    def _next_id(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])

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


def _event_fields(record: EventRecord) -> tuple[object, ...]:
    return storable(record.kind), record.step, record.time_ns, json.dumps(dict(record.data), default=str)


def _runs(lost: list[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    """Consecutive steps lost for one reason, as (first, last, reason)."""
    for (_, reason), run in groupby(
        enumerate(sorted(lost, key=itemgetter(1, 0))), lambda at: (at[1][0] - at[0], at[1][1])
    ):
        steps = [step for _, (step, _) in run]
        yield steps[0], steps[-1], reason
