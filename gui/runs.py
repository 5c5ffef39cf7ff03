"""Growing steps, kept as runs of consecutive ones: a scalar logged in every step takes no memory for its steps."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gui.buffer import Buffer

Places = NDArray[np.int64]


class Runs:
    """Sixteen bytes a run, whatever its length."""

    def __init__(self) -> None:
        self._places = Buffer(np.int64)
        self._steps = Buffer(np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def between(self, first: int, end: int) -> NDArray[np.int64]:
        """The steps at the places from `first` to before `end`."""
        return self.at(np.arange(first, end))

    def at(self, places: Places) -> NDArray[np.int64]:
        """The steps at these places, (n,)."""
        runs = np.searchsorted(self._places.array, places, side="right") - 1
        return self._steps.array[runs] + (places - self._places.array[runs])

    def before(self, steps: ArrayLike) -> Places:
        """How many come before each of these steps, which may lie between two, (n,)."""
        wanted = np.ceil(np.asarray(steps)).astype(np.int64)
        if not self._count:
            return np.zeros(wanted.shape, np.int64)
        places, firsts = self._places.array, self._steps.array
        runs = np.maximum(np.searchsorted(firsts, wanted) - 1, 0)
        lengths = np.diff(places, append=self._count)
        within = np.clip(wanted - firsts[runs], 0, lengths[runs])
        return places[runs] + within

    def append(self, steps: NDArray[np.int64]) -> None:
        """Adds steps, (n,), growing and after all there are."""
        if len(steps):
            last = self.between(self._count - 1, self._count)[0] if self._count else steps[0] - 2
            begins = np.flatnonzero(np.diff(steps, prepend=last) != 1)
            self._places.append(begins + self._count)
            self._steps.append(steps[begins])
            self._count += len(steps)

    def cut(self, count: int) -> None:
        """Forgets all but the first so many."""
        runs = int(np.searchsorted(self._places.array, count))
        self._places.resize(runs)
        self._steps.resize(runs)
        self._count = count
