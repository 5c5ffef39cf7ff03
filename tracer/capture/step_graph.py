"""The graph of the step being formed: calls and passes as they come, a structure when the step closes."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from tracer.capture import hooks
from tracer.capture.assemble import assemble
from tracer.capture.calls import CallLog, Entries, module_calls
from tracer.capture.compiled import Compilations
from tracer.capture.ended_step import EndedStep, KnownStep
from tracer.capture.known import Known
from tracer.capture.names import Names
from tracer.capture.passes import Passes, See
from tracer.capture.sources import Sources
from tracer.capture.walk import LEAF_NUMBER
from tracer.model.fingerprint import shape_id, topology_id
from tracer.model.structure import ModuleCall, SourceLine, Structure
from tracer.store.records import StructureRecord

_MAX_KNOWN_NODES = 400_000  # about half a kilobyte each


Guard = Callable[[Callable[..., None]], Callable[..., None]]


class StepGraph:
    """Collects between `clear` and `end`. A step like one before costs a digest, a new one its names and shapes."""

    def __init__(self) -> None:
        self._names = Names()
        self._compilations = Compilations()
        self.log = CallLog(self._names)
        self._passes = Passes(self._names, self.log, self._compilations.inside_of)
        self._known: Known[KnownStep] = Known(_MAX_KNOWN_NODES)
        self._sources = Sources()
        self._disarm: hooks.Undo | None = None
        self._key, self._key_tokens = 0, -1
        self._undo: list[hooks.Undo] = []
        self._record: Callable[..., None] = self._passes.record

    @property
    def names(self) -> Names:
        return self._names

    @property
    def is_attached(self) -> bool:
        return bool(self._undo)

    @property
    def has_begun(self) -> bool:
        """Whether this step has seen a call with grad, or a backward."""
        return bool(self.log.tokens or self._passes.recorded)

    @property
    def n_evaluations(self) -> int:
        """Forward-only passes since the last step."""
        return sum(self.log.evaluations.values())

    def watch(self, guard: Guard, guard_alone: Guard) -> hooks.Undo:
        """Notice from now on, attached or not, what changes the names of modules and parameters, and what is compiled:
        this behind `guard_alone`, which leaves all else in place, for the compiler cannot bear its removal."""
        undo = [hooks.on_registrations(guard(self._names.note_registration)), self._compilations.attach(guard_alone)]

        def stop() -> None:
            while undo:
                undo.pop()()

        return stop

    def attach(self, guard: Guard) -> None:
        """A step begins: put the module hooks in where they are not, and note source lines where some are wanted."""
        if not self._undo:
            self._record = guard(self._passes.record)
            self.log.flow.attach(guard)
            self._undo.append(hooks.on_module_calls(guard(self.log.enter), guard(self.log.leave)))
        if self._sources.wants and self._disarm is None:
            self._disarm = self._sources.arm(guard)

    def detach(self) -> None:
        """Take the module hooks out and forget the step being formed."""
        self._disarm_sources()
        while self._undo:
            self._undo.pop()()
        self.clear()

    def record(self, roots: Sequence[torch.Tensor], kind: str, see: See | None = None) -> None:
        """A backward from `roots` is about to run. `see` is shown the nodes that it will visit, the roots first."""
        self._record(roots, kind, see)
        self._key = self._hash()  # here the lists are warm; after the optimizer went through all weights they are not

    def record_within(self, roots: Sequence[Any]) -> None:
        """A backward within a backward is about to run."""
        if self.is_attached:
            self._passes.record_within(roots)
            self._key_tokens = -1

    def record_unfinished(self, edges: Sequence[GradientEdge]) -> None:
        """The graph that ends there was built, but no backward will run through it."""
        if self.is_attached:
            self._record(edges, "partial", None)
            self._key_tokens = -1

    def ran_before(self) -> Callable[[Any], bool]:
        """Says whether a backward before the last one of the step may have run through a node."""
        numbers = {number + self.log.base for recorded in self._passes.recorded[:-1] for number in recorded.numbers}
        return lambda node: node._sequence_nr() < self.log.since or node._sequence_nr() in numbers

    def reached(self) -> set[int] | None:
        """Ids of the leaf tensors that the step's backwards reached so far, None where its graph is not captured."""
        if not self.is_attached:
            return None
        codes = {facts.leaf for recorded in self._passes.recorded for facts in recorded.nodes if facts.leaf is not None}
        return self._names.leaves(codes)

    def end(self) -> EndedStep:
        """The step as it is now. `clear` begins the next."""
        known = self._known_step()
        return EndedStep(known, self.evaluated(), self._lines(known), self.log.base, self._entries, self._names)

    def so_far(self) -> StructureRecord | None:
        """The structure as it is now; None where no backward has run yet."""
        return self._known_step().record if self._passes.recorded else None

    def line(self, key: str) -> SourceLine | None:
        """The source line last seen of a node."""
        return self._sources.last_line(key)

    def trace_sources(self) -> None:
        """Note the source lines of the next step again."""
        self._sources.request()

    def evaluated(self) -> tuple[ModuleCall, ...]:
        """The calls of the forward-only passes since the last step, equal passes once."""
        if not self.log.evaluations:
            return ()
        calls: list[ModuleCall] = []
        for tokens, count in self.log.evaluations.items():
            offset = len(calls)
            for call in module_calls(tokens, self._names, count)[0]:
                parent = None if call.parent is None else call.parent + offset
                calls.append(replace(call, parent=parent))
        flow = self.log.flow.fed_by(list(self.log.evaluations))
        return tuple(replace(call, fed_by=fed_by) for call, fed_by in zip(calls, flow, strict=True))

    def clear(self) -> None:
        self.log.clear()
        self._passes.clear()
        self._names.forget_anonymous()
        self._sources.clear()
        self._key_tokens = -1

    def _known_step(self) -> KnownStep:
        key = self._key if self._key_tokens == len(self.log.tokens) else self._hash()
        known = self._known.get(key)
        if known is None or known.is_outdated:
            structure, numbers = assemble(self._passes.recorded, self._entries(), self._names, self._passes.hidden)
            reached = {node.parameter for node in structure.nodes}
            known = KnownStep(_fingerprinted(structure), array("q", numbers), self._names.others(reached))
            self._known.add(key, known, len(structure.nodes))
        return known

    def _lines(self, known: KnownStep) -> tuple[SourceLine | None, ...] | None:
        """Source lines to put on the tape: all of them in a step in which they were noted, in another those of nodes
        that were met before."""
        is_armed = self._disarm is not None
        self._disarm_sources()
        if known.has_lines and not is_armed:
            return None
        keys = [node.key for node in known.record.structure.nodes]
        numbers = [None if number == LEAF_NUMBER else number + self.log.base for number in known.numbers]
        lines = self._sources.lines(keys, numbers)
        known.has_lines = self._sources.is_complete
        return lines if any(lines) else None

    def _disarm_sources(self) -> None:
        if self._disarm is not None:
            self._disarm()
            self._disarm = None

    def _hash(self) -> int:
        """Equal for steps with equal passes and calls."""
        self._key_tokens = len(self.log.tokens)
        log: tuple[object, ...] = self.log.tokens.tobytes(), self.log.marks.tobytes()
        if self._passes.reach_beyond:
            entries = self._entries()
            log = *entries.tokens, *entries.marks
        passes = [recorded.key for recorded in self._passes.recorded]
        return hash((*passes, self._names.version, *sorted(self._passes.hidden), *log))

    def _entries(self) -> Entries:
        return self.log.entries([number for recorded in self._passes.recorded for number in recorded.numbers])


def _fingerprinted(structure: Structure) -> StructureRecord:
    topology = topology_id(structure)
    return StructureRecord(structure, topology, shape_id(structure, topology))
