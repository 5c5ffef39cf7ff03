"""Which structure and level each step of a tape had, kept small: five bytes a step, eight a change."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tracer import Step
from tracer.options import LEVELS

UNRECORDED = -1
"""The structure of a step of which only scalars, or nothing at all, was kept."""

UNMEASURED = LEVELS.index("structure")


class Timeline:
    """Grows with the tape. Steps count from 0; a structure's number is the order in which it first appeared."""

    def __init__(self) -> None:
        self._topologies = np.empty(1024, np.int32)
        self._levels = np.empty(1024, np.int8)
        self._count = 0
        self._topology_numbers: dict[str, int] = {}
        self._shape_numbers: dict[str, int] = {}
        self._topology_ids: list[str] = []
        self._changes = array("q")
        self._shape_changes = array("q")
        self._last = (UNRECORDED, UNRECORDED)

    def __len__(self) -> int:
        return self._count

    def append(self, steps: Iterable[Step]) -> bool:
        """Adds the next steps; whether any had a structure that was new."""
        known = len(self._topology_ids)
        for step in steps:
            while self._count < step.index:
                self._append(UNRECORDED, UNRECORDED, UNMEASURED)
            level = LEVELS.index(step.level) if step.level in LEVELS else UNMEASURED
            if step.topology_id:
                self._append(self._topology_number(step.topology_id), self._shape_number(step.shape_id), level)
            else:
                self._append(UNRECORDED, UNRECORDED, level)
        return len(self._topology_ids) > known

    @property
    def structure_count(self) -> int:
        return len(self._topology_ids)

    @property
    def change_count(self) -> int:
        return len(self._changes)

    @property
    def structures(self) -> NDArray[np.int32]:
        """The structure's number at each step, (n,)."""
        return self._topologies[: self._count]

    def changes_between(self, first: float, last: float) -> NDArray[np.int64]:
        """The steps from `first` to `last` whose structure differs from that of the recorded step before them."""
        return _between(self._changes, first, last)

    def shape_changes_between(self, first: float, last: float) -> NDArray[np.int64]:
        """The steps that kept the structure of the step before and changed only a shape, dtype or device."""
        return _between(self._shape_changes, first, last)

    def structure(self, step: int) -> int:
        return int(self._topologies[step])

    def nearest_measured(self, step: int, level: str) -> int | None:
        """The step closest to `step` that was recorded at this level or a higher one; the earlier of two."""
        measured = np.flatnonzero(self._levels[: self._count] >= LEVELS.index(level))
        return int(measured[np.argmin(np.abs(measured - step))]) if len(measured) else None

    def topology_id(self, structure: int) -> str:
        return self._topology_ids[structure]

    def next_change(self, step: int) -> int | None:
        """The first step after `step` whose structure differs from its predecessor's."""
        place = bisect_right(self._changes, step)
        return self._changes[place] if place < len(self._changes) else None

    def previous_change(self, step: int) -> int | None:
        """The last such step before `step`; the first step of all where there is none."""
        place = bisect_left(self._changes, step) - 1
        if place >= 0:
            return self._changes[place]
        return 0 if step > 0 else None

    def _topology_number(self, topology_id: str) -> int:
        number = self._topology_numbers.setdefault(topology_id, len(self._topology_ids))
        if number == len(self._topology_ids):
            self._topology_ids.append(topology_id)
        return number

    def _shape_number(self, shape_id: str) -> int:
        return self._shape_numbers.setdefault(shape_id, len(self._shape_numbers))

    def _append(self, topology: int, shape: int, level: int) -> None:
        if self._count == len(self._topologies):
            self._topologies = np.resize(self._topologies, 2 * self._count)
            self._levels = np.resize(self._levels, 2 * self._count)
        self._topologies[self._count] = topology
        self._levels[self._count] = level
        if topology != UNRECORDED:
            self._note_change(topology, shape)
        self._count += 1

    def _note_change(self, topology: int, shape: int) -> None:
        before, self._last = self._last, (topology, shape)
        if before[0] == UNRECORDED or before == self._last:
            return
        (self._shape_changes if before[0] == topology else self._changes).append(self._count)


def _between(steps: "array[int]", first: float, last: float) -> NDArray[np.int64]:
    part = steps[bisect_left(steps, first) : bisect_right(steps, last)]
    return np.frombuffer(part, np.int64) if part else np.empty(0, np.int64)
