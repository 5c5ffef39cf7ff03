"""What lies upstream and downstream of nodes, and between them: for a step's graph and for any other mapping."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

import networkx as nx

Node = TypeVar("Node", bound=Hashable)


def reached(neighbors: Mapping[Node, Iterable[Node]], starts: Iterable[Node]) -> set[Node]:
    """Everything that `starts` lead to, themselves included; what `neighbors` does not know leads nowhere.

    Iterative: a path of 20,000 edges is real.
    """
    found = set(starts)
    waiting = list(found)
    while waiting:
        for node in neighbors.get(waiting.pop(), ()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found


def ancestors(graph: nx.MultiDiGraph, nodes: Iterable[str]) -> set[str]:
    """All that flows into the nodes, without these."""
    starts = _known(graph, nodes)
    return reached(graph.pred, starts) - starts


def descendants(graph: nx.MultiDiGraph, nodes: Iterable[str]) -> set[str]:
    """All that the nodes flow into, without these."""
    starts = _known(graph, nodes)
    return reached(graph.succ, starts) - starts


def between(graph: nx.MultiDiGraph, sources: Iterable[str], targets: Iterable[str]) -> set[str]:
    """The nodes on directed paths from any of the sources to any of the targets, ends included; none without a path."""
    return reached(graph.succ, _known(graph, sources)) & reached(graph.pred, _known(graph, targets))


def _known(graph: nx.MultiDiGraph, nodes: Iterable[str]) -> set[str]:
    return {node for node in nodes if node in graph}
