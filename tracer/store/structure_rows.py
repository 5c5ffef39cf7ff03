"""Storing each distinct structure once, small: what one of a kind has in common with another is not stored again."""

import sqlite3
from typing import Any

from tracer.store.blobs import address, checksum, deflated, storable
from tracer.store.encoding import encode_structure
from tracer.store.records import StructureRecord

KNOWN_STRUCTURES = 256  # a training whose every step differs must not keep them all
WORTHWHILE = 0.75
"""A structure is stored with another as its base where that makes it so much smaller; else it is the next base."""


class StructureRows:
    """The rows of `structure` and `graph`. Belongs to the writer's thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[StructureRecord, int] = {}
        self._base: tuple[int, bytes] | None = None

    def forget_all(self) -> None:
        """What was written since the last commit is undone."""
        self._numbers.clear()
        self._base = None

    def forget(self, number: int) -> None:
        """The bytes of a structure were taken out: none may lean on it, and where it comes again it is stored again."""
        self._numbers = {record: known for record, known in self._numbers.items() if known != number}
        if self._base is not None and self._base[0] == number:
            self._base = None

    def base(self, number: int) -> int | None:
        """The structure whose bytes another's lean on."""
        row = self._connection.execute("SELECT base FROM structure WHERE id = ?", (number,)).fetchone()
        return None if row is None else row[0]

    def number(self, record: StructureRecord) -> int:
        """The id of a structure, which is added where it is new."""
        known = self._numbers.get(record)
        if known is None:
            ids = storable(record.topology_id), storable(record.shape_id)
            known = self.number_of(encode_structure(record.structure), *ids)
            if len(self._numbers) >= KNOWN_STRUCTURES:
                del self._numbers[next(iter(self._numbers))]
            self._numbers[record] = known
        return known

    def number_of(self, data: bytes, topology_id: str, shape_id: str) -> int:
        """As `number`, of an encoded structure."""
        digest = address(data)
        row = self._connection.execute("SELECT * FROM structure WHERE digest = ?", (digest,)).fetchone()
        if row is not None:
            self._keep(row, data)
            return int(row[0])
        number = int(self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM structure").fetchone()[0])
        base, packed = self._pack(number, data)
        self._put((number, digest, topology_id, shape_id, len(data), base, 1), packed)
        return number

    def _keep(self, row: tuple[Any, ...], data: bytes) -> None:
        """One that was thinned and comes again is stored again, by itself."""
        *fields, _ = row
        if not fields[-1]:
            self._connection.execute("DELETE FROM structure WHERE id = ?", (fields[0],))
            self._put((*fields[:-2], None, 1), deflated(data))

    def _put(self, fields: tuple[Any, ...], packed: bytes) -> None:
        self._connection.execute("INSERT INTO structure VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*fields, checksum(*fields)))
        self._connection.execute("INSERT INTO graph VALUES (?, ?)", (fields[0], packed))

    def _pack(self, number: int, data: bytes) -> tuple[int | None, bytes]:
        """(base, deflated data)."""
        alone = deflated(data)
        if self._base is not None:
            base, dictionary = self._base
            together = deflated(data, dictionary)
            if len(together) <= WORTHWHILE * len(alone):
                return base, together
        self._base = number, data
        return None, alone
