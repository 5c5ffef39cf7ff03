"""Which structures of a tape are laid out before they are asked for, so that going there moves nothing."""

from collections import deque
from collections.abc import Iterable

from gui.step_graphs import evaluations
from tracer import Step

FORESEEN_STRUCTURES, FORESEEN_NODES = 48, 4_000
"""No more than so many, and only while all that was seen together has fewer nodes."""
FORESEEN_AT_ONCE = 8_000
"""So many nodes are read before a picture is made, in a tenth of a second; the others when there is a picture."""


class Foresight:
    """Steps that stand for the structures to come, and for what runs without grad beside them, in order of the tape."""

    def __init__(self) -> None:
        self._keys: set[tuple[str, int]] = set()
        self._waiting: deque[Step] = deque()

    def note(self, steps: Iterable[Step]) -> None:
        """More steps of the tape."""
        for step in steps:
            key = step.topology_id, evaluations(step)
            if step.topology_id and key not in self._keys and len(self._keys) < FORESEEN_STRUCTURES:
                self._keys.add(key)
                self._waiting.append(step)

    def next(self, seen_nodes: int) -> Step | None:
        """The next to be taken in, where so many nodes were seen in all; None for none."""
        return self._waiting.popleft() if self._waiting and seen_nodes < FORESEEN_NODES else None
