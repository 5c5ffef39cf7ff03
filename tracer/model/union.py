"""One graph of everything the steps seen so far contained: a drawing of it can stay still while steps change."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

import networkx as nx

from tracer.model.call_tree import NO_GRAD, Call, call_tree, with_flow_of, with_states

EdgeKey = tuple[str, str, int, int]


class Union:
    """The union of step graphs: nodes by key, calls by call key, edges by ends and numbers.

    Everything keeps the attributes of its first appearance, but a call that ever made nodes is live. Each step graph
    is acyclic, their union need not be (a before b in one step, after it in another).
    """

    def __init__(self) -> None:
        self._topology_ids: set[str] = set()
        self._outlines: set[Hashable] = set()  # of the calls without nodes, which no topology id tells apart
        self._nodes: dict[str, Mapping[str, Any]] = {}
        self._edges: dict[EdgeKey, None] = {}
        self._calls: dict[str, Call] = {}
        self._unreached: dict[str, None] = {}
        self._only: nx.MultiDiGraph | None = None  # the first graph, until there is a second one
        self._graph: nx.MultiDiGraph | None = None

    def __len__(self) -> int:
        return len(self._nodes) if self._only is None else len(self._only)

    def __contains__(self, node_key: object) -> bool:
        return node_key in (self._nodes if self._only is None else self._only)

    @property
    def topology_ids(self) -> frozenset[str]:
        return frozenset(self._topology_ids)

    @property
    def graph(self) -> nx.MultiDiGraph:
        """The union as a graph like a step's (the same attributes), with its `call_tree` in place of flow and counts.

        It is built anew after the union grew and never changed afterwards: a worker may keep it.
        """
        if self._graph is None:
            self._graph = self._build()
        return self._graph

    def add(self, graph: nx.MultiDiGraph, topology_id: str) -> bool:
        """Take in a step's graph, which is not changed from now on; says whether the union grew. What was seen before
        costs a look at the calls and edges."""
        if not self._topology_ids:
            return self._begin(graph, topology_id)
        self._take_apart()
        outline = topology_id, _outline(graph)
        if outline in self._outlines:
            return False
        self._outlines.add(outline)
        self._topology_ids.add(topology_id)
        self._unreached.update(dict.fromkeys(graph.graph.get("unreached", ())))
        grew = self._add_calls(call_tree(graph)) | self._add_nodes_and_edges(graph)
        if grew:
            self._graph = None
        return grew

    def _begin(self, graph: nx.MultiDiGraph, topology_id: str) -> bool:
        """Most tapes have one structure: it is looked at edge by edge only when there is a second one."""
        self._only, self._graph = graph, None
        self._topology_ids.add(topology_id)
        self._unreached.update(dict.fromkeys(graph.graph.get("unreached", ())))
        return self._add_calls(call_tree(graph)) or len(graph) > 0

    def _take_apart(self) -> None:
        only, self._only = self._only, None
        if only is not None:
            self._outlines.update((topology_id, _outline(only)) for topology_id in self._topology_ids)
            self._add_nodes_and_edges(only)

    def _add_nodes_and_edges(self, graph: nx.MultiDiGraph) -> bool:
        edges = [key for key in _edge_keys(graph) if key not in self._edges]
        grew = bool(edges) or any(key not in self._nodes for key in graph)
        if grew:
            self._edges.update(dict.fromkeys(edges))
            self._add_nodes(graph)
        return grew

    def _add_nodes(self, graph: nx.MultiDiGraph) -> None:
        order = merge_order(self._nodes, graph)
        self._nodes = {key: self._nodes[key] if key in self._nodes else dict(graph.nodes[key]) for key in order}

    def _add_calls(self, calls: dict[str, Call]) -> bool:
        known = {key: with_flow_of(call, calls[key]) if key in calls else call for key, call in self._calls.items()}
        if known == self._calls and all(key in known for key in calls):
            return False
        order = merge_order(known, calls)
        every = {key: known.get(key) or calls[key] for key in order}
        self._calls = {key: every[key] for key in _parents_first(every)}
        return True

    def _build(self) -> nx.MultiDiGraph:
        graph = self._joined() if self._only is None else _sharing(self._only)
        made_nodes = {call for _, call in graph.nodes(data="call_key") if call is not None}
        calls = with_states(self._calls, made_nodes)
        position = {key: index for index, key in enumerate(self._calls)}
        graph.graph["module_calls"] = [
            {
                "path": call.path,
                "class": call.class_name,
                "call": call.number,
                "key": call.key,
                "parent": None if call.parent is None else position[call.parent],
                "training": True,
                "grad_enabled": call.state != NO_GRAD,
            }
            for call in calls.values()
        ]
        graph.graph["call_tree"] = calls
        graph.graph["unreached"] = [name for name in self._unreached if name not in graph]
        return graph

    def _joined(self) -> nx.MultiDiGraph:
        graph: nx.MultiDiGraph = nx.MultiDiGraph()
        graph.add_nodes_from(self._nodes.items())
        for source, target, output_nr, input_nr in self._edges:
            graph.add_edge(source, target, output_nr=output_nr, input_nr=input_nr)
        return graph


def merge_order(known: Iterable[str], incoming: Iterable[str]) -> list[str]:
    """`known` in its order, each new key of `incoming` right after the known key it follows there."""
    order = list(known)
    present = set(order)
    followers: dict[str | None, list[str]] = {}
    anchor: str | None = None
    for key in incoming:
        if key in present:
            anchor = key
        else:
            followers.setdefault(anchor, []).append(key)
    merged = followers.get(None, [])
    for key in order:
        merged.append(key)
        merged.extend(followers.get(key, ()))
    return merged


def _sharing(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The same nodes and edges, not copied, without what belongs to the graph as a whole."""
    shared: nx.MultiDiGraph = nx.graphviews.generic_graph_view(graph)
    shared.graph = {}
    return shared


def _edge_keys(graph: nx.MultiDiGraph) -> Iterator[EdgeKey]:
    for source, target, data in graph.edges(data=True):
        yield source, target, data["output_nr"], data["input_nr"]


def _outline(graph: nx.MultiDiGraph) -> Hashable:
    """Tells apart the graphs of one topology whose calls or keys differ."""
    records = graph.graph.get("module_calls", ())
    calls = tuple(
        (record["key"], record["class"], record["parent"], record["grad_enabled"], tuple(record.get("fed_by", ())))
        for record in records
    )
    return hash((calls, tuple(graph.edges(data="input_nr"))))


def _parents_first(calls: dict[str, Call]) -> list[str]:
    """Depth first: a call, then the calls made in it, siblings in the order given."""
    children: dict[str | None, list[str]] = {}
    for key, call in calls.items():
        children.setdefault(call.parent, []).append(key)
    order: list[str] = []
    waiting = children.get(None, [])[::-1]
    while waiting:
        key = waiting.pop()
        order.append(key)
        waiting.extend(reversed(children.get(key, ())))
    return order
