"""Left to right: the order in the layers that makes few edges cross."""

import bisect
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tracer.layout.balance import balanced
from tracer.layout.coordinates import guess_places
from tracer.layout.layered import Layered, Tie
from tracer.layout.projection import project
from tracer.layout.watch import ORDERED, Watch

Rows = list[list[int]]

MANY, FEW = (8, 20), (4, 2)  # sweeps, and rounds of swaps in each
MAX_STALE = 4  # sweeps without a better order before giving up
MOST_SWAPS = 8_000  # looked at, in one go through a row
OFTEN = 500  # rounds of a loop between two looks at the watch
LARGE = 12_000  # nodes and ties; above, one start and few sweeps


def order_rows(graph: Layered, homes: Sequence[float | None], watch: Watch) -> None:
    """Puts `graph.rows` in order: barycentre sweeps and swaps of neighbours from several starts, the best is kept.

    Nodes with a home (previous centre x) keep their order among themselves. `watch` may raise to give up.
    """
    _take_out_loops(graph)
    if any(len(row) > 1 for row in graph.rows):
        graph.rows = _best_order(graph, homes, watch)
        graph.rows = [balanced(graph, row, homes) for row in graph.rows]
    _put_loops_outside(graph)


def _best_order(graph: Layered, homes: Sequence[float | None], watch: Watch) -> Rows:
    known = [*[home is not None for home in homes], *[False] * (len(graph.layers) - len(homes))]
    if any(known):
        starts = [_by_place(graph.rows, guess_places(graph, homes))]
    else:
        starts = [_depth_first(graph, reverse=False), graph.rows, _depth_first(graph, reverse=True)]
    is_large = len(graph.layers) + sum(map(len, graph.above)) > LARGE
    if is_large:
        del starts[1:]
    best: Rows = starts[0]
    fewest: int | None = None
    for number, rows in enumerate(starts):
        search = _Search(graph, [list(row) for row in rows], known, watch)
        sweeps, swap_rounds = FEW if is_large else MANY
        for turn in search.turns(sweeps, swap_rounds):
            watch.reach(ORDERED * (number + turn / sweeps) / len(starts))
        if fewest is None or search.fewest < fewest:
            best, fewest = search.best, search.fewest
        if not fewest:
            break
    return best


def _take_out_loops(graph: Layered) -> None:
    dummies = {dummy for index in graph.loops for dummy in graph.chains[index]}
    if dummies:
        graph.rows = [[node for node in row if node not in dummies] for row in graph.rows]


def _put_loops_outside(graph: Layered) -> None:
    """Edges against the flow run up beside everything else, where less is between them and their ends: short ones
    inside, long ones around them.
    """
    for index, edge in sorted(graph.loops.items(), key=lambda item: (len(graph.chains[item[0]]), item[0])):
        chain = graph.chains[index]
        left = right = 0
        for end in edge.source, edge.target:
            row = graph.rows[graph.layers[end]]
            left += row.index(end)
            right += len(row) - 1 - row.index(end)
        for dummy in chain:
            row = graph.rows[graph.layers[dummy]]
            row.insert(0 if left < right else len(row), dummy)


def count_crossings(rows: Rows, above: list[list[int]], position: list[int], watch: Watch) -> int:
    """How many pairs of edges between adjacent layers cross; `above` are each node's neighbours one layer up."""
    total = 0
    for upper, row in pairwise(rows):
        watch.check()
        if len(upper) > 1 and len(row) > 1:
            ends: list[int] = []
            for node in row:
                ends += sorted([position[source] for source in above[node]])
            total += _inversions(ends, watch)
    return total


def _inversions(values: list[int], watch: Watch) -> int:
    if all(left <= right for left, right in pairwise(values)):
        return 0
    total = 0
    done: list[int] = []
    for number, value in enumerate(values):
        if not number % OFTEN:
            watch.check()
        at = bisect.bisect_right(done, value)
        total += len(done) - at
        done.insert(at, value)
    return total


class _Search:
    """Improves one start. `best` is the best order found, with `fewest` crossings."""

    def __init__(self, graph: Layered, rows: Rows, known: list[bool], watch: Watch) -> None:
        self.graph = graph
        self.rows = rows
        self.known = known
        self.watch = watch
        self.above = [[tie.node for tie in ties] for ties in graph.above]
        self.below = [[tie.node for tie in ties] for ties in graph.below]
        self.position = [0] * len(graph.layers)
        for row in rows:
            self._number(row)
        self.best = [list(row) for row in rows]
        self.fewest = self._count()

    def turns(self, sweeps: int, swap_rounds: int) -> Iterator[int]:
        """Does what it can in that many turns; yields the number of each before it begins."""
        stale = 0
        for turn in range(sweeps):
            if not self.fewest or stale >= MAX_STALE:
                break
            yield turn
            self._sweep(downwards=turn % 2 == 0, flip_ties=turn % 4 >= 2)
            for _ in range(swap_rounds):
                if not self._swap_all():
                    break
            stale = 0 if self._keep_if_better() else stale + 1

    def _keep_if_better(self) -> bool:
        crossings = self._count()
        if crossings >= self.fewest:
            return False
        self.fewest = crossings
        self.best = [list(row) for row in self.rows]
        return True

    def _count(self) -> int:
        return count_crossings(self.rows, self.above, self.position, self.watch)

    def _number(self, row: list[int]) -> None:
        for index, node in enumerate(row):
            self.position[node] = index

    def _sweep(self, downwards: bool, flip_ties: bool) -> None:
        """Sorts every layer by the mean position of its neighbours in the layer before."""
        layers = range(1, len(self.rows)) if downwards else range(len(self.rows) - 2, -1, -1)
        ties = self.graph.above if downwards else self.graph.below
        for layer in layers:
            self.watch.check()
            if len(self.rows[layer]) > 1:
                self.rows[layer] = self._sorted_row(self.rows[layer], ties, flip_ties)
                self._number(self.rows[layer])

    def _sorted_row(self, row: list[int], ties: list[list[Tie]], flip_ties: bool) -> list[int]:
        centres = {node: self._barycentre(ties[node]) for node in row if ties[node]}
        self._respect_known(row, centres)
        free = [node for node in row if node in centres]
        free = sorted(reversed(free) if flip_ties else free, key=centres.__getitem__)
        for index, node in enumerate(row):
            if node not in centres:  # it has nothing to go by and stays at its place
                free.insert(index, node)
        return free

    def _barycentre(self, ties: list[Tie]) -> float:
        """Mean position; attachment offsets break ties between edges of one frame."""
        return sum([self.position[tie.node] + 1e-4 * tie.offset for tie in ties]) / len(ties)

    def _respect_known(self, row: list[int], centres: dict[int, float]) -> None:
        """Changes the centres of nodes with a home as little as keeps their order."""
        known = [node for node in row if self.known[node]]
        if len(known) > 1:
            wanted = [centres.get(node, float(self.position[node])) for node in known]
            kept = project(wanted, [1.0] * len(known), [1e-6] * (len(known) - 1))
            centres.update(zip(known, kept, strict=True))

    def _swap_all(self) -> bool:
        """Swaps neighbours wherever that saves a crossing; says whether it did."""
        has_gained = False
        for row in self.rows:
            self.watch.check()
            if len(row) > 1 and self._swap_row(row):
                self._number(row)
                has_gained = True
        return has_gained

    def _swap_row(self, row: list[int]) -> bool:
        up = [sorted([self.position[other] for other in self.above[node]]) for node in row]
        down = [sorted([self.position[other] for other in self.below[node]]) for node in row]
        has_gained = False
        for _ in range(max(MOST_SWAPS // len(row), 1)):
            again = False
            for left in range(len(row) - 1):
                if not left % OFTEN:
                    self.watch.check()
                right = left + 1
                if self.known[row[left]] and self.known[row[right]]:
                    continue
                if _saved(up[left], up[right]) + _saved(down[left], down[right]) > 0:
                    row[left], row[right] = row[right], row[left]
                    up[left], up[right] = up[right], up[left]
                    down[left], down[right] = down[right], down[left]
                    again = has_gained = True
            if not again:
                break
        return has_gained


def _saved(left: list[int], right: list[int]) -> int:
    """Crossings that vanish if two neighbours swap; these are the sorted positions of what they are tied to."""
    if not left or not right:
        return 0
    saved = 0
    for end in left:
        saved += bisect.bisect_left(right, end) - (len(right) - bisect.bisect_right(right, end))
    return saved


def _by_place(rows: Rows, places: list[float]) -> Rows:
    return [sorted(row, key=places.__getitem__) for row in rows]


def _depth_first(graph: Layered, reverse: bool) -> Rows:
    """The order in which a depth-first search against the flow meets the nodes, the lowest layers first."""
    seen = bytearray(len(graph.layers))
    rows: Rows = [[] for _ in graph.rows]
    for row in reversed(graph.rows):
        for start in row:
            waiting = [start]
            while waiting:
                node = waiting.pop()
                if not seen[node]:
                    seen[node] = 1
                    rows[graph.layers[node]].append(node)
                    ties = graph.above[node] if reverse else reversed(graph.above[node])
                    waiting.extend(tie.node for tie in ties if not seen[tie.node])
    return rows
