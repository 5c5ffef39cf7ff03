"""A scalar over the steps, growing as the tape does."""

import numpy as np
from numpy.typing import NDArray

from tracer.store.curves import last_of_each_step


class Series:
    """Values in order of logging. Buffers double, so appending is cheap however long the run."""

    def __init__(self) -> None:
        self._steps = np.empty(256, np.int64)
        self._values = np.empty(256, np.float64)
        self._n = 0
        self._is_sorted = True

    def __len__(self) -> int:
        return self._n

    def extend(self, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        end = self._n + len(steps)
        if len(steps):
            follows = self._n == 0 or steps[0] >= self._steps[self._n - 1]
            self._is_sorted = self._is_sorted and bool(follows) and bool(np.all(np.diff(steps) >= 0))
        if end > len(self._steps):
            room = max(end, 2 * len(self._steps))
            self._steps = np.concatenate([self._steps[: self._n], np.empty(room - self._n, np.int64)])
            self._values = np.concatenate([self._values[: self._n], np.empty(room - self._n, np.float64)])
        self._steps[self._n : end] = steps
        self._values[self._n : end] = values
        self._n = end

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(steps, values), both (n,), steps increasing; where a step has several values the last counts. Copies."""
        return last_of_each_step(self._steps[: self._n], self._values[: self._n])

    def at(self, step: int) -> float | None:
        """The last value logged for `step`, None if there is none."""
        steps = self._steps[: self._n]
        if self._is_sorted:
            matches = np.searchsorted(steps, [step, step + 1])
            found = list(range(int(matches[0]), int(matches[1])))
        else:
            found = np.flatnonzero(steps == step).tolist()
        return float(self._values[found[-1]]) if found else None
