"""Which module calls a first drawing opens."""

from collections import Counter

import networkx as nx

from tracer.model.call_tree import LIVE, call_depths
from tracer.model.visibility import ViewOptions, Visibility, call_of, visibility

# Boxes in a drawing: as many as are pleasant, so few that it says little, more than it should start with.
GOOD_BOXES, FEW_BOXES, MOST_BOXES = 60, 8, 150


def default_open(
    graph: nx.MultiDiGraph, *, show_parameters: bool = True, show_bookkeeping: bool = False
) -> frozenset[str]:
    """The calls to open at first: down to the deepest level that still draws about 60 boxes.

    A single call at the top is always opened, one with a single box in it never (it would show the same in a frame).
    Calls that made no nodes stay closed beside a graph; where there is none, they are all there is to show.
    """
    everything = frozenset(call["key"] for call in graph.graph.get("module_calls", ()))
    seen = visibility(graph, ViewOptions(everything, show_parameters, show_bookkeeping))
    callers = {call.parent for call in seen.calls.values()}
    openable = {
        key: call for key, call in seen.calls.items() if call.state == LIVE or (key in callers and not len(graph))
    }
    depths = call_depths(openable)
    content = _content(seen)
    content.update(
        call.parent
        for key, call in seen.calls.items()
        if key not in openable and (call.parent is None or call.parent in openable)
    )
    inner_calls = Counter(call.parent for call in openable.values())
    levels = _levels_to_open(depths, content)
    return frozenset(
        key for key, depth in depths.items() if depth < levels and (depth == 0 or inner_calls[key] + content[key] > 1)
    )


def _levels_to_open(depths: dict[str, int], content: "Counter[str | None]") -> int:
    calls_at = Counter(depths.values())
    content_at: Counter[int] = Counter()
    for key, count in content.items():
        content_at[0 if key is None else depths[key] + 1] += count
    deepest = max(calls_at, default=-1) + 1
    outside = 0  # boxes that lie in no closed call
    boxes = []  # by the number of levels opened
    for levels in range(deepest + 1):
        outside += content_at[levels]
        boxes.append(outside + calls_at[levels])
    chosen = 1 if calls_at[0] == 1 else 0
    while chosen < deepest and (
        boxes[chosen + 1] <= GOOD_BOXES or (boxes[chosen] < FEW_BOXES and boxes[chosen + 1] <= MOST_BOXES)
    ):
        chosen += 1
    return chosen


def _content(seen: Visibility) -> "Counter[str | None]":
    """How many boxes lie directly in each call (None: the top) when everything is open."""
    content: Counter[str | None] = Counter()
    for key, kind in seen.graph.nodes(data="kind"):
        if kind == "parameter":
            content.update(list(seen.uses[key]) if seen.options.show_parameters else ())
        elif key not in seen.hidden:
            content[call_of(seen.graph, key, seen.calls)] += 1
    return content
