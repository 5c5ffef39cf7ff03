"""A memory of what was met before, bounded by how much it holds."""

from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Known(Generic[_Value]):
    """Values by hash. Past `budget` (the sum of the values' sizes) it forgets all and begins anew: a training whose
    every step differs gains nothing from it, and must not fill the memory."""

    def __init__(self, budget: int) -> None:
        self._values: dict[int, _Value] = {}
        self._budget = budget
        self._size = 0

    def get(self, key: int) -> _Value | None:
        return self._values.get(key)

    def add(self, key: int, value: _Value, size: int) -> None:
        if self._size + size > self._budget:
            self._values.clear()
            self._size = 0
        self._values[key] = value
        self._size += size
