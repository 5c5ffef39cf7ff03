"""The layout of one level: boxes and closed-up frames next to each other, with edges between them; nothing nested."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.layout.coordinates import place_rows
from tracer.layout.cycles import feedback_edges
from tracer.layout.layered import Edge, Pull, make_layered
from tracer.layout.layering import assign_layers, depths, neighbours, topological_order
from tracer.layout.ordering import order_rows
from tracer.layout.outline import BANDS, Outline, shift_clear_of
from tracer.layout.projection import project
from tracer.layout.routing import Point, route_edge, stack_layers
from tracer.layout.sizes import PART_GAP, TALL
from tracer.layout.watch import Watch

# What edges beside a longer way pull with, against 1: at their ends and along their way; and those that only feed one.
BESIDE, ALONG_BESIDE = 0.1, 0.25
FEEDER_WEIGHT = 0.001
HOME_PART_WEIGHT, NEW_PART_WEIGHT = 1.0, 0.001


@dataclass(frozen=True, slots=True)
class Level:
    """What is to be laid out; equal levels have equal layouts.

    `sizes` are (width, height) of the items; nodes after them are `entries` ports at the top and `exits` ports at the
    bottom. `homes` are the previous centre x of the items, None for new ones.
    """

    sizes: tuple[tuple[float, float], ...]
    entries: int
    exits: int
    edges: tuple[Edge, ...]
    homes: tuple[float | None, ...]

    @property
    def count(self) -> int:
        return len(self.sizes) + self.entries + self.exits


@dataclass(frozen=True, slots=True)
class PlacedLevel:
    """Centres (x, y) of items and ports, the edges' polylines, and the space it all takes, from y = 0 down.

    Edge k runs along `points[starts[k]:starts[k + 1]]`, points being float64 (p, 2).
    """

    centres: list[Point]
    points: NDArray[np.float64]
    starts: NDArray[np.int64]
    left: float
    right: float
    height: float


def place_level(level: Level, watch: Watch) -> PlacedLevel:
    """Parts that no edge connects are laid out by themselves and stand side by side."""
    parts = _parts(level.count, level.edges)
    if len(parts) == 1:
        return _finished(_place_part(level, watch))
    subsets = [_subset(level, part) for part in parts]
    placed = []
    ends = np.cumsum([0, *map(len, parts)]) / max(level.count, 1)
    for (subset, _), start, end in zip(subsets, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        watch.part(start, end)
        placed.append(_place_part(subset, watch))
    shifts = _shifts(level, [subset for subset, _ in subsets], placed)
    return _finished(_side_by_side(level, parts, [edges for _, edges in subsets], placed, shifts))


@dataclass(frozen=True, slots=True)
class _Part:
    """A PlacedLevel in the making: `routes` are the polylines one by one."""

    centres: list[Point]
    routes: list[list[Point]]
    left: float
    right: float
    height: float


def _finished(part: _Part) -> PlacedLevel:
    points = np.array([point for route in part.routes for point in route], np.float64).reshape(-1, 2)
    starts = np.cumsum([0, *(len(route) for route in part.routes)], dtype=np.int64)
    return PlacedLevel(part.centres, points, starts, part.left, part.right, part.height)


def _place_part(level: Level, watch: Watch) -> _Part:
    watch.check()
    ports = level.entries + level.exits
    widths = [width for width, _ in level.sizes] + [0.0] * ports
    heights = [height for _, height in level.sizes] + [0.0] * ports
    ends = [(edge.source, edge.target) for edge in level.edges]
    feedback = feedback_edges(level.count, ends)
    forward = [end if index not in feedback else end[::-1] for index, end in enumerate(ends)]
    first_exit = len(level.sizes) + level.entries
    tall = frozenset(item for item, (_, height) in enumerate(level.sizes) if height > TALL)
    entries, exits = range(len(level.sizes), first_exit), range(first_exit, level.count)
    layers = assign_layers(level.count, forward, entries, exits, tall)
    homes = [*level.homes, *[None] * ports]
    watch.check()
    pulls = _pulls(level, forward, entries, exits)
    watch.check()
    graph = make_layered(widths, level.edges, layers, pulls)
    watch.check()
    order_rows(graph, homes, watch)
    xs = place_rows(graph, homes, len(level.sizes), watch)
    watch.reach(1.0)
    bands = stack_layers(graph, heights, xs, level.entries > 0, level.exits > 0)
    routes = []
    for index, edge in enumerate(level.edges):
        watch.check()
        routes.append(route_edge(graph, index, edge, heights, xs, bands))
    left = min(x - width / 2 for x, width in zip(xs, graph.widths, strict=True))
    right = max(x + width / 2 for x, width in zip(xs, graph.widths, strict=True))
    centres = [(x, bands.middle(layer)) for x, layer in zip(xs, layers, strict=False)]
    reach = [x for route in routes for x, _ in route]
    return _Part(centres, routes, min([left, *reach]), max([right, *reach]), bands.height)


def _pulls(level: Level, forward: list[tuple[int, int]], entries: range, exits: range) -> list[Pull]:
    """How strongly each edge pulls at its ends: the longest way should be straight, all else stands beside it.

    An edge hardly moves what it comes to if a longer way leads there, nor what it comes from if a longer way begins
    there. What only feeds one node gives way to all others.
    """
    above, below = neighbours(level.count, forward)
    order = topological_order(above, below)
    depth = depths(order, above, entries, start=level.count)
    height = depths(order[::-1], below, exits, start=level.count)
    return [
        _pull(edge.weight, depth[target] == depth[source] + 1, height[source] == height[target] + 1, len(below[source]))
        for edge, (source, target) in zip(level.edges, forward, strict=True)
    ]


def _pull(weight: float, ends_longest: bool, begins_longest: bool, targets: int) -> Pull:
    if targets == 1 and not ends_longest:
        return Pull(min(weight, FEEDER_WEIGHT), min(weight, FEEDER_WEIGHT), weight)
    if begins_longest and ends_longest:
        return Pull(weight, weight, weight)
    return Pull(weight * BESIDE, weight * BESIDE, weight * ALONG_BESIDE)


def _parts(count: int, edges: Sequence[Edge]) -> list[list[int]]:
    """Connected parts, each in ascending order, by their first node."""
    near: list[list[int]] = [[] for _ in range(count)]
    for edge in edges:
        near[edge.source].append(edge.target)
        near[edge.target].append(edge.source)
    seen = [False] * count
    parts = []
    for start in range(count):
        if seen[start]:
            continue
        seen[start] = True
        part = [start]
        for node in part:  # grows while it is read
            for other in near[node]:
                if not seen[other]:
                    seen[other] = True
                    part.append(other)
        parts.append(sorted(part))
    return parts


def _subset(level: Level, part: list[int]) -> tuple[Level, list[int]]:
    """A part as a level of its own, and which of the edges are its."""
    number = {node: index for index, node in enumerate(part)}
    items = len(level.sizes)
    edges = [index for index, edge in enumerate(level.edges) if edge.source in number]
    return (
        Level(
            sizes=tuple(level.sizes[node] for node in part if node < items),
            entries=sum(items <= node < items + level.entries for node in part),
            exits=sum(node >= items + level.entries for node in part),
            edges=tuple(
                level.edges[index]._replace(
                    source=number[level.edges[index].source], target=number[level.edges[index].target]
                )
                for index in edges
            ),
            homes=tuple(level.homes[node] for node in part if node < items),
        ),
        edges,
    )


def _shifts(level: Level, subsets: list[Level], placed: list[_Part]) -> list[float]:
    """How far to move each part right so that they stand apart: known parts stay close to where they were."""
    if not placed:
        return []
    is_known = [any(home is not None for home in subset.homes) for subset in subsets]
    heights = sorted(part.height for part in placed)
    depth = heights[-1] if level.exits else heights[-2] + PART_GAP  # further down there is but one part
    outlines = [
        Outline(part.centres, subset.sizes, part.routes, subset.exits, depth)
        for subset, part in zip(subsets, placed, strict=True)
    ]
    order = sorted(
        range(len(placed)), key=lambda index: (not is_known[index], outlines[index].start if is_known[index] else index)
    )
    wanted, packed = [], []
    wanted_reach = packed_reach = np.full(BANDS, -np.inf)
    for index in order:
        outline = outlines[index]
        wanted.append(0.0 if is_known[index] else shift_clear_of(wanted_reach, outline))
        packed.append(shift_clear_of(packed_reach, outline))
        wanted_reach = np.maximum(wanted_reach, outline.right + wanted[-1])
        packed_reach = np.maximum(packed_reach, outline.right + packed[-1])
    weights = [HOME_PART_WEIGHT if is_known[index] else NEW_PART_WEIGHT for index in order]
    shifts = [0.0] * len(placed)
    for index, shift in zip(order, project(wanted, weights, np.diff(packed).tolist()), strict=True):
        shifts[index] = shift
    return shifts


def _side_by_side(
    level: Level, parts: list[list[int]], edges: list[list[int]], placed: list[_Part], shifts: list[float]
) -> _Part:
    centres: list[Point] = [(0.0, 0.0)] * level.count
    routes: list[list[Point]] = [[]] * len(level.edges)
    for part, own_edges, place, shift in zip(parts, edges, placed, shifts, strict=True):
        for node, (x, y) in zip(part, place.centres, strict=True):
            centres[node] = x + shift, y
        for index, route in zip(own_edges, place.routes, strict=True):
            routes[index] = [(x + shift, y) for x, y in route]
    return _Part(
        centres,
        routes,
        min((place.left + shift for place, shift in zip(placed, shifts, strict=True)), default=0.0),
        max((place.right + shift for place, shift in zip(placed, shifts, strict=True)), default=0.0),
        max((place.height for place in placed), default=0.0),
    )
