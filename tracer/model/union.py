"""One graph of everything the steps seen so far contained: a drawing of it can stay still while steps change."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import networkx as nx

from tracer.model.call_tree import Call, call_tree

EdgeKey = tuple[str, str, int, int]


class Union:
    """The union of step graphs: nodes by key, calls by call key, edges by ends and numbers.

    Everything keeps the attributes of its first appearance. Each step graph is acyclic, their union need not be
    (a before b in one step, after it in another).
    """

    def __init__(self) -> None:
        self._topology_ids: set[str] = set()
        self._nodes: dict[str, Mapping[str, Any]] = {}
        self._edges: dict[EdgeKey, None] = {}
        self._calls: dict[str, Call] = {}
        self._unreached: dict[str, None] = {}
        self._graph: nx.MultiDiGraph | None = None

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, node_key: object) -> bool:
        return node_key in self._nodes

    @property
    def topology_ids(self) -> frozenset[str]:
        return frozenset(self._topology_ids)

    @property
    def graph(self) -> nx.MultiDiGraph:
        """The union as a graph like a step's (the same attributes; calls that made nothing are left out).

        It is built anew after the union grew and never changed afterwards: a worker may keep it.
        """
        if self._graph is None:
            self._graph = self._build()
        return self._graph

    def add(self, graph: nx.MultiDiGraph, topology_id: str) -> bool:
        """Take in a step's graph; says whether the union grew. A topology seen before costs one look-up."""
        if topology_id in self._topology_ids:
            return False
        self._topology_ids.add(topology_id)
        self._unreached.update(dict.fromkeys(graph.graph.get("unreached", ())))
        edges = [key for key in _edge_keys(graph) if key not in self._edges]
        grew = bool(edges) or any(key not in self._nodes for key in graph)
        if grew:
            self._edges.update(dict.fromkeys(edges))
            self._add_calls(call_tree(graph))
            self._add_nodes(graph)
            self._graph = None
        return grew

    def _add_nodes(self, graph: nx.MultiDiGraph) -> None:
        order = merge_order(self._nodes, graph)
        self._nodes = {key: self._nodes[key] if key in self._nodes else dict(graph.nodes[key]) for key in order}

    def _add_calls(self, calls: dict[str, Call]) -> None:
        if all(key in self._calls for key in calls):
            return
        order = merge_order(self._calls, calls)
        merged = {key: self._calls.get(key) or calls[key] for key in order}
        self._calls = {key: merged[key] for key in _parents_first(merged)}

    def _build(self) -> nx.MultiDiGraph:
        graph: nx.MultiDiGraph = nx.MultiDiGraph()
        graph.add_nodes_from(self._nodes.items())
        graph.add_edges_from(
            (source, target, {"output_nr": output_nr, "input_nr": input_nr})
            for source, target, output_nr, input_nr in self._edges
        )
        position = {key: index for index, key in enumerate(self._calls)}
        graph.graph["module_calls"] = [
            {
                "path": call.path,
                "class": call.class_name,
                "call": call.number,
                "key": call.key,
                "parent": None if call.parent is None else position[call.parent],
                "training": True,
                "grad_enabled": True,
            }
            for call in self._calls.values()
        ]
        graph.graph["unreached"] = [name for name in self._unreached if name not in self._nodes]
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


def _edge_keys(graph: nx.MultiDiGraph) -> Iterator[EdgeKey]:
    for source, target, data in graph.edges(data=True):
        yield source, target, data["output_nr"], data["input_nr"]


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
