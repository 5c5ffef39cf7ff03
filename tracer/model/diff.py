"""What differs between the graphs of two steps."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import networkx as nx

from tracer.model.call_tree import call_tree

Calls = tuple[Set[str], Set[str]]
_Input = tuple[str, int, int]
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


def diff(before: nx.MultiDiGraph, after: nx.MultiDiGraph, calls: Calls | None = None) -> GraphDiff:
    """Compare by node key, so that one inserted layer is one added part and nothing else.

    `calls` are the keys of both graphs' call trees, where they are known already.
    """
    old, new = set(before.nodes), set(after.nodes)
    nodes = dict(before.nodes(data=True)), dict(after.nodes(data=True))
    inputs = _inputs(before), _inputs(after)
    changed = {}
    for key in old & new:
        differences = _node_differences(nodes[0][key], nodes[1][key])
        entering = inputs[0].get(key, []), inputs[1].get(key, [])
        if entering[0] != entering[1] and sorted(entering[0]) != sorted(entering[1]):
            differences["inputs"] = _in_order(entering[0]), _in_order(entering[1])
        if differences:
            changed[key] = differences
    return GraphDiff(frozenset(new - old), frozenset(old - new), changed, *_call_differences(before, after, calls))


def diff_of_calls(before: nx.MultiDiGraph, after: nx.MultiDiGraph, calls: Calls | None = None) -> GraphDiff:
    """Of two graphs that are known to have the same nodes."""
    return GraphDiff(frozenset(), frozenset(), {}, *_call_differences(before, after, calls))


def _call_differences(
    before: nx.MultiDiGraph, after: nx.MultiDiGraph, calls: Calls | None
) -> tuple[frozenset[str], frozenset[str]]:
    old, new = calls or (call_tree(before).keys(), call_tree(after).keys())
    return frozenset(new - old), frozenset(old - new)


def _node_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (old[name], new[name]) for name in _COMPARED if old[name] != new[name]}


def _inputs(graph: nx.MultiDiGraph) -> dict[str, list[_Input]]:
    """The edges that enter each node, all found in one go: asking networkx node by node takes ten times as long."""
    inputs: dict[str, list[_Input]] = {}
    for source, target, data in graph.edges(data=True):
        inputs.setdefault(target, []).append((source, data["output_nr"], data["input_nr"]))
    return inputs


def _in_order(inputs: list[_Input]) -> list[_Input]:
    return sorted(inputs, key=lambda edge: edge[2])
