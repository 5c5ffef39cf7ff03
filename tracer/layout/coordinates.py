"""Where the nodes of ordered layers stand sideways."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from tracer.layout.alignment import align
from tracer.layout.layered import Layered, Tie
from tracer.layout.projection import project
from tracer.layout.sizes import BOX_GAP, EDGE_GAP
from tracer.layout.watch import ORDERED, Watch

ROUNDS, FEW_ROUNDS = 14, 5
LARGE = 20_000  # nodes; from there on, few rounds
STILL = 0.5  # a round that moves nothing further than this is the last
HOME_WEIGHT = 20.0  # of a node's previous place, against 1 of an edge
NEWCOMER_WEIGHT = 0.2  # a node without a previous place gives way
SHARPNESS = 4  # makes the strong stand firm against the weak when lines are straightened
STAIRCASE = 1.3  # a drawing that much wider than its widest layer, or than it need be, runs off sideways
LOOSE = 0.0001  # a node tied to nothing does too


def place_rows(graph: Layered, homes: Sequence[float | None], items: int, watch: Watch) -> list[float]:
    """Centre x of every node, dummies too, apart from each other and close to what they are tied to.

    `homes` are previous centres (None: new): a weak pull, so that what stays moves little. Nodes below `items` are
    boxes and frames, the other real ones ports. `watch` may raise to give up.
    """
    xs = _place(graph, homes, watch)
    extent = _extent(graph, xs)
    if extent > STAIRCASE * max(_packed_width(graph, row) for row in graph.rows) and _has_ports(graph, items):
        aligned = _place(_with_centred_ties(graph, items), homes, watch)
        if extent > STAIRCASE * _extent(graph, aligned):
            return aligned
    return xs


def _place(graph: Layered, homes: Sequence[float | None], watch: Watch) -> list[float]:
    placing = _Placing(graph, homes, watch)
    down, up = range(len(graph.rows)), range(len(graph.rows) - 1, -1, -1)
    if any(home is not None for home in homes):
        placing.start_at_home()
    else:
        placing.start_packed()
        placing.sweep(down, [graph.above])
        placing.sweep(up, [graph.below])
    rounds = ROUNDS if len(graph.layers) < LARGE else FEW_ROUNDS
    for turn in range(rounds):
        watch.reach(ORDERED + (1 - ORDERED) * turn / rounds)
        moved = max(placing.sweep(down, placing.both), placing.sweep(up, placing.both))
        if moved < STILL:
            break
    placing.straighten(up, graph.below)
    placing.straighten(down, None)
    align(graph, placing.xs, placing.gaps, [home is not None for home in placing.homes], watch)
    return [round(x, 1) for x in placing.xs]


def _packed_width(graph: Layered, row: list[int]) -> float:
    return sum(_row_gaps(graph, row)) + (graph.widths[row[0]] + graph.widths[row[-1]]) / 2


def _extent(graph: Layered, xs: list[float]) -> float:
    """Width of it all."""
    right = max(x + width / 2 for x, width in zip(xs, graph.widths, strict=True))
    return right - min(x - width / 2 for x, width in zip(xs, graph.widths, strict=True))


def _has_ports(graph: Layered, items: int) -> bool:
    """Whether an edge between two items is attached beside the centre of one."""
    return any(tie.offset for node in range(items) for tie in graph.above[node] if tie.node < items)


def _with_centred_ties(graph: Layered, items: int) -> Layered:
    """The same graph, items wanting to be right below each other even if that bends the edges between their ports.

    Straight edges through frames whose ports come in left and go out right would make a staircase.
    """

    def centred(side: list[list[Tie]]) -> list[list[Tie]]:
        return [
            [tie._replace(offset=0.0) if node < items and tie.node < items else tie for tie in ties]
            for node, ties in enumerate(side)
        ]

    return replace(graph, above=centred(graph.above), below=centred(graph.below))


class _Placing:
    """Block coordinate descent: layer by layer, each to the best place its neighbours allow."""

    def __init__(self, graph: Layered, homes: Sequence[float | None], watch: Watch) -> None:
        self.graph = graph
        self.watch = watch
        self.homes = [*homes, *[None] * (len(graph.layers) - len(homes))]
        self.gaps = [_row_gaps(graph, row) for row in graph.rows]
        self.both = [graph.above, graph.below]
        self.xs = [0.0] * len(graph.layers)

    def start_packed(self) -> None:
        for row, gaps in zip(self.graph.rows, self.gaps, strict=True):
            x = -sum(gaps) / 2
            for node, gap in zip(row, [*gaps, 0.0], strict=True):
                self.xs[node] = x
                x += gap

    def start_at_home(self) -> None:
        """Known nodes where they were, new ones next to their neighbours."""
        self.xs = guess_places(self.graph, self.homes)
        for row, gaps in zip(self.graph.rows, self.gaps, strict=True):
            weights = [NEWCOMER_WEIGHT if self.homes[node] is None else HOME_WEIGHT for node in row]
            self._set(row, project([self.xs[node] for node in row], weights, gaps))

    def sweep(self, layers: range, sides: list[list[list[Tie]]]) -> float:
        """Moves the layers in that order towards their neighbours on those sides; returns the longest move."""
        longest = 0.0
        for layer in layers:
            self.watch.check()
            row = self.graph.rows[layer]
            wanted, weights = [], []
            for node in row:
                wish, weight = self._wish(node, sides)
                wanted.append(wish)
                weights.append(weight)
            placed = project(wanted, weights, self.gaps[layer]) if len(row) > 1 else wanted
            longest = max(longest, self._set(row, placed))
        return longest

    def straighten(self, layers: range, leading: list[list[Tie]] | None) -> None:
        """Gathers the many small bends of a line in one: every node right below or above a neighbour, if it can be.

        The mean shares a step sideways out among all the edges on its way, the median lets one edge have it. Where
        the median is a range, the neighbours on the `leading` side choose; without one, the node stays.
        """
        for layer in layers:
            self.watch.check()
            row = self.graph.rows[layer]
            wanted, weights = [], []
            for node in row:
                wanted.append(self._median(node, leading[node] if leading else []))
                weights.append(self._wish(node, self.both)[1] ** SHARPNESS)
            self._set(row, project(wanted, weights, self.gaps[layer]))

    def _median(self, node: int, leading: list[Tie]) -> float:
        """The weighted median of the places its neighbours, and its home, would like it to have."""
        places = [(self.xs[tie.node] + tie.offset, tie.weight) for side in self.both for tie in side[node]]
        home = self.homes[node]
        if home is not None:
            places.append((home, HOME_WEIGHT))
        if not places:
            return self.xs[node]
        low, high = _median_range(sorted(places))
        wish = self.xs[node]
        if leading:
            wish = sum(tie.weight * (self.xs[tie.node] + tie.offset) for tie in leading)
            wish /= sum(tie.weight for tie in leading)
        return min(max(wish, low), high)

    def _wish(self, node: int, sides: list[list[list[Tie]]]) -> tuple[float, float]:
        """Where a node would like to be, and how much."""
        total = weight = 0.0
        for side in sides:
            for tie in side[node]:
                total += tie.weight * (self.xs[tie.node] + tie.offset)
                weight += tie.weight
        home = self.homes[node]
        if home is not None:
            total += HOME_WEIGHT * home
            weight += HOME_WEIGHT
        return (total / weight, weight) if weight else (self.xs[node], LOOSE)

    def _set(self, row: list[int], places: list[float]) -> float:
        longest = 0.0
        for node, x in zip(row, places, strict=True):
            longest = max(longest, abs(self.xs[node] - x))
            self.xs[node] = x
        return longest


def _median_range(places: list[tuple[float, float]]) -> tuple[float, float]:
    """All medians of sorted (place, weight)."""
    half = sum(weight for _, weight in places) / 2
    reached = 0.0
    for index, (place, weight) in enumerate(places):
        reached += weight
        if reached > half + 1e-9:
            return place, place
        if reached > half - 1e-9:
            return place, places[min(index + 1, len(places) - 1)][0]
    return places[-1][0], places[-1][0]


def guess_places(graph: Layered, homes: Sequence[float | None]) -> list[float]:
    """An x for every node: its home, or the mean of its placed neighbours, spread downwards and upwards."""
    places: list[float | None] = [*homes, *[None] * (len(graph.layers) - len(homes))]
    for layers in (range(len(graph.rows)), range(len(graph.rows) - 1, -1, -1), range(len(graph.rows))):
        for layer in layers:
            for node in graph.rows[layer]:
                if places[node] is None:
                    near = [
                        x + tie.offset
                        for side in (graph.above, graph.below)
                        for tie in side[node]
                        if (x := places[tie.node]) is not None
                    ]
                    places[node] = sum(near) / len(near) if near else None
    furthest = max((x for x in places if x is not None), default=0.0)
    return [furthest if x is None else x for x in places]


def _row_gaps(graph: Layered, row: list[int]) -> list[float]:
    """Least distances between the centres of neighbours in a row."""
    return [
        (graph.widths[left] + graph.widths[right]) / 2
        + (BOX_GAP if left < graph.real and right < graph.real else EDGE_GAP)
        for left, right in pairwise(row)
    ]
