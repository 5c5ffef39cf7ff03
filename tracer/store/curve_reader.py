"""Reading scalars: the newest values are in rows of steps, the others in chunks that are read as they are needed."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np

from tracer.store.blobs import checksum
from tracer.store.curves import (
    CHUNK_ROWS,
    SUMMARY_ROWS,
    Floats,
    Ints,
    Summary,
    by_scalar,
    last_of_each_step,
    unpack_chunk,
    unpack_summary,
)
from tracer.store.damage import DamageError, compare
from tracer.store.recent import Recent
from tracer.store.segments import Segment, joined
from tracer.store.series import Series
from tracer.store.snapshot import BEFORE_ALL, rows_after
from tracer.store.step_rows import STEP_ROWS, unpack_step

Values = tuple[Ints, Floats]

_CHUNKS_BYTES = 16 << 20
_BYTES_PER_VALUE = 16


@dataclass(slots=True, eq=False)
class _Scalar:
    """What is known of one: its chunks in order of logging, and the values in rows."""

    name: str
    summaries: list[Summary] = field(default_factory=list)
    young: Series = field(default_factory=Series)
    segments: list[Segment] = field(default_factory=list)
    n_joined: int = 0  # of the chunks, into segments
    is_growing: bool = True  # from chunk to chunk: each is a segment by itself

    @property
    def n(self) -> int:
        """The number of values in chunks."""
        return self.summaries[-1].first + self.summaries[-1].n if self.summaries else 0

    def add(self, summary: Summary) -> None:
        if summary.first != self.n:
            raise DamageError(f"a piece of {self.name!r} is missing")
        if self.summaries and summary.low <= self.summaries[-1].high:
            self.is_growing = False
        self.summaries.append(summary)


class CurveReader:
    """The scalars of a tape as they were at the last `update`: chunks are never changed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._scalars: dict[int, _Scalar] = {}
        self._by_name: dict[str, _Scalar] = {}
        self._chunks: Recent[int, Values] = Recent(_CHUNKS_BYTES)
        self._last_summary = self._last_late = self._last_step = BEFORE_ALL

    def update(self, *, tells: bool) -> dict[str, Values]:
        """Reads what is new, within a snapshot. If it `tells`, returns by name the values that are new or others than
        before, in order of logging."""
        self._read_names()
        new = self._read_summaries()
        before: Mapping[int, Values] = {}
        if new:  # what was young stands in chunks now
            before = {number: scalar.young.arrays() for number, scalar in self._scalars.items()}
            for scalar in self._scalars.values():
                scalar.young = Series()
            self._last_step = self._last_late = BEFORE_ALL
        young = self._read_young()
        for number, (steps, numbers) in young.items():
            self._scalars[number].young.extend(steps, numbers)
        if not tells:
            return {}
        news = {number: [self.load(summary) for summary in summaries] for number, summaries in new.items()}
        for number, values in young.items():
            news.setdefault(number, []).append(values)
        told = {
            scalar.name: _others(news.get(number, ()), before.get(number)) for number, scalar in self._scalars.items()
        }
        return {name: values for name, values in told.items() if len(values[0])}

    @property
    def names(self) -> list[str]:
        """In order of appearance."""
        return [scalar.name for scalar in self._scalars.values() if scalar.summaries or len(scalar.young)]

    def all(self, name: str) -> Values:
        """(steps growing, values) of one of the names."""
        scalar = self._by_name[name]
        parts = [segment.values(self._read_chunk) for segment in self._segments(scalar)]
        steps, values = _concatenated([*parts, scalar.young.arrays()])
        return last_of_each_step(steps, values)

    def at(self, step: int) -> dict[str, float]:
        """The value of each scalar that has one there."""
        found = {}
        for scalar in self._scalars.values():
            value = self._value(scalar, step)
            if value is not None:
                found[scalar.name] = value
        return found

    def segments(self, name: str) -> list[Segment]:
        """The curve of one of the names, see `envelope`."""
        scalar = self._by_name[name]
        segments = self._segments(scalar)
        return joined(segments, [scalar.young.arrays()], self.load) if len(scalar.young) else segments

    def load(self, summary: Summary) -> Values:
        """The values of a chunk."""
        known = self._chunks.get(summary.id)
        if known is None:
            known = self._chunks.put(summary.id, self._read_chunk(summary), _BYTES_PER_VALUE * summary.n)
        return known

    def _value(self, scalar: _Scalar, step: int) -> float | None:
        value = scalar.young.at(step)
        if value is not None:
            return value
        parts: Sequence[Summary | Segment] = scalar.summaries if scalar.is_growing else self._segments(scalar)
        at = bisect_left(parts, step, key=attrgetter("high"))
        if at == len(parts) or parts[at].low > step:
            return None
        part = parts[at]
        steps, values = self.load(part) if isinstance(part, Summary) else part.values(self.load)
        place = int(np.searchsorted(steps, step))
        return float(values[place]) if steps[place] == step else None

    def _segments(self, scalar: _Scalar) -> list[Segment]:
        """Of its chunks."""
        if scalar.n_joined < len(scalar.summaries):
            scalar.segments = joined(scalar.segments, scalar.summaries[scalar.n_joined :], self.load)
            scalar.n_joined = len(scalar.summaries)
        return scalar.segments

    def _read_names(self) -> None:
        known = max(self._scalars, default=BEFORE_ALL)
        for number, name, crc in rows_after(self._connection, "SELECT id, name, crc FROM scalar", known):
            compare(checksum(number, name), crc, "the name of a scalar")
            self._scalars[number] = self._by_name[name] = _Scalar(name)

    def _read_summaries(self) -> dict[int, list[Summary]]:
        """By scalar, those that are new."""
        new: dict[int, list[Summary]] = {}
        for row in rows_after(self._connection, SUMMARY_ROWS, self._last_summary):
            summary = unpack_summary(row)
            self._scalars[summary.scalar].add(summary)
            new.setdefault(summary.scalar, []).append(summary)
            self._last_summary = summary.id
        return new

    def _read_young(self) -> dict[int, Values]:
        """By scalar, the values in rows that are new."""
        values = []
        for row in rows_after(self._connection, STEP_ROWS, self._last_step):
            step, scalars = unpack_step(row)
            values.append((step.step, scalars))
            self._last_step = step.step
        for number, at, scalars, crc in rows_after(
            self._connection, "SELECT id, step, scalars, crc FROM late", self._last_late
        ):
            compare(checksum(number, at, scalars), crc, f"a value of step {at}")
            values.append((at, scalars))
            self._last_late = number
        return by_scalar(values)

    def _read_chunk(self, summary: Summary) -> Values:
        row = self._connection.execute(f"{CHUNK_ROWS} WHERE id = ?", (summary.id,)).fetchone()
        name = self._scalars[summary.scalar].name
        if row is None:
            raise DamageError(f"a piece of {name!r} is missing")
        steps, values = unpack_chunk(row)
        if (len(steps), steps[0], steps[-1]) != (summary.n, summary.low, summary.high):
            raise DamageError(f"a piece of {name!r} is not what it claims to be")
        return steps, values


def _others(parts: Iterable[Values], known: Values | None) -> Values:
    """What is in the parts, but for values that are known bit by bit."""
    steps, values = _concatenated(list(parts))
    if known is None or not len(known[0]):
        return steps, values
    places = np.searchsorted(known[0], steps)
    places[places == len(known[0])] = 0
    is_known = (known[0][places] == steps) & (known[1][places].view(np.int64) == values.view(np.int64))
    return steps[~is_known], values[~is_known]


def _concatenated(parts: list[Values]) -> Values:
    parts = [(np.empty(0, np.int64), np.empty(0)), *parts]
    steps, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    return steps, values
