"""A memory of what was met before, bounded by how much it holds."""

from typing import Generic, TypeVar

_Value = TypeVar("_Value")

_NEW_SHARE = 16


class Known(Generic[_Value]):
    """Values by hash. What was met once has a sixteenth of `budget` (the sum of the values' sizes), what was met again
    all of it: a training whose every step differs gains nothing from a memory, and must not fill the machine's. Past
    their budgets either are forgotten and begin anew."""

    def __init__(self, budget: int) -> None:
        self._met_again: dict[int, _Value] = {}
        self._met_once: dict[int, tuple[_Value, int]] = {}
        self._budget = budget
        self._size_again = 0
        self._size_once = 0

    def get(self, key: int) -> _Value | None:
        value = self._met_again.get(key)
        return value if value is not None or key not in self._met_once else self._meet_again(key)

    def add(self, key: int, value: _Value, size: int) -> None:
        if self._size_once + size > self._budget // _NEW_SHARE:
            self._met_once.clear()
            self._size_once = 0
        self._met_once[key] = value, size
        self._size_once += size

    def _meet_again(self, key: int) -> _Value:
        value, size = self._met_once.pop(key)
        self._size_once -= size
        if self._size_again + size > self._budget:
            self._met_again.clear()
            self._size_again = 0
        self._met_again[key] = value
        self._size_again += size
        return value
