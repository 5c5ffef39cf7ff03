"""Columns of numbers as bytes: exact, small, and checked before anything is allocated."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.store.blobs import deflated, inflated
from tracer.store.damage import DamageError
from tracer.store.parsing import parsed

MAX_PACKED_BYTES = 16 << 20

_HEAD_BYTES = 4
# How a column is kept: int64 as differences; float64, as float32 where that is exact.
_DTYPES: dict[str, np.dtype[Any]] = {"i": np.dtype("<i8"), "d": np.dtype("<f8"), "f": np.dtype("<f4")}
_LEVEL = 1  # of zlib: more costs three times the time and saves a few per cent

Array = NDArray[Any]


def pack(header: object, arrays: Sequence[Array]) -> tuple[int, bytes]:
    """(size, data): JSON, then the arrays, int64 or float64, each (n,); deflated from `size` bytes."""
    kinds, parts = [], []
    for array in arrays:
        kind, kept = _narrowed(array)
        kinds.append((kind, len(array)))
        parts.append(shuffled(kept))
    head = json.dumps([header, kinds], separators=(",", ":")).encode()
    content = b"".join((len(head).to_bytes(_HEAD_BYTES, "little"), head, *parts))
    return len(content), deflated(content, level=_LEVEL)


def unpack(size: int, data: bytes, kinds: str | None = None) -> tuple[Any, list[Array]]:
    """What was packed: an array for each letter of `kinds`, where it is given, "i" for int64 and "d" for float64.
    Raises DamageError, ValueError and their like on anything else; never takes more memory than `size` says, which is
    at most `MAX_PACKED_BYTES`."""
    content = inflated(size, data, most=MAX_PACKED_BYTES)
    start = _HEAD_BYTES + int.from_bytes(content[:_HEAD_BYTES], "little")
    header, kept = parsed(content[_HEAD_BYTES:start])
    if kinds is not None and "".join(kind for kind, _ in kept).replace("f", "d") != kinds:
        raise DamageError("columns in it are of other kinds than they should be")
    arrays = []
    for kind, n in kept:
        end = start + n * _DTYPES[kind].itemsize
        if n < 0 or end > size:
            raise DamageError("columns in it are longer than their bytes")
        arrays.append(_widened(kind, content[start:end]))
        start = end
    if start != size:
        raise DamageError("columns in it are shorter than their bytes")
    return header, arrays


def narrowest(values: Array) -> Array:
    """float64 as float32 where not a bit is lost, NaN's included."""
    wide = np.ascontiguousarray(values, "<f8")
    with np.errstate(over="ignore"):
        narrow = wide.astype("<f4")
    is_exact = bool((narrow.astype("<f8").view("<i8") == wide.view("<i8")).all())
    return narrow if is_exact else wide


def _narrowed(array: Array) -> tuple[str, Array]:
    if np.issubdtype(array.dtype, np.integer):
        return "i", np.diff(array.astype("<i8"), prepend=np.int64(0))
    narrow = narrowest(array)
    return ("f" if narrow.itemsize == 4 else "d"), narrow


def shuffled(array: Array) -> bytes:
    """First bytes first, then second ones: what changes little stands together."""
    return array.view(np.uint8).reshape(len(array), array.itemsize).T.tobytes()


def unshuffled(data: bytes, dtype: np.dtype[Any]) -> Array:
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(-1)


def _widened(kind: str, data: bytes) -> Array:
    array = unshuffled(data, _DTYPES[kind])
    return array.astype(np.int64).cumsum() if kind == "i" else array.astype(np.float64)
