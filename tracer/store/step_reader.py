"""Reading steps, one or all of them: the newest are rows, the others stand in blocks."""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.model.step_table import NONE, Names, StepTable
from tracer.store.damage import DamageError
from tracer.store.recent import Recent
from tracer.store.snapshot import BEFORE_ALL, rows_after, snapshot
from tracer.store.step_rows import BLOCK_ROWS, STEP_ROWS, Block, StepRow, unpack_block, unpack_step
from tracer.store.structure_reader import StructureReader

_BLOCKS_BYTES = 4 << 20
_PLAIN = {"steps": "indices", "structures": "structures", "evaluations": "evaluations"}
_NAMED = ("phases", "optimizers", "levels")
_NS_PER_SEC = 1e9

Columns = dict[str, NDArray[Any]]


class StepReader:
    def __init__(self, connection: sqlite3.Connection, structures: StructureReader) -> None:
        self._connection = connection
        self._structures = structures
        self._blocks: Recent[int, Block] = Recent(_BLOCKS_BYTES)
        self._numbers: dict[int, tuple[int, int]] = {NONE: (NONE, NONE)}

    def end(self) -> int:
        """One more than the index of the last step; 0 where there is none."""
        row = self._connection.execute(f"{STEP_ROWS} ORDER BY id DESC LIMIT 1").fetchone()
        if row is not None:
            return unpack_step(row)[0].step + 1
        row = self._connection.execute(f"{BLOCK_ROWS} ORDER BY first DESC LIMIT 1").fetchone()
        return 0 if row is None else int(unpack_block(row).indices[-1]) + 1

    def find(self, index: int) -> StepRow | None:
        """As it is by now: a step that was stopped is written again."""
        row = self._connection.execute(f"{STEP_ROWS} WHERE id = ?", (index,)).fetchone()
        if row is not None:
            return unpack_step(row)[0]
        block = self._block(index)
        place = None if block is None else block.place(index)
        return None if block is None or place is None else block.step(place)

    def extend(self, table: StepTable, end: int) -> None:
        """Adds the steps below `end` that are not in the table yet, which all stand at its end."""
        last = int(table.column("steps")[-1]) if table else -1
        with snapshot(self._connection):
            parts = [*self._from_blocks(table.names, last, end), *self._from_rows(table.names, last, end)]
            if not parts:
                return
            columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            if np.any(np.diff(columns["steps"], prepend=last) <= 0):
                raise DamageError("its steps are out of order")
            columns |= self._ids(columns["structures"], table.names)
        durations = columns.pop("durations")
        table.extend(columns, durations)

    def started_ns(self, end: int) -> NDArray[np.int64]:
        """When each step below `end` began, (n,)."""
        with snapshot(self._connection):
            blocks = map(unpack_block, rows_after(self._connection, BLOCK_ROWS, BEFORE_ALL, "first"))
            parts = [block.started_ns[block.indices < end] for block in blocks]
            rows = [unpack_step(row)[0] for row in rows_after(self._connection, STEP_ROWS, BEFORE_ALL)]
        recent = np.array([row.started_ns for row in rows if row.step < end], np.int64)
        return np.concatenate([*parts, recent])

    def _block(self, index: int) -> Block | None:
        """The one that a step stands in, if in any."""
        row = self._connection.execute(
            "SELECT first FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", (index,)
        ).fetchone()
        if row is None:
            return None
        block = self._blocks.get(row[0])
        if block is None:
            block = unpack_block(self._connection.execute(f"{BLOCK_ROWS} WHERE first = ?", row).fetchone())
            self._blocks.put(row[0], block, 100 * len(block))
        return block

    def _from_blocks(self, names: Mapping[str, Names], last: int, end: int) -> Iterator[Columns]:
        newest = self._connection.execute("SELECT last FROM block ORDER BY first DESC LIMIT 1").fetchone()
        if newest is None or newest[0] <= last:
            return
        (first,) = self._connection.execute("SELECT min(first) FROM block WHERE last > ?", (last,)).fetchone()
        for row in rows_after(self._connection, BLOCK_ROWS, first - 1, "first"):
            if row[0] >= end:
                return
            block = unpack_block(row)
            some = slice(*np.searchsorted(block.indices, (last + 1, end)).tolist())
            part: Columns = {name: getattr(block, column)[some] for name, column in _PLAIN.items()}
            for name in _NAMED:
                numbers = np.array([names[name].number(text) for text in block.texts[name]])
                part[name] = numbers[getattr(block, name)[some]]
            yield _narrow(part) | {"durations": block.durations_ns[some] / _NS_PER_SEC}

    def _from_rows(self, names: Mapping[str, Names], last: int, end: int) -> Iterator[Columns]:
        rows = [unpack_step(row)[0] for row in rows_after(self._connection, STEP_ROWS, last)]
        rows = [row for row in rows if row.step < end]
        if rows:
            part: Columns = {
                "steps": np.array([row.step for row in rows], np.int64),
                "structures": np.array([NONE if row.structure is None else row.structure for row in rows], np.int64),
                "evaluations": np.array([NONE if row.evaluation is None else row.evaluation for row in rows], np.int64),
                "phases": np.array([names["phases"].number(row.phase) for row in rows]),
                "optimizers": np.array([names["optimizers"].number(row.optimizer) for row in rows]),
                "levels": np.array([names["levels"].number(row.level) for row in rows]),
            }
            yield _narrow(part) | {"durations": np.array([row.duration_ns for row in rows]) / _NS_PER_SEC}

    def _ids(self, structures: NDArray[Any], names: Mapping[str, Names]) -> Columns:
        """The topologies and shapes of structures, numbered in their order."""
        distinct, firsts, places = np.unique(structures, return_index=True, return_inverse=True)
        numbers: list[int] = distinct[np.argsort(firsts)].tolist()
        new = [number for number in numbers if number not in self._numbers]
        ids = self._structures.all_ids(new)
        for number in new:
            topology, shape = ids[number]
            self._numbers[number] = names["topologies"].number(topology), names["shapes"].number(shape)
        pairs = np.array([self._numbers[number] for number in distinct.tolist()])
        return {"topologies": pairs[places, 0], "shapes": pairs[places, 1]}


def _narrow(columns: Columns) -> Columns:
    """As the table keeps them. Raises OverflowError where a number has no room there."""
    narrow = {name: column.astype(StepTable.DTYPES[name]) for name, column in columns.items()}
    for name, column in columns.items():
        if not np.array_equal(column, narrow[name]):
            raise OverflowError(f"one of its {name} is out of range")
    return narrow
