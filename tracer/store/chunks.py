"""Appending scalars: a small row per commit, merged into rows of some 2,000 values: a long curve is few reads."""

import sqlite3

from tracer.store import schema
from tracer.store.encoding import checksum, pack_values, storable, unpack_values


class ChunkWriter:
    """Collects values by name and writes them within the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pending: dict[str, tuple[list[int], list[float]]] = {}
        self._ids: dict[str, int] = {}
        # scalar id -> (values written, first value not yet in a full chunk)
        self._ends: dict[int, tuple[int, int]] = {}
        self._committed: tuple[dict[str, int], dict[int, tuple[int, int]]] = ({}, {})

    @property
    def n_values(self) -> int:
        """Written so far, of all scalars."""
        return sum(end for end, _ in self._ends.values())

    def add(self, name: str, step: int, value: float) -> None:
        steps, values = self._pending.setdefault(storable(name), ([], []))
        steps.append(step)
        values.append(value)

    def write(self) -> None:
        for name, (steps, values) in self._pending.items():
            self._append(self._id(name), steps, values)
        self._pending.clear()

    def committed(self) -> None:
        """The transaction is on disk."""
        self._committed = dict(self._ids), dict(self._ends)

    def rolled_back(self) -> None:
        """The transaction is undone; its records will come again."""
        self._pending.clear()
        self._ids, self._ends = dict(self._committed[0]), dict(self._committed[1])

    def _id(self, name: str) -> int:
        if name not in self._ids:
            row = len(self._ids), name
            self._connection.execute("INSERT INTO scalar VALUES (?, ?, ?)", (*row, checksum(*row)))
            self._ids[name] = len(self._ids)
        return self._ids[name]

    def _append(self, scalar: int, steps: list[int], values: list[float]) -> None:
        end, loose = self._ends.get(scalar, (0, 0))
        self._insert(scalar, end, len(steps), pack_values(steps, values))
        end += len(steps)
        if end - loose >= schema.CHUNK_VALUES:
            self._merge(scalar, loose)
            loose = end
        self._ends[scalar] = end, loose

    def _merge(self, scalar: int, first: int) -> None:
        where = "FROM chunk WHERE scalar = ? AND first >= ?"
        rows = self._connection.execute(f"SELECT n, data {where} ORDER BY first", (scalar, first)).fetchall()
        parts = [unpack_values(data, n) for n, data in rows]
        steps = [step for part in parts for step in part[0].tolist()]
        values = [value for part in parts for value in part[1].tolist()]
        self._connection.execute(f"DELETE {where}", (scalar, first))
        self._insert(scalar, first, len(steps), pack_values(steps, values))

    def _insert(self, scalar: int, first: int, n: int, data: bytes) -> None:
        crc = checksum(scalar, first, n, data)
        self._connection.execute(
            "INSERT INTO chunk(scalar, first, n, crc, data) VALUES (?, ?, ?, ?, ?)", (scalar, first, n, crc, data)
        )
