"""The lowest and the highest of any stretches of many values, by those of every 64 of them, every 64 of these, …"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gui.buffer import Buffer

Floats = NDArray[np.floating[Any]]
Pair = tuple[Floats, Floats]
"""The lowest and the highest."""
Places = NDArray[np.int64]

BLOCK = 64


class Extremes:
    """Only finite values count. `values` (n,) are given each time, so that they are kept once."""

    def __init__(self) -> None:
        self._levels: list[tuple[Buffer[np.float64], Buffer[np.float64]]] = []

    def update(self, values: Floats, first: int) -> None:
        """Takes in that there are other values, or other ones than before, from place `first` on."""
        lowest = highest = values
        n_levels = 0
        while len(lowest) > BLOCK:
            if n_levels == len(self._levels):
                self._levels.append((Buffer(np.float64), Buffer(np.float64)))
            lows, highs = self._levels[n_levels]
            first = min(first // BLOCK, len(lows))
            for blocks, below, reduce in (lows, lowest, np.fmin), (highs, highest, np.fmax):
                changed = finite(below[first * BLOCK :])
                blocks.resize(first)
                blocks.append(reduce.reduceat(changed, np.arange(0, len(changed), BLOCK)))
            lowest, highest = lows.array, highs.array
            n_levels += 1
        del self._levels[n_levels:]

    def within(self, values: Floats, starts: Places, ends: Places) -> Pair:
        """The lowest and the highest from each start to before its end, (n,); NaN where none is finite. The stretches
        are growing, none is empty and no two overlap."""
        return _found([(values, values), *((lows.array, highs.array) for lows, highs in self._levels)], starts, ends)


def finite(values: Floats) -> Floats:
    """Infinite values become NaN."""
    is_infinite = np.isinf(values)
    return np.where(is_infinite, np.nan, values) if is_infinite.any() else values


def _found(levels: Sequence[Pair], starts: Places, ends: Places) -> Pair:
    """What lies in whole blocks is asked of the next level; at either end of a stretch is less than one block."""
    values, *coarser = levels
    if not coarser or (ends - starts).sum() <= 2 * BLOCK * len(starts):
        return _in_long(values, starts, ends)
    first_blocks, last_blocks = -(-starts // BLOCK), ends // BLOCK
    heads = _in_short(values, starts, np.minimum(ends, first_blocks * BLOCK))
    tails = _in_short(values, np.maximum(starts, last_blocks * BLOCK), ends)
    lowest, highest = np.fmin(heads[0], tails[0]), np.fmax(heads[1], tails[1])
    has_blocks = first_blocks < last_blocks
    if has_blocks.any():
        lows, highs = _found(coarser, first_blocks[has_blocks], last_blocks[has_blocks])
        lowest[has_blocks] = np.fmin(lowest[has_blocks], lows)
        highest[has_blocks] = np.fmax(highest[has_blocks], highs)
    return lowest, highest


def _in_long(values: Pair, starts: Places, ends: Places) -> Pair:
    begin, end = starts[0], ends[-1]
    bounds = np.stack([starts, ends], axis=1).ravel()[:-1] - begin
    lows, highs = _of_both(lambda side: finite(side[begin:end]), values)
    return np.fmin.reduceat(lows, bounds)[::2], np.fmax.reduceat(highs, bounds)[::2]


def _in_short(values: Pair, starts: Places, ends: Places) -> Pair:
    """Of stretches of less than a block, which may be empty: then NaN."""
    rows = np.minimum(starts, len(values[0]) - BLOCK)
    places = rows[:, None] + np.arange(BLOCK)
    is_meant = (places >= starts[:, None]) & (places < ends[:, None])
    lows, highs = _of_both(
        lambda side: np.where(is_meant, finite(sliding_window_view(side, BLOCK)[rows]), np.nan), values
    )
    return np.fmin.reduce(lows, axis=1), np.fmax.reduce(highs, axis=1)


def _of_both(make: Callable[[Floats], Floats], values: Pair) -> Pair:
    """Once where the lowest and the highest are still the same."""
    lows, highs = values
    made = make(lows)
    return made, made if highs is lows else make(highs)
