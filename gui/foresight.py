"""Which structures of a tape are laid out before they are asked for, so that going there moves nothing."""

from collections import deque

import numpy as np

from tracer.model.step_table import NONE, StepTable

FORESEEN_STRUCTURES, FORESEEN_NODES = 48, 4_000
"""No more than so many, and only while all that was seen together has fewer nodes."""
FORESEEN_AT_ONCE = 8_000
"""So many nodes are read before a picture is made, in a tenth of a second; the others when there is a picture."""


class Foresight:
    """Steps that stand for the structures to come, and for what runs without grad beside them, in order of the tape."""

    def __init__(self) -> None:
        self._keys: set[int] = set()
        self._waiting: deque[int] = deque()

    def note(self, steps: StepTable) -> None:
        """More steps of the tape."""
        topologies, evaluations = steps.column("topologies"), steps.column("evaluations")
        has_graph = np.flatnonzero(topologies != NONE)
        keys = topologies[has_graph].astype(np.int64) << 32 | (evaluations[has_graph] - NONE)
        firsts = np.sort(np.unique(keys, return_index=True)[1])
        for key, step in zip(keys[firsts].tolist(), steps.column("steps")[has_graph[firsts]].tolist(), strict=True):
            if len(self._keys) == FORESEEN_STRUCTURES:
                return
            if key not in self._keys:
                self._keys.add(key)
                self._waiting.append(step)

    def next(self, seen_nodes: int) -> int | None:
        """The next to be taken in, where so many nodes were seen in all; None for none."""
        return self._waiting.popleft() if self._waiting and seen_nodes < FORESEEN_NODES else None
