"""The paths of edges between placed layers: vertical beside boxes, bending only in the gaps between layers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracer.layout.layered import Edge, Layered
from tracer.layout.sizes import ARROW_ROOM, LAYER_GAP, LOOP_GAP, PORT_GAP, layer_gap

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bands:
    """The height every layer takes: y of its top and bottom. `height` is that of all."""

    tops: list[float]
    bottoms: list[float]
    height: float

    def middle(self, layer: int) -> float:
        return (self.tops[layer] + self.bottoms[layer]) / 2


def stack_layers(
    graph: Layered, heights: Sequence[float], xs: Sequence[float], has_entries: bool, has_exits: bool
) -> Bands:
    """Layers below each other, further apart where an edge runs far sideways, closer at a frame's ports."""
    margin = LAYER_GAP / 2 if graph.loops else 0.0  # an edge against the flow runs around the outermost layers
    tops, bottoms = [], []
    y = margin
    last = len(graph.rows) - 1
    for layer, row in enumerate(graph.rows):
        tops.append(y)
        y += max((heights[node] for node in row if node < graph.real), default=0.0)
        bottoms.append(y)
        if layer < last:
            is_at_ports = (has_entries and layer == 0) or (has_exits and layer + 1 == last)
            reach = max(
                (abs(xs[tie.node] + tie.offset - xs[node]) for node in row for tie in graph.below[node]), default=0
            )
            y += layer_gap(PORT_GAP if is_at_ports else LAYER_GAP, reach)
    return Bands(tops, bottoms, y + margin)


def route_edge(
    graph: Layered, index: int, edge: Edge, heights: Sequence[float], xs: Sequence[float], bands: Bands
) -> list[Point]:
    """The polyline of edge number `index` from the bottom of its source to the top of its target."""
    above, below = graph.layers[edge.source], graph.layers[edge.target]
    start, end = xs[edge.source] + edge.source_offset, xs[edge.target] + edge.target_offset
    chain = graph.chains[index]
    between = _around(graph, chain, xs, bands, start, end) if index in graph.loops else _along(graph, chain, xs, bands)
    return without_straights(
        [
            (start, bands.middle(above) + heights[edge.source] / 2),
            (start, bands.bottoms[above]),
            *between,
            (end, bands.tops[below]),
            (end, bands.middle(below) - heights[edge.target] / 2),
        ]
    )


def without_straights(points: list[Point]) -> list[Point]:
    """The same line without the points in the middle of a vertical stretch."""
    kept = points[:1]
    for (before, _), point, (after, _) in zip(points, points[1:], points[2:], strict=False):
        if not before == point[0] == after:
            kept.append(point)
    return [*kept, points[-1]]


def _along(graph: Layered, chain: list[int], xs: Sequence[float], bands: Bands) -> Iterator[Point]:
    """Down a chain of dummies."""
    for dummy in chain:
        yield xs[dummy], bands.tops[graph.layers[dummy]]
        yield xs[dummy], bands.bottoms[graph.layers[dummy]]


def _around(
    graph: Layered, chain: list[int], xs: Sequence[float], bands: Bands, start: float, end: float
) -> Iterator[Point]:
    """Below the source, up a chain of dummies, and above the target."""
    dip, crest = bands.bottoms[graph.layers[chain[0]]], bands.tops[graph.layers[chain[-1]]] - ARROW_ROOM
    yield from _across(start, xs[chain[0]], dip, dip + LOOP_GAP)
    for dummy in chain:
        yield xs[dummy], bands.bottoms[graph.layers[dummy]]
        yield xs[dummy], bands.tops[graph.layers[dummy]]
    yield from _across(xs[chain[-1]], end, crest, crest - LOOP_GAP)


def _across(start: float, end: float, outer: float, level: float) -> Iterator[Point]:
    """Level from one x to another, its corners cut off."""
    corner = math.copysign(min(LOOP_GAP, abs(end - start) / 3), end - start)
    yield start, outer
    yield start + corner, level
    yield end - corner, level
    yield end, outer
