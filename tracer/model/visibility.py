"""What of a graph is visible: which calls are open, which ops are hidden, in which calls a parameter is used."""

from dataclasses import dataclass

import networkx as nx

from tracer.model.bookkeeping import BOOKKEEPING_OPS
from tracer.model.call_tree import LIVE, NO_GRAD, Call, call_tree


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What to show. `open_groups` are the keys of the module calls whose content is drawn, `unfolded` those of the
    folds whose copies are drawn one by one."""

    open_groups: frozenset[str] = frozenset()
    show_parameters: bool = True
    show_bookkeeping: bool = False
    show_forward_only: bool = True
    folds_repeats: bool = True
    unfolded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the nodes of a call are drawn: within the closed call `box`, or freely in `frame` (None: the top)."""

    frame: str | None
    box: str | None


@dataclass(frozen=True, slots=True)
class Visibility:
    """What the options make of a graph. `uses` are a parameter's box keys by the call that uses it, earliest first."""

    graph: nx.MultiDiGraph
    options: ViewOptions
    calls: dict[str, Call]
    places: dict[str | None, Place]
    uses: dict[str, dict[str | None, str]]
    hidden: frozenset[str]

    def place_of(self, node: str) -> Place:
        """Of an op, an input or an output."""
        return self.places[call_of(self.graph, node, self.calls)]


def visibility(graph: nx.MultiDiGraph, options: ViewOptions) -> Visibility:
    calls = _shown_calls(graph, options)
    places = _places(calls, options.open_groups)
    uses = _parameter_uses(graph, calls)
    hidden = frozenset() if options.show_bookkeeping else _hidden_ops(graph, options, calls, places, uses)
    return Visibility(graph, options, calls, places, uses, hidden)


def call_of(graph: nx.MultiDiGraph, node: str, calls: dict[str, Call]) -> str | None:
    """The innermost call that made a node, None outside any."""
    key: str | None = graph.nodes[node].get("call_key")
    return key if key in calls else None


def _shown_calls(graph: nx.MultiDiGraph, options: ViewOptions) -> dict[str, Call]:
    """All calls, or those with grad; where there is nothing but forward-only calls they are shown in any case."""
    calls = call_tree(graph)
    if options.show_forward_only or not graph:
        return calls
    shown: dict[str, Call] = {}
    for key, call in calls.items():
        if call.state != NO_GRAD and (call.parent is None or call.parent in shown):
            shown[key] = call
    return shown


def _places(calls: dict[str, Call], open_groups: frozenset[str]) -> dict[str | None, Place]:
    places: dict[str | None, Place] = {None: Place(None, None)}
    callers = {call.parent for call in calls.values()}
    for key, call in calls.items():
        above = places[call.parent]
        if above.box is not None:
            places[key] = above
        elif key in open_groups and (call.state == LIVE or key in callers):
            places[key] = Place(key, None)
        else:
            places[key] = Place(above.frame, key)
    return places


def _parameter_uses(graph: nx.MultiDiGraph, calls: dict[str, Call]) -> dict[str, dict[str | None, str]]:
    """The first use has the parameter's own key, the others `name@call key`."""
    position: dict[str | None, int] = {key: index for index, key in enumerate(calls)}
    position[None] = len(calls)
    uses: dict[str, dict[str | None, str]] = {}
    for key, kind in graph.nodes(data="kind"):
        if kind == "parameter":
            users = {call_of(graph, user, calls) for user in graph.successors(key)} or {None}
            ordered = sorted(users, key=position.__getitem__)
            uses[key] = {call: f"{key}@{call or ''}" for call in ordered}
            uses[key][ordered[0]] = key
    return uses


def _hidden_ops(
    graph: nx.MultiDiGraph,
    options: ViewOptions,
    calls: dict[str, Call],
    places: dict[str | None, Place],
    uses: dict[str, dict[str | None, str]],
) -> frozenset[str]:
    """Bookkeeping ops that would be drawn in a frame with something else in it."""
    filled: set[str | None] = {call.parent for call in calls.values()} | {None}
    if options.show_parameters:
        filled.update(call for calls_using in uses.values() for call in calls_using)
    candidates: list[tuple[str, str | None]] = []
    for key, node in graph.nodes.items():
        if node["kind"] == "parameter":
            continue
        call = call_of(graph, key, calls)
        if node["kind"] == "op" and node["op"] in BOOKKEEPING_OPS:
            if places[call].box is None:
                candidates.append((key, call))
        else:
            filled.add(call)
    return frozenset(key for key, call in candidates if call in filled)
