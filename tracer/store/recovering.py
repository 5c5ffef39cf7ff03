"""Structures whose rows are destroyed, made again of their graphs: a graph is right where it has the digest that an
index holds for its number."""

import sqlite3
import zlib
from collections.abc import Iterator, Mapping

from tracer.model.fingerprint import shape_id, topology_id
from tracer.store.blobs import MAX_BLOB_BYTES, address, checksum, dictionary
from tracer.store.damage import DAMAGE
from tracer.store.encoding import decode_structure

_LOST = "SELECT graph.id, data FROM graph LEFT JOIN structure USING (id) WHERE digest IS NULL ORDER BY graph.id"
_BASES = "SELECT id, size, data FROM structure JOIN graph USING (id) WHERE base IS NULL AND kept"
_HAS_DICTIONARY = 0x20  # in the second byte, https://www.rfc-editor.org/rfc/rfc1950


def recover(connection: sqlite3.Connection, digests: Mapping[int, bytes]) -> int:
    """How many. `digests` are those of structures by number, as an index has them."""
    lost = {
        number: data for number, data in connection.execute(_LOST).fetchall() if number in digests and len(data) > 6
    }
    if not lost:
        return 0
    bases = dict(_bases(connection))
    n_recovered = 0
    for number, data in sorted(
        lost.items(), key=lambda item: item[1][1] & _HAS_DICTIONARY
    ):  # those others lean on first
        base, content = _content(data, bases)
        if content is None or address(content) != digests[number]:
            continue
        if base is None:
            bases[zlib.adler32(dictionary(content))] = number, content
        n_recovered += _put(connection, number, content, base)
    return n_recovered


def _bases(connection: sqlite3.Connection) -> Iterator[tuple[int, tuple[int, bytes]]]:
    for number, size, data in connection.execute(_BASES).fetchall():
        content = _inflated(data, b"")
        if content is not None and len(content) == size:
            yield zlib.adler32(dictionary(content)), (number, content)


def _content(data: bytes, bases: Mapping[int, tuple[int, bytes]]) -> tuple[int | None, bytes | None]:
    """(base, unpacked data); zlib says by its checksum which dictionary it was packed with."""
    if not data[1] & _HAS_DICTIONARY:
        return None, _inflated(data, b"")
    base, content = bases.get(int.from_bytes(data[2:6], "big"), (None, b""))
    return base, None if base is None else _inflated(data, dictionary(content))


def _inflated(data: bytes, words: bytes) -> bytes | None:
    unpacker = zlib.decompressobj(zdict=words) if words else zlib.decompressobj()
    try:
        content = unpacker.decompress(data, MAX_BLOB_BYTES)
    except zlib.error:
        return None
    return content if unpacker.eof else None


def _put(connection: sqlite3.Connection, number: int, content: bytes, base: int | None) -> bool:
    """The ids are those that this version gives."""
    try:
        structure = decode_structure(content)
        topology = topology_id(structure)
        row = number, address(content), topology, shape_id(structure, topology), len(content), base, 1
    except DAMAGE:
        return False
    connection.execute("INSERT OR IGNORE INTO structure VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, checksum(*row)))
    return True
