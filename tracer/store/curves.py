"""A scalar over the steps in pieces: chunks of values, and of each a summary that a curve can be drawn from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.store import columns, schema
from tracer.store.blobs import checksum
from tracer.store.damage import DamageError

Row = tuple[Any, ...]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CHUNK_ROWS = "SELECT id, n, size, crc, data FROM chunk"
SUMMARY_ROWS = "SELECT id, scalar, first, n, low, high, size, crc, data FROM summary"
MOST_VALUES = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Of each 64 values in a row (fewer in the last): the first and last step, and of those that are finite lowest,
    highest and mean, NaN where none is. (n,) each."""

    firsts: Ints
    lasts: Ints
    lows: Floats
    highs: Floats
    means: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What is known of a chunk without reading it. `first` is the place of its first value among all of the scalar;
    `low` and `high` are its first and last step; `bins` are packed, of `size` bytes."""

    id: int
    scalar: int
    first: int
    n: int
    low: int
    high: int
    size: int
    packed: bytes

    def bins(self) -> Bins:
        """Raises DamageError, ValueError and their like where they are damaged."""
        _, arrays = columns.unpack(self.size, self.packed, "iiddd")
        bins = Bins(*arrays)
        if any(len(array) != -(-self.n // schema.BIN_VALUES) for array in arrays):
            raise DamageError("the summary of a curve has not the length it claims")
        return bins


def pack_chunk(number: int, scalar: int, steps: Ints, values: Floats) -> Row:
    """The row of table `chunk`; steps grow. It says itself whose values it holds: its summary may get lost."""
    size, data = columns.pack(scalar, (steps, values))
    return number, len(steps), size, checksum(number, len(steps), size, data), data


def unpack_chunk(row: Row) -> tuple[Ints, Floats]:
    """(steps, values), (n,) each, steps growing. Raises DamageError, ValueError and their like where it is damaged."""
    number, n, size, crc, data = row
    if checksum(number, n, size, data) != crc:
        raise DamageError("a piece of a curve does not match its checksum")
    _, (steps, values) = columns.unpack(size, data, "id")
    if not len(steps) == len(values) == n or not 0 < n <= MOST_VALUES or (steps[1:] <= steps[:-1]).any():
        raise DamageError("a piece of a curve has not the length it claims")
    return steps, values


def scalar_of(row: Row) -> int:
    """Whose values a chunk holds."""
    _, _, size, _, data = row
    return int(columns.unpack(size, data)[0])


def pack_summary(number: int, scalar: int, first: int, steps: Ints, values: Floats) -> Row:
    """The row of table `summary`."""
    bins = bins_of(steps, values)
    size, data = columns.pack(None, (bins.firsts, bins.lasts, bins.lows, bins.highs, bins.means))
    head = number, scalar, first, len(steps), int(steps[0]), int(steps[-1]), size
    return (*head, checksum(*head, data), data)


def unpack_summary(row: Row) -> Summary:
    """Raises DamageError, TypeError and their like where the row is damaged."""
    *head, crc, data = row
    if checksum(*head, data) != crc:
        raise DamageError("the summary of a curve does not match its checksum")
    number, scalar, first, n, low, high, size = head
    summary = Summary(number, scalar, first, n, low, high, size, data)
    if not 0 < summary.n <= MOST_VALUES or summary.low > summary.high:
        raise DamageError("the summary of a curve has not the length it claims")
    return summary


def bins_of(steps: Ints, values: Floats, n: int | None = None, place: int = 0) -> Bins:
    """Of `n` values each, `BIN_VALUES` where not given; there is one value at least. `place` is that of the first value
    among those whose bins it shall share."""
    starts = starts_of(len(steps), n or schema.BIN_VALUES, place)
    ends = np.append(starts[1:], len(steps)) - 1
    is_finite = np.isfinite(values)
    counts = np.add.reduceat(is_finite, starts, dtype=np.int64)
    lows = np.minimum.reduceat(np.where(is_finite, values, np.inf), starts)
    highs = np.maximum.reduceat(np.where(is_finite, values, -np.inf), starts)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduceat(np.where(is_finite, values, 0.0), starts)
        means = np.clip(sums / np.maximum(counts, 1), lows, highs)
    is_empty = counts == 0
    return Bins(steps[starts], steps[ends], *(np.where(is_empty, np.nan, each) for each in (lows, highs, means)))


def starts_of(n: int, size: int, place: int) -> Ints:
    """Where each row of `size` begins among n, the first of which stands at `place` of a longer row."""
    return np.maximum(np.arange(-(place % size), n, size), 0)


def by_scalar(values: Iterable[tuple[int, bytes]]) -> dict[int, tuple[Ints, Floats]]:
    """Of (step, packed scalars) in order of logging, (steps, values) of each scalar, as `last_of_each_step`."""
    by_ids: dict[bytes, list[tuple[int, int, bytes]]] = {}
    for place, (step, packed) in enumerate(values):
        n = len(packed) // 12
        by_ids.setdefault(packed[: 4 * n], []).append((place, step, packed[4 * n :]))
    pieces: dict[int, list[tuple[Ints, Ints, Floats]]] = {}
    for ids, rows in by_ids.items():
        places, steps, numbers = zip(*rows, strict=True)
        scalars = np.frombuffer(ids, "<i4").tolist()
        matrix = np.frombuffer(b"".join(numbers), "<f8").reshape(len(rows), len(scalars)).T
        for scalar, column in zip(scalars, matrix, strict=True):
            pieces.setdefault(scalar, []).append((np.array(places), np.array(steps, np.int64), column))
    found = {}
    for scalar, parts in pieces.items():
        order, indices, column = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.argsort(order)
        found[scalar] = last_of_each_step(indices[order], column[order])
    return found


def last_of_each_step(steps: Ints, values: Floats) -> tuple[Ints, Floats]:
    """(steps growing, values) of values in order of logging: the last for a step counts."""
    if np.any(np.diff(steps) < 0):
        order = np.argsort(steps, kind="stable")
        steps, values = steps[order], values[order]
    is_last = np.append(np.diff(steps) > 0, True)[: len(steps)]
    return steps[is_last], values[is_last]
