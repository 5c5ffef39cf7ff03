"""The graphs of a tape's steps, what differs between them and why, each read or made once."""

from collections.abc import Hashable

import networkx as nx

from gui.recent import Recent
from tracer import Cause, GraphDiff, Step, Tape
from tracer.model.call_tree import call_tree
from tracer.model.causes import causes
from tracer.model.diff import diff, diff_of_calls

CACHED_GRAPHS, CACHED_DIFFS = 64, 256


class StepGraphs:
    """Of one tape, in the thread that opened it."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._graphs: Recent[nx.MultiDiGraph] = Recent(CACHED_GRAPHS)
        self._calls: Recent[frozenset[str]] = Recent(CACHED_GRAPHS)
        self._diffs: Recent[GraphDiff] = Recent(CACHED_DIFFS)
        self._causes: Recent[tuple[Cause, ...]] = Recent(CACHED_DIFFS)
        self._folder = tape.meta.get("folder", "")

    def of(self, step: Step) -> nx.MultiDiGraph:
        """The graph of a step: the same object for all steps that share it. Raises TapeError where it has none."""
        key = key_of(step), self._tape.lines_digest(step.index)
        return self._graphs.get(key, lambda: self._tape.graph(step.index))

    def has_lines(self, step: Step) -> bool:
        """Whether source lines are known."""
        return self._tape.lines_digest(step.index) is not None

    def diff(self, before: Step, after: Step) -> GraphDiff | None:
        """What leads from one step to the other; None where one has no graph."""
        if not before.topology_id or not after.topology_id:
            return None
        return self._diffs.get((key_of(before), key_of(after)), lambda: self._compare(before, after))

    def causes(self, before: Step, after: Step) -> tuple[Cause, ...]:
        """Why one step differs from the other, by what is known of source lines so far; nothing where one has no
        graph."""
        found = self.diff(before, after)
        if found is None:
            return ()
        ends = self._tape.broken_off(before.index), self._tape.broken_off(after.index)
        keys = ((key_of(step), self._tape.lines_digest(step.index)) for step in (before, after))
        return self._causes.get(
            (*keys, ends), lambda: causes(self.of(before), self.of(after), found, self._folder, ends)
        )

    def _compare(self, before: Step, after: Step) -> GraphDiff:
        compare = diff_of_calls if before.shape_id == after.shape_id else diff
        return compare(self.of(before), self.of(after), (self._calls_of(before), self._calls_of(after)))

    def _calls_of(self, step: Step) -> frozenset[str]:
        return self._calls.get(key_of(step), lambda: frozenset(call_tree(self.of(step))))


def key_of(step: Step) -> Hashable:
    """Steps of one shape share their graph, unless forward-only passes add module calls of their own, or no backward
    ran."""
    return step.index if evaluations(step) or step.lacks_backward else step.shape_id


def evaluations(step: Step) -> int:
    """How many forward-only passes it has."""
    return sum(one.kind == "forward" for one in step.passes)
