"""A curve put together of its pieces: in which order they came does not matter any more."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tracer.store.curves import Bins, Floats, Ints, Summary, bins_of, last_of_each_step

Values = tuple[Ints, Floats]
Load = Callable[[Summary], Values]


@dataclass(slots=True, eq=False)
class Segment:
    """A part of a curve that no other reaches into, from step `low` to step `high`. Its values are those of a chunk,
    which need not be read, or `own`."""

    low: int
    high: int
    n: int
    summary: Summary | None = None
    own: Values | None = None
    _bins: Bins | None = None

    def values(self, load: Load) -> Values:
        if self.own is not None:
            return self.own
        assert self.summary is not None
        return load(self.summary)

    def bins(self) -> Bins:
        if self._bins is None:
            self._bins = bins_of(*self.own) if self.own is not None else self.summary.bins()  # type: ignore[union-attr]
        return self._bins


def joined(segments: Sequence[Segment], pieces: Iterable[Summary | Values], load: Load) -> list[Segment]:
    """Segments that grow, with more pieces in order of logging: a later value for a step counts. Of the chunks only
    those are read that reach back, and those they reach into."""
    found, late = list(segments), []
    for piece in pieces:
        top = found[-1].high if found else None
        if isinstance(piece, Summary):
            if top is None or piece.low > top:
                found.append(Segment(piece.low, piece.high, piece.n, summary=piece))
                continue
            piece = load(piece)
        steps, values = piece
        cut = 0 if top is None else int(np.searchsorted(steps, top, "right"))
        if cut:
            late.append((steps[:cut], values[:cut]))
        if cut < len(steps):
            found.append(_segment(steps[cut:], values[cut:]))
    return _with_late(found, late, load) if late else found


def _with_late(segments: list[Segment], late: list[Values], load: Load) -> list[Segment]:
    """Values for steps up to the last one of the segments."""
    steps, values = _last(late)
    owners = np.searchsorted([segment.high for segment in segments], steps)
    for owner in np.unique(owners).tolist():
        is_its = owners == owner
        merged = _last([segments[owner].values(load), (steps[is_its], values[is_its])])
        segments[owner] = _segment(*merged)
    return segments


def _segment(steps: Ints, values: Floats) -> Segment:
    return Segment(int(steps[0]), int(steps[-1]), len(steps), own=(steps, values))


def _last(parts: list[Values]) -> Values:
    steps, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    return last_of_each_step(steps, values)
