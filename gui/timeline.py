"""Which structure and level each step of a tape had, kept small: five bytes a step, eight a change."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.buffer import Buffer
from tracer.model.step_table import NONE, Names, StepTable
from tracer.options import LEVELS

UNRECORDED = NONE
"""The structure of a step of which only scalars, or nothing at all, was kept."""

UNMEASURED = LEVELS.index("structure")
NEAR, FARTHER = 64, 16
"""So many steps to either side are looked at first for a measured one, then so many times as many."""


class Timeline:
    """Grows with the tape. Steps count from 0; a structure's number is the order in which it first appeared."""

    def __init__(self) -> None:
        self._topologies = Buffer(np.int32)
        self._levels = Buffer(np.int8)
        self._changes = Buffer(np.int64)
        self._shape_changes = Buffer(np.int64)
        self._topology_ids = Names()
        self._last = (UNRECORDED, UNRECORDED)
        self.structure_count = 0

    def __len__(self) -> int:
        return len(self._topologies)

    def append(self, steps: StepTable) -> bool:
        """Adds the next steps of a tape; whether any had a structure that was new."""
        if not steps:
            return False
        indices, topologies = steps.column("steps"), steps.column("topologies")
        _put(self._topologies, indices, topologies, UNRECORDED)
        _put(self._levels, indices, _levels_of(steps), UNMEASURED)
        self._note_changes(indices, topologies, steps.column("shapes"))
        self._topology_ids = steps.names["topologies"]
        known, self.structure_count = self.structure_count, max(self.structure_count, int(topologies.max()) + 1)
        return self.structure_count > known

    @property
    def change_count(self) -> int:
        return len(self._changes)

    @property
    def structures(self) -> NDArray[np.int32]:
        """The structure's number at each step, (n,)."""
        return self._topologies.array

    def changes_between(self, first: float, last: float) -> NDArray[np.int64]:
        """The steps from `first` to `last` whose structure differs from that of the recorded step before them."""
        return between(self._changes.array, first, last)

    def shape_changes_between(self, first: float, last: float) -> NDArray[np.int64]:
        """The steps that kept the structure of the step before and changed only a shape, dtype or device."""
        return between(self._shape_changes.array, first, last)

    def structure(self, step: int) -> int:
        return int(self.structures[step])

    def nearest_measured(self, step: int, level: str) -> int | None:
        """The step closest to `step` that was recorded at this level or a higher one; the earlier of two."""
        levels, least, reach = self._levels.array, LEVELS.index(level), NEAR
        while True:
            first = max(step - reach, 0)
            measured = first + np.flatnonzero(levels[first : step + reach + 1] >= least)
            if len(measured):
                return int(measured[np.argmin(np.abs(measured - step))])
            if first == 0 and step + reach >= len(levels):
                return None
            reach *= FARTHER

    def topology_id(self, structure: int) -> str:
        return self._topology_ids[structure]

    def next_change(self, step: int) -> int | None:
        """The first step after `step` whose structure differs from its predecessor's."""
        later = self._changes.array[np.searchsorted(self._changes.array, step, side="right") :]
        return int(later[0]) if len(later) else None

    def previous_change(self, step: int) -> int | None:
        """The last such step before `step`; the first step of all where there is none."""
        place = int(np.searchsorted(self._changes.array, step)) - 1
        if place >= 0:
            return int(self._changes.array[place])
        return 0 if step > 0 else None

    def _note_changes(
        self, indices: NDArray[np.integer[Any]], topologies: NDArray[np.integer[Any]], shapes: NDArray[np.integer[Any]]
    ) -> None:
        is_recorded = topologies != UNRECORDED
        if not is_recorded.all():
            indices, topologies, shapes = indices[is_recorded], topologies[is_recorded], shapes[is_recorded]
        if not len(indices):
            return
        is_first_of_all = self._last[0] == UNRECORDED
        before = (topologies[0], shapes[0]) if is_first_of_all else self._last
        is_other, has_other_shape = _differs(topologies, before[0]), _differs(shapes, before[1])
        self._changes.append(indices[is_other])
        self._shape_changes.append(indices[has_other_shape & ~is_other])
        self._last = int(topologies[-1]), int(shapes[-1])


def between(steps: NDArray[np.int64], first: float, last: float) -> NDArray[np.int64]:
    """Those of growing steps that lie from `first` to `last`."""
    begin, end = np.searchsorted(steps, [math.ceil(first), math.floor(last) + 1])
    return steps[begin:end]


def _put(column: Buffer[Any], indices: NDArray[np.integer[Any]], values: NDArray[Any], missing: int) -> None:
    """Puts values at their indices, growing, behind what a column holds; and what stands for none between them."""
    first = len(column)
    column.resize(int(indices[-1]) + 1)
    new = column.array[first:]
    if len(new) == len(values):
        new[:] = values
    else:
        new[:] = missing
        new[indices - first] = values


def _differs(values: NDArray[np.integer[Any]], before: int) -> NDArray[np.bool_]:
    """Each from the one before it."""
    is_other = np.empty(len(values), bool)
    is_other[0] = values[0] != before
    np.not_equal(values[1:], values[:-1], out=is_other[1:])
    return is_other


def _levels_of(steps: StepTable) -> NDArray[np.int8]:
    """Numbers in `LEVELS`."""
    known = [LEVELS.index(text) if text in LEVELS else UNMEASURED for text in steps.names["levels"].texts]
    return np.array([*known, UNMEASURED], np.int8)[steps.column("levels")]
