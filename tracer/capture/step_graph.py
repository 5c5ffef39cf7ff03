"""The graph of the step being formed: calls and passes as they come, a structure when the step closes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from tracer.capture import hooks
from tracer.capture.assemble import assemble
from tracer.capture.calls import CallLog, Entries, module_calls
from tracer.capture.known import Known
from tracer.capture.names import Names
from tracer.capture.passes import Passes
from tracer.model.fingerprint import shape_id, topology_id
from tracer.model.structure import ModuleCall, Structure
from tracer.store.writer import StructureRecord

_MAX_KNOWN_NODES = 400_000  # about half a kilobyte each

Guard = Callable[[Callable[..., None]], Callable[..., None]]


class StepGraph:
    """Collects between `clear` and `take`. A step like one before costs a digest, a new one its names and shapes."""

    def __init__(self) -> None:
        self._names = Names()
        self._log = CallLog(self._names)
        self._passes = Passes(self._names, self._log)
        self._known: Known[StructureRecord] = Known(_MAX_KNOWN_NODES)
        self._key, self._key_tokens = 0, -1
        self._undo: list[hooks.Undo] = []
        self._record: Callable[..., None] = self._passes.record

    @property
    def is_attached(self) -> bool:
        return bool(self._undo)

    @property
    def has_begun(self) -> bool:
        """Whether this step has seen a call with grad, or a backward."""
        return bool(self._log.tokens or self._passes.recorded)

    @property
    def n_evaluations(self) -> int:
        """Forward-only passes since the last step."""
        return sum(self._log.evaluations.values())

    def watch(self, guard: Guard) -> hooks.Undo:
        """Notice from now on, attached or not, what changes the names of modules and parameters."""
        return hooks.on_registrations(guard(self._names.note_registration))

    def attach(self, guard: Guard) -> None:
        """Put the module hooks in."""
        if not self._undo:
            self._record = guard(self._passes.record)
            self._log.flow.attach(guard)
            self._undo.append(hooks.on_module_calls(guard(self._log.enter), guard(self._log.leave)))

    def detach(self) -> None:
        """Take the module hooks out and forget the step being formed."""
        while self._undo:
            self._undo.pop()()
        self.clear()

    def record(self, roots: Sequence[torch.Tensor], kind: str) -> None:
        """A backward from `roots` is about to run."""
        self._record(roots, kind)
        self._key = self._hash()  # here the lists are warm; after the optimizer went through all weights they are not

    def record_within(self, roots: Sequence[Any]) -> None:
        """A backward within a backward is about to run."""
        if self.is_attached:
            self._passes.record_within(roots)
            self._key_tokens = -1

    def reached(self) -> set[int] | None:
        """Ids of the leaf tensors that the step's backwards reached so far, None where its graph is not captured."""
        if not self.is_attached:
            return None
        codes = {facts.leaf for recorded in self._passes.recorded for facts in recorded.nodes if facts.leaf is not None}
        return self._names.leaves(codes)

    def take(self) -> tuple[StructureRecord, tuple[ModuleCall, ...]]:
        """The structure of the step and the calls of its forward-only passes; begins the next step."""
        try:
            return self._structure(), self.evaluated()
        finally:
            self.clear()

    def evaluated(self) -> tuple[ModuleCall, ...]:
        """The calls of the forward-only passes since the last step, equal passes once."""
        calls: list[ModuleCall] = []
        for tokens, count in self._log.evaluations.items():
            offset = len(calls)
            for call in module_calls(tokens, self._names, count)[0]:
                parent = None if call.parent is None else call.parent + offset
                calls.append(replace(call, parent=parent))
        flow = self._log.flow.fed_by(list(self._log.evaluations))
        return tuple(replace(call, fed_by=fed_by) for call, fed_by in zip(calls, flow, strict=True))

    def clear(self) -> None:
        self._log.clear()
        self._passes.clear()
        self._names.forget_anonymous()
        self._key_tokens = -1

    def _structure(self) -> StructureRecord:
        key = self._key if self._key_tokens == len(self._log.tokens) else self._hash()
        known = self._known.get(key)
        if known is None:
            structure = assemble(self._passes.recorded, self._entries(), self._names, self._passes.hidden)
            known = _fingerprinted(structure)
            self._known.add(key, known, len(structure.nodes))
        return known

    def _hash(self) -> int:
        """Equal for steps with equal passes and calls."""
        self._key_tokens = len(self._log.tokens)
        log: tuple[object, ...] = self._log.tokens.tobytes(), self._log.marks.tobytes()
        if self._passes.reach_beyond:
            entries = self._entries()
            log = *entries.tokens, *entries.marks
        parameters = self._names.frozen(), frozenset(self._passes.hidden)
        return hash((*(recorded.key for recorded in self._passes.recorded), *parameters, *log))

    def _entries(self) -> Entries:
        return self._log.entries([number for recorded in self._passes.recorded for number in recorded.numbers])


def _fingerprinted(structure: Structure) -> StructureRecord:
    topology = topology_id(structure)
    return StructureRecord(structure, topology, shape_id(structure, topology))
