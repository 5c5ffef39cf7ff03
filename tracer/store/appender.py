"""Turning records into the rows of a tape, within the transactions of its writer."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from tracer.model.keep import Keep
from tracer.model.structure import ModuleCall
from tracer.store import measurements, schema
from tracer.store.allowance import Allowance
from tracer.store.blobs import address, checksum, deflated, storable
from tracer.store.encoding import encode_calls, encode_layout, encode_lines
from tracer.store.folding import fold
from tracer.store.new_tape import meta_rows
from tracer.store.records import EventRecord, Record, ScalarRecord, SourceRecord, StatisticsRecord, StepRecord
from tracer.store.step_rows import STEP_ROWS, Row, StepRow, pack_ids, pack_scalars, pack_step, unpack_step
from tracer.store.structure_rows import StructureRows
from tracer.store.thinning import Thinner

_KNOWN_LAYOUTS = 16
_KNOWN_NAMES = 64

LOST_TO_DAMAGE = "lost to damage"
DEFLATING_SHARE = 0.005
"""So much of one core's time may go into making measurements smaller; of fast trainings most stay as they are."""


class Appender:
    """Belongs to the writer's thread. Transactions are the writer's: it says how each one ended."""

    def __init__(self, connection: sqlite3.Connection, keep: Keep | None = None) -> None:
        """With `keep` the tape is kept small (see `thinning`)."""
        self._connection = connection
        self._structures = StructureRows(connection)
        self._thinner = None if keep is None else Thinner(connection, keep, self._structures)
        self._deflating = Allowance(DEFLATING_SHARE)
        self._scalars: dict[str, int] = {}
        self._ids: dict[tuple[str, ...], bytes] = {}
        self._layouts: dict[object, int] = {}
        self._last_layout: tuple[object, int] | None = None
        self._late = 0
        self._last_step = -1
        self._n_young = 0
        self._new: list[Row] = []
        self._measured: list[tuple[object, ...]] = []

    def committed(self) -> None:
        """The transaction is on disk."""
        if self._thinner is not None:
            self._thinner.committed()

    def rolled_back(self) -> None:
        """The transaction is undone; its records will come again. What is known of the tables is read again."""
        self._structures.forget_all()
        if self._thinner is not None:
            self._thinner.rolled_back()
        self._new.clear()
        self._measured.clear()
        self._ids.clear()
        self._layouts.clear()
        self._last_layout = None
        self._scalars = dict(self._connection.execute("SELECT name, id FROM scalar").fetchall())
        self._last_step, self._n_young = self._connection.execute(
            "SELECT coalesce(max(id), (SELECT max(last) FROM block), -1), count(*) FROM step"
        ).fetchone()

    def write(self, records: Iterable[Record]) -> None:
        """Raises sqlite3.Error where the disk refuses, other errors where a record cannot be stored."""
        events = []
        for record in records:
            if isinstance(record, StepRecord):
                self._write_step(record)
            elif isinstance(record, ScalarRecord):
                self._write_late(record.step, {record.name: record.value})
            elif isinstance(record, SourceRecord):
                self._write_lines(record)
            elif isinstance(record, StatisticsRecord):
                self._write_statistics(record)
            else:
                events.append(_event_fields(record))
        self._insert_steps()
        self._connection.executemany("INSERT OR REPLACE INTO statistics VALUES (?, ?, ?, ?, ?)", self._measured)
        self._measured.clear()
        self._insert_numbered("event", events)
        if self._thinner is not None:
            self._thinner.thin()

    @property
    def has_to_fold(self) -> bool:
        """So many steps are rows of their own that a block can be made of the oldest."""
        return self._n_young >= schema.BLOCK_STEPS + schema.YOUNG_STEPS

    def fold(self) -> None:
        """Make a block of the oldest steps, which takes as long as many commits of new ones. Raises as `write` does,
        and DamageError where the disk changed what was written."""
        n_rows, damaged = fold(self._connection)
        self._n_young -= n_rows
        self.write_gaps([(step, LOST_TO_DAMAGE) for step in damaged])

    def put_off_folding(self) -> None:
        """Until there is another block of steps; these stay rows of their own."""
        self._n_young -= schema.BLOCK_STEPS

    def write_gaps(self, lost: list[tuple[int, str]]) -> None:
        """Steps that were not recorded, or not wholly, and why."""
        self._insert_numbered("gap", [(first, last, reason) for first, last, reason in _runs(lost)])

    def write_end(self, state: str) -> None:
        """The last words of a tape: how the run ended, and how much was recorded."""
        facts = {"state": state, "rows": schema.count_rows(self._connection)}
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", meta_rows(facts))

    def _write_step(self, record: StepRecord) -> None:
        """A step that was stopped comes a second time, complete, with the scalars that are new: they came late."""
        comes_again = record.index <= self._last_step
        step = StepRow(
            record.index,
            None if record.structure is None else self._structures.number(record.structure),
            self._evaluation_id(record.evaluated) if record.evaluated else None,
            storable(record.phase),
            None if record.optimizer is None else storable(record.optimizer),
            record.started_ns,
            record.duration_ns,
            record.level,
            record.passes,
        )
        if self._thinner is not None:
            self._thinner.note_step(step.step, step.structure)
        if not comes_again:
            self._new.append(pack_step(step, self._packed(record.scalars)))
            self._last_step, self._n_young = record.index, self._n_young + 1
            return
        self._insert_steps()
        known = self._connection.execute(f"{STEP_ROWS} WHERE id = ?", (record.index,)).fetchone()
        if known is not None:  # else it was lost the first time, or is no longer among the newest
            row = pack_step(step, unpack_step(known)[1])
            self._connection.execute("REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        if record.scalars:
            self._write_late(record.index, record.scalars)

    def _insert_steps(self) -> None:
        self._connection.executemany("INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._new)
        self._new.clear()

    def _write_late(self, step: int, scalars: Mapping[str, float]) -> None:
        self._late += 1
        row = self._late, step, self._packed(scalars)
        self._connection.execute("INSERT INTO late VALUES (?, ?, ?, ?)", (*row, checksum(*row)))

    def _packed(self, scalars: Mapping[str, float]) -> bytes:
        """Most steps of a run have the same scalars."""
        names = tuple(scalars)
        ids = self._ids.get(names)
        if ids is None:
            ids = self._ids[names] = pack_ids([self._scalar_id(name) for name in names])
            if len(self._ids) > _KNOWN_NAMES:
                del self._ids[next(iter(self._ids))]
        return pack_scalars(ids, scalars.values())

    def _scalar_id(self, name: str) -> int:
        number = self._scalars.get(name)
        if number is None:
            stored = storable(name)
            number = self._scalars.get(stored)
            if number is None:
                number = len(set(self._scalars.values()))
                row = number, stored
                self._connection.execute("INSERT INTO scalar VALUES (?, ?, ?)", (*row, checksum(*row)))
            self._scalars[name] = self._scalars[stored] = number
        return number

    def _insert_numbered(self, table: str, rows: list[tuple[object, ...]]) -> None:
        """Each row between its id and its checksum."""
        for number, row in enumerate(rows, self._next_id(table)) if rows else ():
            marks = ", ".join("?" * (len(row) + 2))
            self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", (number, *row, checksum(number, *row)))

    def _next_id(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])

    def _evaluation_id(self, calls: tuple[ModuleCall, ...]) -> int:
        return self._stored_once("evaluation", encode_calls(calls))

    def _write_lines(self, record: SourceRecord) -> None:
        data = encode_lines(record.lines)
        fields = self._structures.number(record.structure), address(data), len(data)
        row = *fields, checksum(*fields), deflated(data)
        self._connection.execute("INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?, ?)", row)

    def _write_statistics(self, record: StatisticsRecord) -> None:
        layout = self._layout_id(record)
        with self._deflating as is_allowed:
            size, data = measurements.pack(record.statistics, is_deflated=is_allowed)
        self._measured.append((record.step, layout, size, checksum(record.step, layout, size, data), data))
        if self._thinner is not None:
            self._thinner.note_statistics(record.step)

    def _layout_id(self, record: StatisticsRecord) -> int:
        """Of the steps of a run most have one of a few layouts, told apart by what they are made of, not by bytes."""
        statistics = record.statistics
        tables = (statistics.calls, statistics.parameters, statistics.nodes)
        key = (*((table.keys, table.columns) for table in tables), statistics.operators)
        if self._last_layout is not None and self._last_layout[0] == key:  # mostly the same objects: soon compared
            return self._last_layout[1]
        number = self._layouts.get(key)
        if number is None:
            number = self._layouts[key] = self._stored_once("layout", encode_layout(statistics))
            if len(self._layouts) > _KNOWN_LAYOUTS:
                del self._layouts[next(iter(self._layouts))]
        self._last_layout = key, number
        return number

    def _stored_once(self, table: str, data: bytes) -> int:
        """The id of the row with this content, which is added where there is none."""
        digest = address(data)
        row = self._connection.execute(f"SELECT id FROM {table} WHERE digest = ?", (digest,)).fetchone()
        if row is not None:
            return int(row[0])
        fields = self._next_id(table), digest, len(data)
        self._connection.execute(
            f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", (*fields, checksum(*fields), deflated(data))
        )
        return fields[0]


def _event_fields(record: EventRecord) -> tuple[object, ...]:
    return storable(record.kind), record.step, record.time_ns, json.dumps(dict(record.data), default=str)


def _runs(lost: list[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    """Consecutive steps lost for one reason, as (first, last, reason)."""
    for (_, reason), run in groupby(
        enumerate(sorted(lost, key=itemgetter(1, 0))), lambda at: (at[1][0] - at[0], at[1][1])
    ):
        steps = [step for _, (step, _) in run]
        yield steps[0], steps[-1], reason
