"""Reading what is stored once and shared by many steps: structures, forward-only passes, source lines, layouts."""

import sqlite3
from collections.abc import Sequence

from tracer.model.structure import ModuleCall, SourceLine, Structure
from tracer.store.blobs import checksum, content
from tracer.store.damage import DamageError, compare
from tracer.store.encoding import decode_calls, decode_lines, decode_structure
from tracer.store.recent import Recent
from tracer.store.snapshot import Row, rows_after, snapshot

Ids = tuple[str, str]
"""The topology id and the shape id."""

_ROWS = "SELECT id, digest, topology_id, shape_id, size, base, kept, crc FROM structure"
_WITH_GRAPH = (
    "SELECT id, digest, topology_id, shape_id, size, base, kept, crc, data FROM structure LEFT JOIN graph USING (id)"
)
_FEW = 64
"""So many rows are read one by one rather than all there are."""

_KEPT_IDS = 4096
_STRUCTURES_BYTES = 24 << 20
_BASES_BYTES = 4 << 20
_OBJECTS_PER_BYTE = 12  # memory of a decoded structure, of one byte of its encoding


class StructureReader:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ids: Recent[int, Ids] = Recent(_KEPT_IDS)
        self._structures: Recent[int, Structure] = Recent(_STRUCTURES_BYTES)
        self._bases: Recent[int, bytes] = Recent(_BASES_BYTES)

    def ids(self, number: int) -> Ids:
        known = self._ids.get(number)
        if known is None:
            row = self._connection.execute(f"{_ROWS} WHERE id = ?", (number,)).fetchone()
            known = self._ids.put(number, _ids_of(row, number), 1)
        return known

    def all_ids(self, numbers: Sequence[int]) -> dict[int, Ids]:
        """Of many structures at once."""
        if len(numbers) <= _FEW:
            return {number: self.ids(number) for number in numbers}
        wanted = set(numbers)
        rows = rows_after(self._connection, _ROWS, min(wanted) - 1)
        found = {row[0]: _ids_of(row, row[0]) for row in rows if row[0] in wanted}
        if len(found) < len(wanted):
            raise DamageError(f"graph {min(wanted - found.keys())} is missing")
        return found

    def structure(self, number: int) -> Structure | None:
        """None where it was thinned out."""
        known = self._structures.get(number)
        if known is None:
            with snapshot(self._connection):
                data = self._bytes(number)
            if data is None:
                return None
            known = self._structures.put(number, decode_structure(data), _OBJECTS_PER_BYTE * len(data))
        return known

    def evaluation(self, number: int | None) -> tuple[ModuleCall, ...]:
        return () if number is None else decode_calls(self.content("evaluation", number))

    def lines(self, number: int) -> tuple[SourceLine | None, ...]:
        """Read anew each time: they may come after the structure."""
        with snapshot(self._connection):
            return () if self.lines_digest(number) is None else decode_lines(self.content("source", number))

    def lines_digest(self, number: int) -> bytes | None:
        row = self._connection.execute("SELECT digest FROM source WHERE id = ?", (number,)).fetchone()
        return None if row is None else bytes(row[0])

    def content(self, table: str, number: int) -> bytes:
        """The unpacked `data` of a row whose address and size are checked."""
        row = self._connection.execute(
            f"SELECT id, digest, size, crc, data FROM {table} WHERE id = ?", (number,)
        ).fetchone()
        if row is None:
            raise DamageError(f"row {number} of {table} is missing")
        *fields, crc, data = row
        compare(checksum(*fields), crc, f"row {number} of {table}")
        return content(fields[2], fields[1], data)

    def _bytes(self, number: int, *, is_base: bool = False) -> bytes | None:
        row = self._connection.execute(f"{_WITH_GRAPH} WHERE id = ?", (number,)).fetchone()
        _, digest, _, _, size, base, is_kept = _checked(row and row[:-1], number)
        if not is_kept:
            return None
        if row[-1] is None:
            raise DamageError(f"the content of graph {number} is missing")
        if is_base and base is not None:
            raise DamageError(f"graph {number}, which others lean on, leans itself")
        return content(size, digest, row[-1], b"" if base is None else self._base(base))

    def _base(self, number: int) -> bytes:
        known = self._bases.get(number)
        if known is None:
            data = self._bytes(number, is_base=True)
            if data is None:
                raise DamageError(f"graph {number}, which others lean on, is missing")
            known = self._bases.put(number, data, len(data))
        return known


def _checked(row: Row | None, number: int) -> Row:
    """The row of a structure but for its checksum."""
    if row is None:
        raise DamageError(f"graph {number} is missing")
    *fields, crc = row
    compare(checksum(*fields), crc, f"graph {number}")
    return tuple(fields)


def _ids_of(row: Row | None, number: int) -> Ids:
    fields = _checked(row, number)
    return fields[2], fields[3]
