"""What was read last, kept for the next time."""

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values used last, of at most so many bytes together but for the newest one."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._n_bytes = 0
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        item = self._items.get(key)
        if item is None:
            return None
        self._items.move_to_end(key)
        return item[0]

    def put(self, key: K, value: V, size_bytes: int) -> V:
        """A value that is not in it yet."""
        self._items[key] = value, size_bytes
        self._n_bytes += size_bytes
        while self._n_bytes > self._most_bytes and len(self._items) > 1:
            self._n_bytes -= self._items.popitem(last=False)[1][1]
        return value
