"""Small steps sideways taken out of lines: what almost stands below each other is moved so that it does."""

from collections.abc import Sequence

from tracer.layout.layered import Layered
from tracer.layout.watch import Watch

FURTHEST = 24.0  # a step sideways up to this is taken for an accident
ALIGNED = 0.06  # closer than this is straight: places are rounded to 0.1
BEND = 8.0  # what a bend costs, against a unit of a line's way sideways
LEAST_WEIGHT = 0.05  # parameters stand where there is room
MOST_MOVED = 300  # nodes at a time


def align(
    graph: Layered, xs: list[float], gaps: Sequence[Sequence[float]], fixed: Sequence[bool], watch: Watch
) -> None:
    """Moves nodes in `xs`, all that stands straight below each other together and what is in its way with it, wherever
    that leaves less to bend. `gaps` are the least distances in the rows; `fixed` nodes stay."""
    _Aligning(graph, xs, gaps, fixed).run(watch)


class _Aligning:
    """`block` are the nodes that stand straight with each node, by the one that stands for them."""

    def __init__(self, graph: Layered, xs: list[float], gaps: Sequence[Sequence[float]], fixed: Sequence[bool]) -> None:
        self.graph = graph
        self.xs = xs
        self.fixed = fixed
        self.right: list[tuple[int, float] | None] = [None] * len(xs)
        self.left: list[tuple[int, float] | None] = [None] * len(xs)
        for row, row_gaps in zip(graph.rows, gaps, strict=True):
            for before, after, gap in zip(row, row[1:], row_gaps, strict=False):
                self.right[before], self.left[after] = (after, gap), (before, gap)
        self.members = {node: [node] for node in range(len(xs))}
        self.block = list(range(len(xs)))

    def run(self, watch: Watch) -> None:
        steps = []
        for node, ties in enumerate(self.graph.below):
            for tie in ties:
                step = abs(self._step(node, tie.node, tie.offset))
                if step <= ALIGNED:
                    self._join(node, tie.node)
                elif step <= FURTHEST and tie.weight >= LEAST_WEIGHT:
                    steps.append((-tie.weight, step, node, tie.node, tie.offset))
        for _, _, upper, lower, offset in sorted(steps):
            watch.check()
            self._straighten(upper, lower, offset)

    def _step(self, node: int, other: int, offset: float) -> float:
        return self.xs[node] - self.xs[other] - offset

    def _join(self, one: int, other: int) -> None:
        into, out = sorted((self.block[one], self.block[other]), key=lambda block: -len(self.members[block]))
        if into != out:
            for node in self.members[out]:
                self.block[node] = into
            self.members[into] += self.members.pop(out)

    def _straighten(self, upper: int, lower: int, offset: float) -> None:
        """Moves one end, with all that has to go along, the end with less of it first."""
        if self.block[upper] == self.block[lower]:
            return
        step = self._step(upper, lower, offset)
        moves = [(upper, lower, -step), (lower, upper, step)]
        for node, other, way in sorted(moves, key=lambda move: len(self.members[self.block[move[0]]])):
            moved = self._pushed(node, way, other)
            if moved and self._cost(moved, way) < self._cost(moved, 0.0):
                for each in moved:
                    self.xs[each] += way
                self._join(upper, lower)
                return

    def _pushed(self, node: int, way: float, anchor: int) -> set[int]:
        """The nodes to move along with one; none where there are too many, or one of them stays."""
        beside = self.right if way > 0 else self.left
        blocks = [self.block[node]]
        moved = set(self.members[blocks[0]])
        for block in blocks:  # grows while it is read
            for each in self.members[block]:
                near = beside[each]
                if near is None or near[0] in moved:
                    continue
                if abs(self.xs[near[0]] - self.xs[each]) - abs(way) < near[1] - 1e-6:
                    blocks.append(self.block[near[0]])
                    moved.update(self.members[blocks[-1]])
            if len(moved) > MOST_MOVED:
                return set()
        return set() if anchor in moved or any(self.fixed[each] for each in moved) else moved

    def _cost(self, moved: set[int], way: float) -> float:
        """Of all that is bent between what moves and the rest."""
        cost = 0.0
        for node in moved:
            for side in self.graph.above, self.graph.below:
                for tie in side[node]:
                    if tie.node not in moved:
                        step = abs(self._step(node, tie.node, tie.offset) + way)
                        cost += tie.weight * (step + BEND) if step > ALIGNED else 0.0
        return cost
