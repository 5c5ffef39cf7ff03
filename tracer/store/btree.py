"""Rows in the pages of SQLite's trees, found page by page; of a damaged page those that are whole."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tracer.store.blobs import MAX_BLOB_BYTES
from tracer.store.pages import Pages

Row = tuple[Any, ...]

TABLE_LEAF, INDEX_LEAF = 0x0D, 0x0A
_TABLE_INNER, _INDEX_INNER = 0x05, 0x02
_INNER = {TABLE_LEAF: _TABLE_INNER, INDEX_LEAF: _INDEX_INNER}
_INTS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes
_CELL_ERRORS = (IndexError, ValueError, struct.error, UnicodeError, OverflowError)


@dataclass(slots=True)
class Tree:
    """What was met on the way through a tree: its pages, and how many pages and cells could not be read."""

    pages: set[int] = field(default_factory=set)
    n_bad: int = 0


def tree_rows(pages: Pages, root: int, leaf: int, tree: Tree) -> Iterator[Row]:
    """The rows below a page, whose leaves are of kind `leaf`; no page twice."""
    waiting = [root]
    while waiting:
        number = waiting.pop()
        data = pages[number]
        start = 100 if number == 1 else 0
        kind = data[start] if data else 0
        if number in tree.pages or kind not in (leaf, _INNER[leaf]):
            tree.n_bad += 1
            continue
        tree.pages.add(number)
        if kind == leaf:
            yield from leaf_rows(pages, data, start, tree)
            continue
        children, keys = _children(pages, data, start, kind, tree)
        yield from keys
        waiting += reversed(children)


def leaf_rows(pages: Pages, data: bytes, start: int, tree: Tree) -> Iterator[Row]:
    """Of a leaf of a table each with its rowid before it, of a leaf of an index without."""
    for place in _places(data, start, 8, tree):
        try:
            yield _cell(pages, data, place, data[start])
        except _CELL_ERRORS:
            tree.n_bad += 1


def _children(pages: Pages, data: bytes, start: int, kind: int, tree: Tree) -> tuple[list[int], list[Row]]:
    children, keys = [], []
    for place in _places(data, start, 12, tree):
        children.append(int.from_bytes(data[place : place + 4], "big"))
        if kind == _INDEX_INNER:
            try:
                keys.append(_cell(pages, data, place + 4, INDEX_LEAF))
            except _CELL_ERRORS:
                tree.n_bad += 1
    children.append(int.from_bytes(data[start + 8 : start + 12], "big"))
    return children, keys


def _places(data: bytes, start: int, head_bytes: int, tree: Tree) -> list[int]:
    """Where the cells are."""
    n = int.from_bytes(data[start + 3 : start + 5], "big")
    first = start + head_bytes
    if first + 2 * n > len(data):
        tree.n_bad += 1
        n = 0
    places = struct.unpack_from(f">{n}H", data, first)
    found = [place for place in places if first + 2 * n <= place < len(data)]
    tree.n_bad += n - len(found)
    return found


def _cell(pages: Pages, data: bytes, place: int, kind: int) -> Row:
    size, place = _varint(data, place)
    rowid: tuple[int, ...] = ()
    if kind == TABLE_LEAF:
        number, place = _varint(data, place)
        rowid = (number - (1 << 64) if number >> 63 else number,)
    if size > MAX_BLOB_BYTES:
        raise ValueError("a cell claims more than there can be")
    return (*rowid, *_record(_payload(pages, data, place, size, kind)))


def _payload(pages: Pages, data: bytes, place: int, size: int, kind: int) -> bytes:
    usable = pages.usable_bytes
    most = usable - 35 if kind == TABLE_LEAF else (usable - 12) * 64 // 255 - 23
    if size <= most:
        here, left = size, 0
    else:
        least = (usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (usable - 4)
        here = here if here <= most else least
        left = size - here
    parts = [data[place : place + here]]
    following = int.from_bytes(data[place + here : place + here + 4], "big")
    while left > 0:
        page = pages[following]
        if not page:
            raise ValueError("a cell goes on where there is no page")
        parts.append(page[4 : min(4 + left, usable)])
        left -= len(parts[-1])
        following = int.from_bytes(page[:4], "big")
    payload = b"".join(parts)
    if len(payload) != size:
        raise ValueError("a cell is cut off")
    return payload


def _record(payload: bytes) -> Row:
    end, place = _varint(payload, 0)
    values, at = [], end
    while place < end:
        kind, place = _varint(payload, place)
        value, at = _value(payload, at, kind)
        values.append(value)
    if at != len(payload) or place != end:
        raise ValueError("a record has not its length")
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, at
    if kind in _INTS:
        end = at + _INTS[kind]
        value: Any = int.from_bytes(payload[at:end], "big", signed=True)
    elif kind == 7:
        end = at + 8
        (value,) = struct.unpack(">d", payload[at:end])
    elif kind in (8, 9):
        return kind - 8, at
    elif kind >= 12:
        end = at + (kind - 12) // 2
        value = payload[at:end] if kind % 2 == 0 else payload[at:end].decode()
    else:
        raise ValueError("no such type")
    if end > len(payload):
        raise ValueError("a record is cut off")
    return value, end


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """(value, place after it); up to nine bytes, seven bits each, eight in the last."""
    byte = data[place]
    if byte < 0x80:
        return byte, place + 1
    value = byte & 0x7F
    for at in range(place + 1, place + 8):
        byte = data[at]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + 1
    return value << 8 | data[place + 8], place + 9
