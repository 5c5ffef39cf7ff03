"""Bytes of structures, calls and values: columns in JSON, compressed; never pickle, sizes checked before unpacking."""

import json
import zlib
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.errors import TapeError
from tracer.model.structure import Edge, ModuleCall, Node, Structure

MAX_BLOB_BYTES = 256 << 20

_NODE = ("key", "kind", "op", "call", "module", "pass_index", "shapes", "dtype", "device", "opaque", "parameter")
_CALL = ("path", "class_name", "call", "parent", "training", "grad_enabled", "count")
_EDGE = ("source", "target", "output_nr", "input_nr")


def encode_structure(structure: Structure) -> bytes:
    """Uncompressed JSON: an object of columns, each distinct value of a column once."""
    return _to_json(
        {
            "nodes": _columns(structure.nodes, _NODE),
            "edges": _columns(structure.edges, _EDGE),
            "calls": _columns(structure.calls, _CALL),
            "unreached": structure.unreached,
        }
    )


def decode_structure(data: bytes) -> Structure:
    content = json.loads(data)
    nodes = _records(content["nodes"], _NODE)
    return Structure(
        tuple(Node(**{**row, "shapes": tuple(map(tuple, row["shapes"]))}) for row in nodes),
        tuple(Edge(**row) for row in _records(content["edges"], _EDGE)),
        tuple(ModuleCall(**row) for row in _records(content["calls"], _CALL)),
        tuple(content["unreached"]),
    )


def encode_calls(calls: Sequence[ModuleCall]) -> bytes:
    return _to_json(_columns(calls, _CALL))


def decode_calls(data: bytes) -> tuple[ModuleCall, ...]:
    return tuple(ModuleCall(**row) for row in _records(json.loads(data), _CALL))


def address(data: bytes) -> bytes:
    """The digest (16 bytes) under which equal content is stored once."""
    return blake2b(data, digest_size=16).digest()


def checksum(*parts: object) -> int:
    """CRC-32 over a row's fields in order; bytes as they are, everything else by its text."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part if isinstance(part, bytes) else f"\0{part}".encode(errors="surrogatepass"), crc)
    return crc


def storable(text: str) -> str:
    """The text, but for halves of surrogate pairs (Python's stand-ins for bytes it cannot read), which are spelled."""
    return text.encode(errors="backslashreplace").decode()


def compress(data: bytes) -> bytes:
    return zlib.compress(data, 6)


def decompress(data: bytes, size: int, digest: bytes) -> bytes:
    """Exactly `size` bytes with this address; refuses a blob that would unpack to more, before it does."""
    if not 0 <= size <= MAX_BLOB_BYTES:
        raise TapeError(
            f"A stored graph claims a size of {size} bytes, more than a tape can hold; the file is damaged."
        )
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(data, size + 1)
    if len(content) != size or address(content) != digest:
        raise TapeError("A stored graph does not unpack to what was packed; the file is damaged.")
    return content


def pack_values(steps: Sequence[int], values: Sequence[float]) -> bytes:
    """int64 steps, then float64 values, little endian, equally many."""
    return np.array(steps, "<i8").tobytes() + np.array(values, "<f8").tobytes()


def unpack_values(data: bytes, n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if len(data) != 16 * n:
        raise TapeError("A stored series has not the length it claims; the file is damaged.")
    steps = np.frombuffer(data, "<i8", n).astype(np.int64)
    return steps, np.frombuffer(data, "<f8", n, offset=8 * n).astype(np.float64)


def _columns(records: Sequence[Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: _column([getattr(record, name) for record in records]) for name in names}


def _column(values: list[Any]) -> dict[str, list[Any]]:
    distinct: dict[Any, int] = {}
    at = [distinct.setdefault((type(value), value), len(distinct)) for value in values]
    return {"values": [value for _, value in distinct], "at": at}


def _records(columns: dict[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    spread = [[columns[name]["values"][at] for at in columns[name]["at"]] for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*spread, strict=True)]


def _to_json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode()
