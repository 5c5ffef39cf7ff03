"""The backward passes of the step being formed: what each reached, remembered by digest so that a known pass costs no
names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tracer.capture.calls import CallLog
from tracer.capture.names import Names
from tracer.capture.walk import NodeFacts, TypeCodes, Walk, describe, digest, sequence_numbers, walk
from tracer.model.structure import Shape


@dataclass(frozen=True, slots=True)
class RootFacts:
    """A tensor that a pass started from: the position of its node, which output of it, and how it looks."""

    position: int
    output_nr: int
    shape: Shape
    dtype: str
    device: str


@dataclass(frozen=True, slots=True)
class PassFacts:
    """What is the same whenever a pass with this digest is met."""

    digest: bytes
    nodes: tuple[NodeFacts, ...]
    roots: tuple[RootFacts, ...]


@dataclass(frozen=True, slots=True)
class RecordedPass:
    """One backward of this step. `sequence_nrs` (n,) uint64 and `log_positions` (n,) int64 go with `facts.nodes`."""

    kind: str
    facts: PassFacts
    sequence_nrs: NDArray[np.uint64]
    log_positions: NDArray[np.int64]


class Passes:
    """Walks each backward and keeps the step's list of them."""

    def __init__(self, names: Names, log: CallLog) -> None:
        self.recorded: list[RecordedPass] = []
        self._names = names
        self._log = log
        self._types: dict[type, int | None] = {}
        self._type_codes = TypeCodes()
        self._known: dict[bytes, PassFacts] = {}

    def record(self, roots: Sequence[torch.Tensor], kind: str) -> None:
        """Walk from `roots`, those that have a graph; must run before the engine frees it."""
        roots = [root for root in roots if root.requires_grad]
        if not roots:
            return
        found = walk(roots, self._types, self._type_codes, self._names.leaf_code)
        numbers = sequence_numbers(found.nodes)
        positions = self._log.positions(numbers)
        order = np.argsort(numbers, kind="stable")
        key = digest(found.codes, positions, order)
        facts = self._known.get(key)
        if facts is None:
            facts = self._known[key] = PassFacts(key, describe(found, self._names.leaf_code), _root_facts(found))
        self.recorded.append(RecordedPass(kind, facts, numbers, positions))

    def clear(self) -> None:
        """Begin the next step."""
        self.recorded.clear()


def _root_facts(found: Walk) -> tuple[RootFacts, ...]:
    return tuple(
        RootFacts(
            found.codes[2 * at],
            root.output_nr,
            tuple(root.shape) if not root.is_nested else (),
            str(root.dtype).removeprefix("torch."),
            str(root.device),
        )
        for at, root in enumerate(found.roots)
    )


def overlap(passes: Sequence[RecordedPass]) -> list[NDArray[Any]]:
    """What tells apart steps whose passes are alike but share different nodes: where each pass's numbers stand in
    those before."""
    return [
        np.searchsorted(np.sort(earlier.sequence_nrs), later.sequence_nrs)
        for at, later in enumerate(passes)
        for earlier in passes[:at]
    ]
