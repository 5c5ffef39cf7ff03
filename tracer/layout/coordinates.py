"""Where the nodes of ordered layers stand sideways."""

from collections.abc import Sequence

from tracer.layout.layered import Layered, Tie
from tracer.layout.projection import project
from tracer.layout.sizes import BOX_GAP, EDGE_GAP

ROUNDS = 14
STILL = 0.5  # a round that moves nothing further than this is the last
HOME_WEIGHT = 3.0  # of a node's previous place, against 1 of an edge
NEWCOMER_WEIGHT = 0.2  # a node without a previous place gives way


def place_rows(graph: Layered, homes: Sequence[float | None]) -> list[float]:
    """Centre x of every node, dummies too, apart from each other and close to what they are tied to.

    `homes` are previous centres (None: new): a weak pull, so that what stays moves little.
    """
    gaps = [_row_gaps(graph, row) for row in graph.rows]
    placing = _Placing(graph, homes, gaps)
    if any(home is not None for home in homes):
        placing.start_at_home()
    else:
        placing.start_packed()
        placing.sweep(range(len(graph.rows)), [graph.above])
        placing.sweep(range(len(graph.rows) - 1, -1, -1), [graph.below])
    for _ in range(ROUNDS):
        moved = placing.sweep(range(len(graph.rows)), [graph.above, graph.below])
        moved = max(moved, placing.sweep(range(len(graph.rows) - 1, -1, -1), [graph.above, graph.below]))
        if moved < STILL:
            break
    return placing.xs


class _Placing:
    """Block coordinate descent: layer by layer, each to the best place its neighbours allow."""

    def __init__(self, graph: Layered, homes: Sequence[float | None], gaps: list[list[float]]) -> None:
        self.graph = graph
        self.homes = [*homes, *[None] * (len(graph.layers) - len(homes))]
        self.gaps = gaps
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
            row = self.graph.rows[layer]
            wanted, weights = [], []
            for node in row:
                wish, weight = self._wish(node, sides)
                wanted.append(wish)
                weights.append(weight)
            placed = project(wanted, weights, self.gaps[layer]) if len(row) > 1 else wanted
            longest = max(longest, self._set(row, placed))
        return longest

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
        return (total / weight, weight) if weight else (self.xs[node], 0.01)

    def _set(self, row: list[int], places: list[float]) -> float:
        longest = 0.0
        for node, x in zip(row, places, strict=True):
            longest = max(longest, abs(self.xs[node] - x))
            self.xs[node] = x
        return longest


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
        for left, right in zip(row, row[1:], strict=False)
    ]
