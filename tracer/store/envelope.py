"""A curve between two steps in as few numbers as are asked for: its values, or lowest and highest of many in a row."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from tracer.store import schema
from tracer.store.curves import Bins, bins_of, starts_of
from tracer.store.segments import Load, Segment, Values

_COLUMNS = ("firsts", "lasts", "lows", "highs", "means")
_NO_BINS = Bins(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))


def curve(segments: Sequence[Segment], load: Load, first: int, last: int, points: int) -> Values:
    """(steps, values) from `first` to `last`: all values where they are at most `points`, else lowest and highest of
    bins."""
    _, bins = _bins_within(segments, first, last)
    if len(bins.firsts) <= points:
        _, (steps, values) = _values_within(segments, load, first, last)
        if len(steps) <= points:
            return steps, np.where(np.isfinite(values), values, np.nan)
    bins = envelope(segments, load, first, last, max(points // 2, 1))
    is_point = np.stack([np.ones(len(bins.firsts), np.bool_), bins.lasts > bins.firsts], axis=1)
    ends, extremes = np.stack([bins.firsts, bins.lasts], axis=1), np.stack([bins.lows, bins.highs], axis=1)
    return ends[is_point], extremes[is_point]


def envelope(segments: Sequence[Segment], load: Load, first: int, last: int, most: int) -> Bins:
    """Bins from `first` to `last`, some `most` at most, of a power of two of values each. As the range moves they keep
    their borders, but for the first and the last."""
    place, bins = _bins_within(segments, first, last)
    if len(bins.firsts) <= most:
        place, (steps, values) = _values_within(segments, load, first, last)
        return bins_of(steps, values, _power(len(steps), most), place) if len(steps) else _NO_BINS
    size = _power(len(bins.firsts), most)
    if bins.firsts[0] < first:
        bins = _joined([_cut(segments, load, first, int(bins.lasts[0])), _slice(bins, 1, None)])
    if bins.lasts[-1] > last:
        bins = _joined([_slice(bins, 0, -1), _cut(segments, load, int(bins.firsts[-1]), last)])
    return _merged(bins, size, place)


def _reach(segments: Sequence[Segment], first: int, last: int) -> tuple[int, int]:
    """From where to where they reach into a range."""
    start = bisect_left(segments, first, key=attrgetter("high"))
    return start, max(start, bisect_right(segments, last, key=attrgetter("low")))


def _values_within(segments: Sequence[Segment], load: Load, first: int, last: int) -> tuple[int, Values]:
    """The place of the first one among all of the curve, and all of them."""
    start, end = _reach(segments, first, last)
    parts = [segment.values(load) for segment in segments[start:end]]
    if not parts:
        return 0, (_NO_BINS.firsts, _NO_BINS.lows)
    steps, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    low, high = np.searchsorted(steps, first), np.searchsorted(steps, last, "right")
    place = sum(segment.n for segment in segments[:start]) + int(low)
    return place, (steps[low:high], values[low:high])


def _bins_within(segments: Sequence[Segment], first: int, last: int) -> tuple[int, Bins]:
    """The bins that reach into a range, and the place of the first one."""
    start, end = _reach(segments, first, last)
    bins = _joined([segment.bins() for segment in segments[start:end]])
    low, high = int(np.searchsorted(bins.lasts, first)), int(np.searchsorted(bins.firsts, last, "right"))
    place = sum(-(-segment.n // schema.BIN_VALUES) for segment in segments[:start]) + low
    return place, _slice(bins, low, max(low, high))


def _cut(segments: Sequence[Segment], load: Load, first: int, last: int) -> Bins:
    """One bin of what lies between two steps; none where that is nothing."""
    _, (steps, values) = _values_within(segments, load, first, last)
    return bins_of(steps, values, len(steps)) if len(steps) else _NO_BINS


def _merged(bins: Bins, size: int, place: int) -> Bins:
    """`size` in a row as one; their means count alike."""
    if size == 1 or not len(bins.firsts):
        return bins
    starts = starts_of(len(bins.firsts), size, place)
    ends = np.append(starts[1:], len(bins.firsts)) - 1
    has_mean = ~np.isnan(bins.means)
    counts = np.add.reduceat(has_mean, starts, dtype=np.int64)
    lows, highs = np.fmin.reduceat(bins.lows, starts), np.fmax.reduceat(bins.highs, starts)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduceat(np.where(has_mean, bins.means, 0.0), starts)
        means = np.where(counts > 0, np.clip(sums / np.maximum(counts, 1), lows, highs), np.nan)
    return Bins(bins.firsts[starts], bins.lasts[ends], lows, highs, means)


def _power(n: int, most: int) -> int:
    """Of two: so many in a row as one make at most `most` of n."""
    return 1 << (-(-n // most) - 1).bit_length()


def _joined(parts: Sequence[Bins]) -> Bins:
    return Bins(*(np.concatenate([getattr(part, name) for part in (_NO_BINS, *parts)]) for name in _COLUMNS))


def _slice(bins: Bins, start: int, end: int | None) -> Bins:
    return Bins(*(getattr(bins, name)[start:end] for name in _COLUMNS))
