"""Mean and spread of the last values of a growing list, kept up as it grows."""

from collections import deque
from collections.abc import Sequence
from math import isfinite, sqrt


class Window:
    """The last `size` finite values. `follow` costs what is new, whatever the size.

    Sums are taken around one of the values, so that a large mean does not drown a small spread, and anew once all
    values have changed, so that rounding does not add up.
    """

    def __init__(self, size: int) -> None:
        self._values: deque[float] = deque(maxlen=size)
        self._n_seen = self._n_since = 0
        self._shift = self._sum = self._squares = 0.0

    def __len__(self) -> int:
        return len(self._values)

    def follow(self, values: Sequence[float]) -> None:
        """The list as it is now; from the last time on it has only grown, or lost its oldest values."""
        n_new = len(values) - self._n_seen
        self._n_seen = len(values)
        if n_new < 0 or n_new > len(values) // 2:
            self._values.clear()
            self._begin(values[-(self._values.maxlen or 0) :])
        else:
            for value in values[len(values) - n_new :]:
                self._add(value)

    @property
    def mean(self) -> float:
        return self._shift + self._sum / len(self._values)

    @property
    def spread(self) -> float:
        """The standard deviation, of the values as a whole population."""
        n = len(self._values)
        return sqrt(max(self._squares / n - (self._sum / n) ** 2, 0.0))

    def _begin(self, values: Sequence[float]) -> None:
        self._values.extend(value for value in values if isfinite(value))
        self._shift = self._values[-1] if self._values else 0.0
        away = [value - self._shift for value in self._values]
        self._sum, self._squares = sum(away), sum(each * each for each in away)
        self._n_since = 0

    def _add(self, value: float) -> None:
        if not isfinite(value):
            return
        known = self._values
        if len(known) == known.maxlen:
            oldest = known[0] - self._shift
            self._sum -= oldest
            self._squares -= oldest * oldest
        known.append(value)
        away = value - self._shift
        self._sum += away
        self._squares += away * away
        self._n_since += 1
        if self._n_since >= (known.maxlen or 0):
            self._begin(())
