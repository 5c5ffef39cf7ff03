"""Tapes of older formats: read as if they were of the present one, which a temporary copy is."""

import contextlib
import json
import sqlite3
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from tracer.model.records import Pass
from tracer.model.statistics import Statistics, Table
from tracer.store import measurements, schema
from tracer.store.blobs import checksum, content
from tracer.store.connection import open_read_only
from tracer.store.damage import DAMAGE, DamageError, compare, reading
from tracer.store.encoding import decode_layout
from tracer.store.facts_reader import FactsReader
from tracer.store.folding import write_block, write_chunk
from tracer.store.series import Series
from tracer.store.snapshot import BEFORE_ALL, Row, rows_after, snapshot
from tracer.store.step_rows import StepRow

_ALIKE = ("meta", "evaluation", "source", "layout", "scalar", "gap", "event")
_STEPS = "SELECT id, structure, evaluation, phase, optimizer, started_ns, duration_ns, level, passes, crc FROM step"
_BAD_CRC = -1


def open_tape(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection to a tape of the present format, and whether it is known to hold all that was recorded. An older one
    is copied as it is now; the copy goes with its connection. Raises TapeError."""
    connection = open_read_only(path)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(connection.close)
        with reading(path):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version < schema.FORMAT:
                with contextlib.closing(connection), snapshot(connection):
                    return migrated(connection, version), True
        on_failure.pop_all()
    return connection, False


def migrated(old: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """Raises DamageError, ValueError and their like where the old tape is damaged."""
    with contextlib.ExitStack() as on_failure:
        new = sqlite3.connect("", isolation_level=None)  # on disk where it is large, and nobody else's
        on_failure.callback(new.close)
        new.execute("BEGIN")
        for statement in schema.TABLES.values():
            new.execute(statement)
        for table in _ALIKE:
            if version > 1 or table not in schema.SINCE_2:
                _copy(old, new, table)
        n_steps, n_values = _copy_steps(old, new), _copy_values(old, new)
        _copy_structures(old, new)
        if version > 1:
            _copy_statistics(old, new)
        _check_rows(new, n_steps, n_values, version)
        new.execute("COMMIT")
        on_failure.pop_all()
    return new


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    """Rows that are as ever; they are checked when they are used."""
    rows = old.execute(f"SELECT * FROM {table}")
    marks = ", ".join("?" * len(rows.description))
    new.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _copy_structures(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    select = "SELECT id, digest, topology_id, shape_id, size, crc, data FROM structure"
    for *fields, crc, data in rows_after(old, select, BEFORE_ALL):
        compare(checksum(*fields), crc, f"graph {fields[0]}")
        row = *fields, None, 1
        new.execute("INSERT INTO structure VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, checksum(*row)))
        new.execute("INSERT INTO graph VALUES (?, ?)", (fields[0], data))


def _copy_steps(old: sqlite3.Connection, new: sqlite3.Connection) -> int:
    """How many."""
    n_steps = 0
    steps = (_step(row) for row in rows_after(old, _STEPS, BEFORE_ALL))
    while block := list(islice(steps, schema.BLOCK_STEPS)):
        write_block(new, block)
        n_steps += len(block)
    return n_steps


def _step(row: Row) -> StepRow:
    *fields, crc = row
    compare(checksum(*fields), crc, f"step {row[0]}")
    *facts, passes = fields
    return StepRow._make((*facts, tuple(Pass(**item) for item in json.loads(passes))))


def _copy_values(old: sqlite3.Connection, new: sqlite3.Connection) -> int:
    """How many there were, those that no longer count included."""
    n_values = 0
    for number, name in old.execute("SELECT id, name FROM scalar ORDER BY id").fetchall():
        series = _series(old, number, name)
        n_values += len(series)
        steps, values = series.arrays()
        for start in range(0, len(steps), schema.BLOCK_STEPS):
            end = start + schema.BLOCK_STEPS
            write_chunk(new, number, steps[start:end], values[start:end])
    return n_values


def _series(old: sqlite3.Connection, number: int, name: str) -> Series:
    """A chunk holds values from the `first`-th on; where chunks were merged while it was read, some come again."""
    series = Series()
    rows = old.execute("SELECT scalar, first, n, data, crc FROM chunk WHERE scalar = ? ORDER BY first, id", (number,))
    for scalar, first, n, data, crc in rows:
        compare(checksum(scalar, first, n, data), crc, f"a piece of {name!r}")
        n_known = len(series) - first
        if n_known < 0 or len(data) != 16 * n:
            raise DamageError(f"a piece of {name!r} is missing")
        steps, values = np.frombuffer(data, "<i8", n), np.frombuffer(data, "<f8", n, offset=8 * n)
        series.extend(steps[n_known:], values[n_known:])
    return series


def _copy_statistics(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """A row that is damaged stays so: it is refused when it is asked for."""

    @lru_cache(maxsize=16)
    def layout(number: int) -> bytes:
        *fields, crc, data = old.execute(
            "SELECT id, digest, size, crc, data FROM layout WHERE id = ?", (number,)
        ).fetchone()
        compare(checksum(*fields), crc, f"row {number} of layout")
        return content(fields[2], fields[1], data)

    for *fields, crc in rows_after(old, "SELECT id, layout, data, crc FROM statistics", BEFORE_ALL):
        step, number, data = fields
        try:
            compare(checksum(*fields), crc, f"the statistics of step {step}")
            size, packed = measurements.pack(_statistics(layout(number), data), is_deflated=False)
            row = step, number, size, checksum(step, number, size, packed), packed
        except DAMAGE:
            row = step, number, 0, _BAD_CRC, b""
        new.execute("INSERT INTO statistics VALUES (?, ?, ?, ?, ?)", row)


def _statistics(layout: bytes, data: bytes) -> Statistics:
    """From float64, little endian: the tables row by row, then the seconds of the operators."""
    heads, operators = decode_layout(layout)
    numbers = np.frombuffer(data, "<f8")
    tables, start = {}, 0
    for name, keys, columns in heads:
        end = start + len(keys) * len(columns)
        tables[name] = Table(keys, columns, numbers[start:end].reshape(len(keys), len(columns)))
        start = end
    if len(numbers) != start + len(operators):
        raise DamageError("measurements in it have not the length they claim")
    return Statistics(**tables, operators=operators, operator_secs=numbers[start:])


def _check_rows(new: sqlite3.Connection, n_steps: int, n_values: int, version: int) -> None:
    """A tape that was closed says how many steps, events, values and, since format 2, source lines it holds."""
    meta = FactsReader(new).meta()
    counts = [n_steps, _count(new, "event"), n_values, *([_count(new, "source")] if version > 1 else [])]
    if meta.get("state") != "live" and meta.get("rows", "").split() != [str(count) for count in counts]:
        raise DamageError("it does not hold all that was recorded")


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
