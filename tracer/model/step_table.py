"""The facts of all steps of a tape by column, growing as the tape does: forty bytes a step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NONE = -1
"""Of a step without a graph, without forward-only passes, or without an optimizer."""


class Names:
    """Texts by number, in order of appearance."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str | None) -> int:
        return NONE if text is None else self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self._numbers)


class StepTable:
    """`steps` (n,) are the indices, growing; the other columns say of each: the numbers under which the tape keeps its
    `structures` and `evaluations` (the forward-only passes), and, as numbers in `names`, its `topologies`, `shapes`,
    `phases`, `optimizers` and `levels`."""

    COLUMNS = ("steps", "structures", "evaluations", "topologies", "shapes", "phases", "optimizers", "levels")

    def __init__(self) -> None:
        self._values = np.empty((len(self.COLUMNS), 256), np.int64)
        self._durations = np.empty(256)
        self._n = 0
        self.names = {name: Names() for name in self.COLUMNS[3:]}

    def __len__(self) -> int:
        return self._n

    def extend(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Adds steps: the columns in order, names as text, then the duration in seconds."""
        if not rows:
            return
        end = self._n + len(rows)
        if end > len(self._durations):
            more = max(end, 2 * len(self._durations)) - self._n
            self._values = np.concatenate(
                [self._values[:, : self._n], np.empty((len(self.COLUMNS), more), np.int64)], axis=1
            )
            self._durations = np.concatenate([self._durations[: self._n], np.empty(more)])
        *columns, durations = zip(*rows, strict=True)
        for at, (name, column) in enumerate(zip(self.COLUMNS, columns, strict=True)):
            number = self.names[name].number if name in self.names else _or_none
            self._values[at, self._n : end] = [number(value) for value in column]
        self._durations[self._n : end] = durations
        self._n = end

    def column(self, name: str) -> Ints:
        return self._values[self.COLUMNS.index(name), : self._n]

    @property
    def durations(self) -> NDArray[np.float64]:
        """Seconds, (n,)."""
        return self._durations[: self._n]


def _or_none(value: int | None) -> int:
    return NONE if value is None else value
