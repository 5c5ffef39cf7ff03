"""Whether a row is what was written, by itself: its checksum, its digest, its length."""

import json
from collections.abc import Callable
from typing import Any

from tracer.store import schema
from tracer.store.blobs import checksum, content
from tracer.store.curves import unpack_chunk, unpack_summary
from tracer.store.damage import DAMAGE
from tracer.store.step_rows import unpack_block, unpack_step

Row = tuple[Any, ...]

# How the content of tables whose rows are alike begins.
_BEGINNINGS = {"evaluation": b'{"path":', "source": b'{"file":', "layout": b'{"tables":'}


def is_intact(version: int, table: str, row: Row) -> bool:
    """Of table `graph` no row can tell; it must fit the one of `structure`."""
    try:
        return bool(_CHECKS[version == schema.FORMAT][table](row))
    except DAMAGE:
        return False


def tables_like(version: int, row: Row) -> list[str]:
    """The tables that an intact row of unknown origin may be of."""
    return [table for table in _CHECKS[version == schema.FORMAT] if is_intact(version, table, row)]


def _last_is_crc(row: Row) -> bool:
    *fields, crc = row
    return bool(checksum(*fields) == crc)


def _is(*types: type) -> Callable[[Row], bool]:
    return lambda row: tuple(map(type, row)) == types and _last_is_crc(row)


def _event(row: Row) -> bool:
    return _is(int, str, int, int, str, int)(row) and isinstance(json.loads(row[4]), dict)


def _content(table: str) -> Callable[[Row], bool]:
    def check(row: Row) -> bool:
        number, digest, size, crc, data = row
        is_right = checksum(number, digest, size) == crc
        return is_right and content(size, digest, data).startswith(_BEGINNINGS[table])

    return check


def _graph(row: Row) -> bool:
    number, data = row
    return isinstance(number, int) and isinstance(data, bytes)


def _summary(row: Row) -> bool:
    return len(unpack_summary(row).bins().firsts) > 0


def _old_structure(row: Row) -> bool:
    *fields, crc, data = row
    return bool(checksum(*fields) == crc and content(fields[4], fields[1], data))


def _old_step(row: Row) -> bool:
    return len(row) == 10 and _last_is_crc(row) and isinstance(json.loads(row[8]), list)


def _old_chunk(row: Row) -> bool:
    _, scalar, first, n, crc, data = row
    return bool(checksum(scalar, first, n, data) == crc and len(data) == 16 * n)


def _old_statistics(row: Row) -> bool:
    step, layout, crc, data = row
    return isinstance(data, bytes) and checksum(step, layout, data) == crc


_ALIKE: dict[str, Callable[[Row], bool]] = {
    "meta": _is(str, str, int),
    "evaluation": _content("evaluation"),
    "source": _content("source"),
    "layout": _content("layout"),
    "scalar": _is(int, str, int),
    "gap": _is(int, int, int, str, int),
    "event": _event,
}
_NEW: dict[str, Callable[[Row], bool]] = {
    **_ALIKE,
    "structure": lambda row: len(row) == 8 and _last_is_crc(row),
    "graph": _graph,
    "step": lambda row: bool(unpack_step(row)),
    "late": _is(int, int, bytes, int),
    "block": lambda row: len(unpack_block(row)) > 0,
    "chunk": lambda row: len(unpack_chunk(row)[0]) > 0,
    "summary": _summary,
    "statistics": lambda row: type(row[4]) is bytes and checksum(*row[:3], row[4]) == row[3],
}
_OLD: dict[str, Callable[[Row], bool]] = {
    **_ALIKE,
    "structure": _old_structure,
    "step": _old_step,
    "chunk": _old_chunk,
    "statistics": _old_statistics,
}
_CHECKS = {True: _NEW, False: _OLD}
