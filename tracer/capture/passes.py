"""The backward passes of the step being formed: what each reached, remembered by hash, so that a known pass costs no
names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tracer.capture.calls import NO_BASE, CallLog
from tracer.capture.hidden import parameters_below
from tracer.capture.known import Known
from tracer.capture.names import Names
from tracer.capture.walk import NodeFacts, Root, Walk, Walker, describe, looks, root_of
from tracer.model.structure import Inside, Shape

See = Callable[[Sequence[Any]], None]
_MAX_KNOWN_NODES = 200_000  # about half a kilobyte each


@dataclass(frozen=True, slots=True)
class RootFacts:
    """A tensor that a pass started from: the position of its node, which output of it, and how it looks."""

    position: int
    output_nr: int
    shape: Shape
    dtype: str
    device: str


@dataclass(frozen=True, slots=True)
class RecordedPass:
    """One backward. `numbers` are the nodes' sequence numbers relative to the step's base; `key` is equal for equal
    passes."""

    kind: str
    key: int
    oldest: int
    nodes: tuple[NodeFacts, ...]
    numbers: tuple[int, ...]
    roots: tuple[RootFacts, ...]

    @property
    def reaches_back(self) -> bool:
        """Whether it reached nodes made before the step's first module call, in an earlier step perhaps."""
        return self.oldest < 0


class Passes:
    """Walks each backward and keeps the step's list of them."""

    def __init__(self, names: Names, log: CallLog, inside_of: Callable[[Any], Inside | None]) -> None:
        self.recorded: list[RecordedPass] = []
        self.hidden: set[int] = set()  # codes of the parameters that backwards within them reached
        self._names = names
        self._log = log
        self._inside_of = inside_of
        self._walker = Walker(names.codes, names.leaf_code)
        self._known: Known[RecordedPass] = Known(_MAX_KNOWN_NODES)

    @property
    def reach_beyond(self) -> bool:
        """Whether they may have reached nodes made in earlier steps or on other threads."""
        return self._log.has_other_threads or any(recorded.reaches_back for recorded in self.recorded)

    def record(self, tensors: Sequence[torch.Tensor], kind: str, see: See | None = None) -> None:
        """Walk from those of `tensors` that have a graph; must run before the engine frees it. `see` is shown the
        nodes.

        Where no module was called yet, the first root's sequence number becomes the step's base.
        """
        roots = [root for tensor in tensors if (root := root_of(tensor)) is not None]
        if not roots:
            return
        self._names.refresh()
        self._log.train_here()
        if self._log.base == NO_BASE:
            self._log.base = roots[0].node._sequence_nr()
        found = self._walker.walk(roots, self._log.base)
        key = hash((kind, found.key))
        self._log.renumber(found.nodes, found.numbers)
        if self._log.has_other_threads:
            key = hash((key, *found.numbers))
        known = self._known.get(key)
        if known is None:
            known = self._learn(kind, key, roots, found)
        self.recorded.append(known)
        if see is not None:
            see(found.nodes)

    def record_within(self, roots: Sequence[Any]) -> None:
        """A backward within a backward: what it reaches, the step's loss reached, although autograd hides how."""
        self.hidden.update(self._names.leaf_code(parameter) for parameter in parameters_below(roots))

    def clear(self) -> None:
        """Begin the next step."""
        self.recorded = []
        self.hidden = set()

    def _learn(self, kind: str, key: int, roots: Sequence[Root], found: Walk) -> RecordedPass:
        nodes = describe(found, self._names.leaf_code, self._inside_of)
        facts = tuple(RootFacts(at, root.output_nr, *looks(root)) for at, root in zip(found.roots, roots, strict=True))
        learnt = RecordedPass(kind, key, min(found.numbers), nodes, tuple(found.numbers), facts)
        self._known.add(key, learnt, len(nodes))
        return learnt
