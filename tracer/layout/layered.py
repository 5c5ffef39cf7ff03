"""A graph whose edges run from one layer to the next only: longer ones are chains of dummy nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tracer.layout.sizes import EDGE_WIDTH

BETWEEN_DUMMIES = 2.0  # of an edge's pull: long edges should be straight


class Edge(NamedTuple):
    """From node `source` to node `target`; the offsets say how far right of their centres it is attached."""

    source: int
    target: int
    source_offset: float
    target_offset: float
    weight: float


class Pull(NamedTuple):
    """How strongly an edge pulls at its source, at its target, and at the dummies between."""

    at_source: float
    at_target: float
    between: float


class Tie(NamedTuple):
    """A neighbour in the next layer: the node would like to have its centre at the neighbour's plus `offset`."""

    node: int
    offset: float
    weight: float


@dataclass(slots=True)
class Layered:
    """Nodes 0 to `real` - 1 are given, the others are dummies. `rows` are the nodes of each layer, left to right.

    `chains` holds the dummies of each edge in the order the edge meets them. An edge against the flow has dummies
    beside its source and its target too, and runs around both: it is one of the `loops`, by its number.
    """

    real: int
    layers: list[int]
    widths: list[float]
    rows: list[list[int]]
    above: list[list[Tie]]
    below: list[list[Tie]]
    chains: list[list[int]]
    loops: dict[int, Edge]


def make_layered(
    widths: Sequence[float], edges: Sequence[Edge], layers: Sequence[int], pulls: Sequence[Pull]
) -> Layered:
    """The proper graph of it. All long edges of one source (at one offset) share a single chain of dummies."""
    count = len(widths)
    graph = Layered(
        real=count,
        layers=list(layers),
        widths=list(widths),
        rows=[[] for _ in range(max(layers) + 1)],
        above=[[] for _ in range(count)],
        below=[[] for _ in range(count)],
        chains=[],
        loops={index: edge for index, edge in enumerate(edges) if layers[edge.target] <= layers[edge.source]},
    )
    shared: dict[tuple[int, float], list[int]] = {}
    for index, (edge, pull) in enumerate(zip(edges, pulls, strict=True)):
        if index in graph.loops:
            graph.chains.append(_loop_chain(graph, edge))
        elif graph.layers[edge.target] - graph.layers[edge.source] == 1:
            offset = edge.source_offset - edge.target_offset
            _tie(graph, edge.source, edge.target, offset, pull.at_source, pull.at_target)
            graph.chains.append([])
        else:
            chain = shared.setdefault((edge.source, edge.source_offset), [])
            graph.chains.append(_forward_chain(graph, edge, pull, chain))
    for node, layer in enumerate(graph.layers):
        graph.rows[layer].append(node)
    return graph


def _forward_chain(graph: Layered, edge: Edge, pull: Pull, shared: list[int]) -> list[int]:
    """Makes the chain long enough and ties the target to its end; returns the part the edge runs along."""
    first = graph.layers[edge.source] + 1
    length = graph.layers[edge.target] - first
    while len(shared) < length:
        dummy = _add_dummy(graph, first + len(shared))
        if shared:
            inner = BETWEEN_DUMMIES * pull.between
            _tie(graph, shared[-1], dummy, 0.0, inner, inner)
        else:
            _tie(graph, edge.source, dummy, edge.source_offset, pull.at_source, pull.between)
        shared.append(dummy)
    _tie(graph, shared[length - 1], edge.target, -edge.target_offset, pull.between, pull.at_target)
    return shared[:length]


def _loop_chain(graph: Layered, edge: Edge) -> list[int]:
    """One dummy in each layer from the source's up to the target's."""
    chain: list[int] = []
    for layer in range(graph.layers[edge.source], graph.layers[edge.target] - 1, -1):
        dummy = _add_dummy(graph, layer)
        if chain:
            _tie(graph, dummy, chain[-1], 0.0, BETWEEN_DUMMIES, BETWEEN_DUMMIES)
        chain.append(dummy)
    return chain


def _add_dummy(graph: Layered, layer: int) -> int:
    graph.layers.append(layer)
    graph.widths.append(EDGE_WIDTH)
    graph.above.append([])
    graph.below.append([])
    return len(graph.layers) - 1


def _tie(graph: Layered, upper: int, lower: int, offset: float, at_upper: float, at_lower: float) -> None:
    """Ties two nodes of adjacent layers; the lower one would like to stand `offset` right of the upper one."""
    graph.below[upper].append(Tie(lower, -offset, at_upper))
    graph.above[lower].append(Tie(upper, offset, at_lower))
