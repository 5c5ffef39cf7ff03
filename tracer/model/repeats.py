"""Stretches of a sequence that repeat: the same few things, several times in a row, wired alike."""

import heapq
from bisect import bisect_left, insort
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LONGEST_PERIOD = 128
"""A turn of a loop written without modules makes some dozens of ops; comparing at every distance up to this costs
little."""

FEW_TURNS, MANY_TURNS = 3, 5
"""Two of a kind are read as fast as "×2"; three calls, or a sequence of four ops three times, are no coincidence.
Shorter runs of ops only (additions of some losses, a chain of slices) are ordinary arithmetic up to four."""

LONG_PATTERN = 4


@dataclass(frozen=True, slots=True)
class Repeat:
    """`count` copies of `period` items from `start` on; `inner` are the repeats within the first copy, and shifted by
    a period in every other."""

    start: int
    period: int
    count: int
    inner: tuple["Repeat", ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Wires:
    """Edges between items (k,), sorted by `targets`; `codes` tell apart where inside the items they start and end."""

    sources: Ints
    targets: Ints
    codes: NDArray[np.uint64]

    def between(self, start: int, end: int) -> "Wires":
        """Those among the items from `start` to before `end`."""
        first, last = np.searchsorted(self.targets, (start, end))
        sources = self.sources[first:last]
        inside = (sources >= start) & (sources < end)
        return Wires(sources[inside], self.targets[first:last][inside], self.codes[first:last][inside])


def repeats(kinds: Ints, is_call: Bools, sizes: Ints, wires: Wires) -> tuple[Repeat, ...]:
    """The repeats of a sequence of `kinds` (m,), without overlaps, by their start; `sizes` (m,) say how much is in an
    item.

    What covers most comes first, of two the one of the shorter period. Copies are wired alike within; what comes to
    them from outside, from the copy before too, does not matter.
    """
    found = _Search(kinds, is_call, sizes, wires).found(0, len(kinds))
    return tuple(sorted(found, key=lambda repeat: repeat.start))


class _Search:
    def __init__(self, kinds: Ints, is_call: Bools, sizes: Ints, wires: Wires) -> None:
        self.kinds = kinds
        self.sizes = sizes
        self.calls_before = np.concatenate(([0], np.cumsum(is_call)))
        self.wires = wires

    def found(self, start: int, end: int) -> list[Repeat]:
        waiting = [(-length, period, at) for at, length, period in self._candidates(start, end)]
        heapq.heapify(waiting)
        taken: list[tuple[int, int]] = []
        found = []
        while waiting:
            length, period, at = heapq.heappop(waiting)
            pieces = _free(taken, at, at - length)
            if pieces != [(at, at - length)]:
                self._push(waiting, period, pieces)
                continue
            repeat = self._best(at, at - length, period)
            if repeat is None:
                continue
            covered = repeat.start, repeat.start + repeat.period * repeat.count
            insort(taken, covered)
            self._push(waiting, period, [(at, covered[0]), (covered[1], at - length)])
            found.append(replace(repeat, inner=tuple(self.found(repeat.start, repeat.start + period))))
        return found

    def _push(self, waiting: list[tuple[int, int, int]], period: int, pieces: list[tuple[int, int]]) -> None:
        for first, last in pieces:
            if last - first >= FEW_TURNS * period and last - first >= self._least(first, period) * period:
                heapq.heappush(waiting, (first - last, period, first))

    def _candidates(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Start, length and period of what is the same as itself a period later, at least as often as is needed."""
        kinds, found = self.kinds[start:end], []
        for period in range(1, min(LONGEST_PERIOD, len(kinds) // FEW_TURNS) + 1):
            same = np.concatenate(([False], kinds[period:] == kinds[:-period], [False]))
            turns = np.flatnonzero(same[1:] != same[:-1])
            firsts, lengths = turns[::2] + start, turns[1::2] - turns[::2] + period
            enough = lengths >= FEW_TURNS * period
            for at, length in zip(firsts[enough].tolist(), lengths[enough].tolist(), strict=True):
                if length >= self._least(at, period) * period:
                    found.append((at, length, period))
        return found

    def _least(self, start: int, period: int) -> int:
        """How often the items from `start` on must be there."""
        has_call = self.calls_before[start + period] > self.calls_before[start]
        return FEW_TURNS if has_call or period >= LONG_PATTERN else MANY_TURNS

    def _best(self, start: int, end: int, period: int) -> Repeat | None:
        """Where the copies begin is chosen so that most are alike, then so that most edges stay within one (a turn
        hands on little to the next), then so that they begin with something large: convolution and activation."""
        wires = self.wires.between(start, end)
        best, best_rank = None, (0, 0, 0)
        for first in range(start, start + (end - start) % period + 1):
            count = (end - first) // period
            wirings, inside = _wirings(wires, first, period, count)
            at, length = _longest_run(wirings)
            rank = length, inside, int(self.sizes[first])
            if length >= self._least(first, period) and rank > best_rank:
                best, best_rank = Repeat(first + at * period, period, length), rank
        return best


def _free(taken: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """What of an interval is not taken; `taken` is sorted and without overlaps."""
    pieces, at = [], start
    for first, last in taken[max(bisect_left(taken, (start, start)) - 1, 0) :]:
        if first >= end:
            break
        if last > at:
            if first > at:
                pieces.append((at, first))
            at = last
    return [*pieces, (at, end)] if at < end else pieces


def _wirings(wires: Wires, start: int, period: int, count: int) -> tuple[NDArray[np.uint64], int]:
    """A number for how each copy (count,) is wired within, and how many edges that are in all."""
    sums = np.zeros(count, dtype=np.uint64)
    sources, targets = wires.sources - start, wires.targets - start
    copies, ends = sources // period, sources % period
    inside = (copies == targets // period) & (copies >= 0) & (copies < count)
    places = (ends[inside] * period + targets[inside] % period).astype(np.uint64)
    np.add.at(sums, copies[inside], mixed(mixed(places) ^ wires.codes[inside]))
    return sums, int(inside.sum())


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers spread over 64 bits (splitmix64, Steele et al. 2014), so that their sums tell sets of them apart."""
    spread: NDArray[np.uint64] = numbers + np.uint64(0x9E3779B97F4A7C15)
    spread = (spread ^ (spread >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    spread = (spread ^ (spread >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return spread ^ (spread >> np.uint64(31))


def _longest_run(values: NDArray[np.uint64]) -> tuple[int, int]:
    """Start and length of the longest run of equal values, the first of several."""
    if not len(values):
        return 0, 0
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    lengths = np.diff(np.append(starts, len(values)))
    at = int(lengths.argmax())
    return int(starts[at]), int(lengths[at])
