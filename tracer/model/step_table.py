"""The facts of all steps of a tape by column, growing as the tape does: 35 bytes a step."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.integer[Any]]

NONE = -1
"""Of a step without a graph, without forward-only passes, or without an optimizer."""


class Names:
    """Texts by number, in order of appearance. One thread may add some while others read."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, number: int) -> str:
        return self._texts[number]

    def number(self, text: str | None) -> int:
        if text is None:
            return NONE
        number = self._numbers.get(text)
        if number is None:
            self._texts.append(text)
            number = self._numbers[text] = len(self._texts) - 1
        return number

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self._texts)


class StepTable:
    """`steps` (n,) are the indices, growing; the other columns say of each: the numbers under which the tape keeps its
    `structures` and `evaluations` (the forward-only passes), and, as numbers in `names`, its `topologies`, `shapes`,
    `phases`, `optimizers` and `levels`. Topologies and shapes are numbered in order of the steps."""

    DTYPES: Mapping[str, type[np.integer[Any]]] = {
        "steps": np.int64,
        "structures": np.int32,
        "evaluations": np.int32,
        "topologies": np.int32,
        "shapes": np.int32,
        "phases": np.int8,
        "optimizers": np.int16,
        "levels": np.int8,
    }
    NAMED = ("topologies", "shapes", "phases", "optimizers", "levels")

    def __init__(self) -> None:
        self._columns = {name: np.empty(0, dtype) for name, dtype in self.DTYPES.items()}
        self._durations = np.empty(0)
        self._first = self._end = 0
        self.names = {name: Names() for name in self.NAMED}

    def __len__(self) -> int:
        return self._end - self._first

    def __bool__(self) -> bool:
        return self._end > self._first

    def extend(self, columns: Mapping[str, ArrayLike], durations: ArrayLike) -> None:
        """Adds n steps: of each column n values, numbers in `names` for texts; the durations in seconds."""
        more = np.asarray(durations, np.float64)
        end = self._end + len(more)
        if end > len(self._durations):
            room = max(end, 2 * len(self._durations), 256)
            self._durations = _grown(self._durations, room)
            self._columns = {name: _grown(column, room) for name, column in self._columns.items()}
        self._durations[self._end : end] = more
        for name, column in self._columns.items():
            column[self._end : end] = columns[name]
        self._end = end

    def since(self, position: int) -> "StepTable":
        """The steps from this position on, as they are now; it shares numbers, texts and memory with this one."""
        rest = copy(self)
        rest._first = min(self._first + position, self._end)
        return rest

    def column(self, name: str) -> Ints:
        """(n,), of the dtype in `DTYPES`."""
        return self._columns[name][self._first : self._end]

    def texts(self, name: str) -> list[str | None]:
        """What the numbers of a column stand for, one for each step."""
        known = (*self.names[name].texts, None)  # NONE is -1
        return [known[number] for number in self.column(name).tolist()]

    def measured(self) -> list[int]:
        """The steps of a level at which something is measured."""
        unmeasured = [at for at, text in enumerate(self.names["levels"].texts) if text == "structure"]
        steps: list[int] = self.column("steps")[~np.isin(self.column("levels"), unmeasured)].tolist()
        return steps

    @property
    def durations(self) -> NDArray[np.float64]:
        """Seconds, (n,)."""
        return self._durations[self._first : self._end]


def _grown(buffer: NDArray[Any], room: int) -> NDArray[Any]:
    bigger = np.empty(room, buffer.dtype)
    bigger[: len(buffer)] = buffer
    return bigger
