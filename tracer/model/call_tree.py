"""The module calls of a graph that are drawn: which call lies in which, and which of them made no graph."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx

from tracer.model.call_keys import call_keys, parent_of, unmarked

LIVE, DETACHED, NO_BACKWARD, NO_GRAD = "live", "detached", "no backward", "no grad"
GRAPHLESS = (DETACHED, NO_BACKWARD, NO_GRAD)

# With grad, these hand on what they get, or may: a call without nodes does not mean that the gradient stops there.
_PASSING_ON = frozenset(
    {
        *("Identity", "Flatten", "Unflatten", "Sequential", "ModuleList", "QuantStub", "DeQuantStub", "FakeQuantize"),
        *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"),
        *("DropPath", "StochasticDepth"),
    }
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module. `parent` is the key of the call it was made in, None at the top.

    `state` is LIVE with nodes at or below it, NO_GRAD without grad, DETACHED: with grad, but no backward of the step
    reached it, or NO_BACKWARD: with grad, but the training ended before one ran. `count` is how many equal calls it
    stands for, `fed_by` are the keys of the calls whose outputs came in, as far as known.
    """

    key: str
    path: str
    class_name: str
    number: int
    parent: str | None
    state: str = LIVE
    count: int = 1
    fed_by: tuple[str, ...] = ()


def call_tree(graph: nx.MultiDiGraph) -> dict[str, Call]:
    """The calls by key, parents first, in call order; those of forward-only passes after all others.

    Left out are calls that may have handed on their input. Equal calls without nodes, side by side in a call with
    some or at the top, are one with a count, unless it is known what flowed between them.
    """
    known: dict[str, Call] | None = graph.graph.get("call_tree")
    if known is not None:
        return known
    return _Tree(graph).calls()


def call_depths(calls: dict[str, Call]) -> dict[str, int]:
    """How many calls lie around each call: 0 at the top."""
    depths: dict[str, int] = {}
    for key, call in calls.items():
        depths[key] = 0 if call.parent is None else depths[call.parent] + 1
    return depths


class _Tree:
    """The records of one graph, by position."""

    def __init__(self, graph: nx.MultiDiGraph) -> None:
        self.records: Sequence[Mapping[str, Any]] = graph.graph.get("module_calls", ())
        self.reachless = NO_BACKWARD if graph.graph.get("lacks_backward") else DETACHED
        self.keys = call_keys(graph)
        self.parents = [parent_of(self.records, position) for position in range(len(self.records))]
        self.live = self._with_ancestors({call for _, call in graph.nodes(data="call_key") if call is not None})
        self.stand_ins = list(range(len(self.records)))  # for each call the one that it is drawn as, -1 for none
        self.counts = [int(record.get("count", 1)) for record in self.records]

    def calls(self) -> dict[str, Call]:
        self._leave_out()
        self._fold()
        calls = [self._call(position) for position, drawn in enumerate(self.stand_ins) if drawn == position]
        in_training, in_passes = [], []
        passes: set[str] = set()
        for call in calls:
            if call.parent in passes or (call.parent is None and call.state == NO_GRAD):
                passes.add(call.key)
                in_passes.append(call)
            else:
                in_training.append(call)
        return {call.key: call for call in (*in_training, *in_passes)}

    def _call(self, position: int) -> Call:
        record, above = self.records[position], self.parents[position]
        sources = (self.stand_ins[at] for at in record.get("fed_by", ()) if 0 <= at < len(self.records))
        fed_by = dict.fromkeys(self.keys[at] for at in sources if at not in (-1, position))
        return Call(
            self.keys[position],
            record["path"],
            record["class"],
            record["call"],
            None if above is None else self.keys[above],
            self._state(position),
            self.counts[position],
            tuple(fed_by),
        )

    def _state(self, position: int) -> str:
        if position in self.live:
            return LIVE
        return self.reachless if self.records[position]["grad_enabled"] else NO_GRAD

    def _is_outermost(self, position: int) -> bool:
        """Whether a call without nodes lies in one with nodes, or in none."""
        above = self.parents[position]
        return position not in self.live and (above is None or above in self.live)

    def _with_ancestors(self, used: set[str]) -> set[int]:
        live: set[int] = set()
        for position, key in enumerate(self.keys):
            at: int | None = position if key in used else None
            while at is not None and at not in live:
                live.add(at)
                at = self.parents[at]
        return live

    def _leave_out(self) -> None:
        passes_on = [record["class"] in _PASSING_ON for record in self.records]
        for position in range(len(self.records) - 1, -1, -1):
            above = self.parents[position]
            if above is not None and not passes_on[position]:
                passes_on[above] = False
        for position, does in enumerate(passes_on):
            above = self.parents[position]
            is_gone = does and self._state(position) == self.reachless and self._is_outermost(position)
            if is_gone or (above is not None and self.stand_ins[above] == -1):
                self.stand_ins[position] = -1

    def _fold(self) -> None:
        """Lets the first of equal calls stand for the others, with all that is below them."""
        outlines = self._outlines()
        flows = {at for record in self.records for at in record.get("fed_by", ())}
        first: dict[tuple[int | None, int], int] = {}
        for position, above in enumerate(self.parents):
            if above is not None and self.stand_ins[above] != above:
                self.stand_ins[position] = -1 if self.stand_ins[above] == -1 else self.stand_ins[above]
            elif self.stand_ins[position] == -1 or not self._is_outermost(position):
                continue
            elif position not in flows and not self.records[position].get("fed_by"):
                stand_in = first.setdefault((above, outlines[position]), position)
                if stand_in != position:
                    self.stand_ins[position] = stand_in
                    self.counts[stand_in] += self.counts[position]

    def _outlines(self) -> list[int]:
        """A number for each call, the same for calls of the same paths with the same calls below."""
        below: list[list[int]] = [[] for _ in self.records]
        numbers: dict[tuple[object, ...], int] = {}
        outlines = [0] * len(self.records)
        for position in range(len(self.records) - 1, -1, -1):
            record, above = self.records[position], self.parents[position]
            outline = (record["path"], record["class"], self._state(position), *below[position])
            outlines[position] = numbers.setdefault(outline, len(numbers))
            if above is not None:
                below[above].append(outlines[position])
        return outlines


def with_flow_of(first: Call, second: Call) -> Call:
    """A call with what is known of it in another step as well."""
    fed_by = tuple(dict.fromkeys((*first.fed_by, *second.fed_by)))
    return first if fed_by == first.fed_by else replace(first, fed_by=fed_by)


def with_states(calls: Mapping[str, Call], made_nodes: Set[str]) -> dict[str, Call]:
    """The calls, live where they or one below made nodes and nowhere else."""
    live: set[str] = set()
    for key in made_nodes & calls.keys():
        at: str | None = key
        while at is not None and at not in live:
            live.add(at)
            at = calls[at].parent
    return {key: _as(call, LIVE if key in live else _state_without_nodes(call)) for key, call in calls.items()}


def _as(call: Call, state: str) -> Call:
    return call if call.state == state else replace(call, state=state)


def _state_without_nodes(call: Call) -> str:
    """Its own, but for a call whose content other steps saw elsewhere."""
    if call.state != LIVE:
        return call.state
    return NO_GRAD if unmarked(call.key)[1] else DETACHED
