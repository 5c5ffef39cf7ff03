"""What differs between the graphs of two steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx

from tracer.model.call_tree import call_tree

_COMPARED = ("kind", "op", "shapes", "dtype", "device", "opaque")


@dataclass(frozen=True, slots=True)
class GraphDiff:
    """Node keys only in the second graph, only in the first, and in both but not alike.

    `changed` maps a key to what differs: attribute name to (before, after); "inputs" are the (source key, output_nr,
    input_nr) triples of the edges that enter the node. `calls_added` and `calls_removed` are keys of `call_tree`: of
    module calls, forward-only ones too, that only one of the steps has.
    """

    added: frozenset[str]
    removed: frozenset[str]
    changed: Mapping[str, Mapping[str, tuple[Any, Any]]]
    calls_added: frozenset[str] = frozenset()
    calls_removed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether the graphs differ; calls alone make no graph."""
        return bool(self.added or self.removed or self.changed)


def diff(before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> GraphDiff:
    """Compare by node key, so that one inserted layer is one added part and nothing else."""
    old, new = set(before.nodes), set(after.nodes)
    changed = {}
    for key in old & new:
        differences = _node_differences(before, after, key)
        if differences:
            changed[key] = differences
    return GraphDiff(frozenset(new - old), frozenset(old - new), changed, *_call_differences(before, after))


def diff_of_calls(before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> GraphDiff:
    """Of two graphs that are known to have the same nodes."""
    return GraphDiff(frozenset(), frozenset(), {}, *_call_differences(before, after))


def _call_differences(before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> tuple[frozenset[str], frozenset[str]]:
    old, new = call_tree(before).keys(), call_tree(after).keys()
    return frozenset(new - old), frozenset(old - new)


def _node_differences(before: nx.MultiDiGraph, after: nx.MultiDiGraph, key: str) -> dict[str, tuple[Any, Any]]:
    old, new = before.nodes[key], after.nodes[key]
    differences = {name: (old[name], new[name]) for name in _COMPARED if old[name] != new[name]}
    inputs = _inputs(before, key), _inputs(after, key)
    if inputs[0] != inputs[1]:
        differences["inputs"] = inputs
    return differences


def _inputs(graph: nx.MultiDiGraph, key: str) -> list[tuple[str, int, int]]:
    edges = ((source, data["output_nr"], data["input_nr"]) for source, _, data in graph.in_edges(key, data=True))
    return sorted(edges, key=lambda edge: edge[2])
