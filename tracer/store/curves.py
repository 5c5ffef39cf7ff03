"""A scalar over the steps in pieces: chunks of values, and of each a summary that a curve can be drawn from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.errors import TapeError
from tracer.store import columns, schema
from tracer.store.blobs import checksum

Row = tuple[Any, ...]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

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
    `low` and `high` are its first and last step."""

    id: int
    scalar: int
    first: int
    n: int
    low: int
    high: int
    bins: Bins


def pack_chunk(number: int, steps: Ints, values: Floats) -> Row:
    """The row of table `chunk`; steps grow."""
    size, data = columns.pack(None, (steps, values))
    return number, len(steps), size, checksum(number, len(steps), size, data), data


def unpack_chunk(row: Row) -> tuple[Ints, Floats]:
    """(steps, values), (n,) each, steps growing. Raises TapeError, ValueError and their like where it is damaged."""
    number, n, size, crc, data = row
    if checksum(number, n, size, data) != crc:
        raise TapeError("a piece of a curve does not match its checksum")
    _, (steps, values) = columns.unpack(size, data)
    if not len(steps) == len(values) == n or not 0 < n <= MOST_VALUES or np.any(np.diff(steps) <= 0):
        raise TapeError("a piece of a curve has not the length it claims")
    return steps, values


def pack_summary(number: int, scalar: int, first: int, steps: Ints, values: Floats) -> Row:
    """The row of table `summary`."""
    bins = bins_of(steps, values)
    size, data = columns.pack(None, (bins.firsts, bins.lasts, bins.lows, bins.highs, bins.means))
    head = number, scalar, first, len(steps), int(steps[0]), int(steps[-1]), size
    return (*head, checksum(*head, data), data)


def unpack_summary(row: Row) -> Summary:
    """Raises TapeError, ValueError and their like where the row is damaged."""
    *head, crc, data = row
    if checksum(*head, data) != crc:
        raise TapeError("the summary of a curve does not match its checksum")
    number, scalar, first, n, low, high, size = head
    _, arrays = columns.unpack(size, data)
    bins = Bins(*arrays)
    if any(len(array) != -(-n // schema.BIN_VALUES) for array in arrays):
        raise TapeError("the summary of a curve has not the length it claims")
    return Summary(number, scalar, first, n, low, high, bins)


def bins_of(steps: Ints, values: Floats) -> Bins:
    """Of one value at least."""
    starts = np.arange(0, len(steps), schema.BIN_VALUES)
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
