"""A numpy array that grows at its end."""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Number = TypeVar("Number", bound=np.generic)

LEAST_ROOM = 256


class Buffer(Generic[Number]):
    """Appending n numbers costs O(n) on average. Arrays handed out keep what they show when it grows."""

    def __init__(self, dtype: type[Number]) -> None:
        self._room: NDArray[Number] = np.empty(0, dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def array(self) -> NDArray[Number]:
        """(n,)."""
        return self._room[: self._count]

    def append(self, numbers: ArrayLike) -> None:
        """Adds numbers, (n,)."""
        more = np.asarray(numbers)
        end = self._count + len(more)
        self.resize(end)
        self._room[end - len(more) : end] = more

    def resize(self, count: int) -> None:
        """Forgets what lies behind `count`; what is new up to it is not set."""
        if count > len(self._room):
            bigger = np.empty(max(count, len(self._room) * 3 // 2, LEAST_ROOM), self._room.dtype)
            bigger[: self._count] = self.array
            self._room = bigger
        self._count = count

    def convert(self, dtype: DTypeLike) -> None:
        """Holds numbers of another type from now on."""
        self._room = self._room.astype(dtype)
