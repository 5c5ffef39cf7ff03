"""A step whose graph is complete: its structure, and what its things are called on the tape."""

import weakref
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from tracer.capture.calls import module_calls
from tracer.capture.entries import Entries
from tracer.capture.names import Names
from tracer.capture.walk import LEAF_NUMBER
from tracer.model.structure import ModuleCall, Node, SourceLine
from tracer.store.records import StructureRecord


@dataclass(slots=True)
class KnownStep:
    """What is remembered of a structure. `numbers` are its nodes' sequence numbers relative to the step's base,
    `LEAF_NUMBER` where they have none; `others` the parameters that are not in the graph, `trainable` whether each
    requires grad; `has_lines` says whether its source lines are on the tape."""

    record: StructureRecord
    numbers: "array[int]"
    others: tuple["weakref.ref[torch.Tensor]", ...]
    trainable: list[bool] = field(init=False)
    has_lines: bool = False

    def __post_init__(self) -> None:
        self.trainable = self._are_trainable()

    @property
    def is_outdated(self) -> bool:
        """Whether a parameter that its steps do not reach was frozen or thawed since."""
        return bool(self.others) and self.trainable != self._are_trainable()

    def _are_trainable(self) -> list[bool]:
        found = (reference() for reference in self.others)
        return [parameter is not None and parameter.requires_grad for parameter in found]


class EndedStep:
    """To be used before the call log is cleared; implements `probe.Keys`."""

    def __init__(
        self,
        known: KnownStep,
        evaluated: tuple[ModuleCall, ...],
        lines: Sequence[SourceLine | None] | None,
        base: int,
        entries: Callable[[], Entries],
        names: Names,
    ) -> None:
        """`lines` are those of the structure's nodes where they are to be put on the tape; `entries` gives those of the
        log with the calls of earlier steps that the graph reaches back to."""
        self.structure = known.record
        self.evaluated = evaluated
        self.lines = lines
        self._numbers = known.numbers
        self._base = base
        self._read_entries = entries
        self._names = names

    def call(self, position: int) -> str | None:
        at = self.call_at(position)
        return None if at is None else self.structure.structure.calls[at].key

    def call_at(self, position: int) -> int | None:
        """The same as `call`, as an index of the structure's calls."""
        return self._innermost[self._entries.n_earlier + position]

    def node(self, number: int) -> str | None:
        node = self._nodes.get(number)
        return None if node is None else node.key

    def node_made_as(self, number: int) -> Node | None:
        """The node with this absolute sequence number."""
        return self._nodes.get(number - self._base)

    def parameter(self, tensor: torch.Tensor) -> str | None:
        code = self._names.codes.get(id(tensor))
        return None if code is None else self._names.parameter_name(code)

    @cached_property
    def _nodes(self) -> dict[int, Node]:
        pairs = zip(self._numbers, self.structure.structure.nodes, strict=True)
        return {number: node for number, node in pairs if number != LEAF_NUMBER}

    @cached_property
    def _entries(self) -> Entries:
        return self._read_entries()

    @cached_property
    def _innermost(self) -> list[int | None]:
        return module_calls(self._entries.tokens, self._names)[1]
