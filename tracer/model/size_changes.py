"""Changes of sizes that belong together: those that occur in one node, and those that are multiples of each other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Pair = tuple[int, int]
"""One size, before and after."""

Shapes = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class SizeChange:
    """Nodes whose sizes changed in the same ways: `pairs` are the smallest of each way, the most frequent first;
    `is_batch` tells that the first of them stands at dimension 0 of most nodes."""

    nodes: tuple[str, ...]
    pairs: tuple[Pair, ...]
    is_batch: bool


def differing_sizes(before: Shapes, after: Shapes) -> list[tuple[int, Pair]]:
    """(dimension, (size, size)) wherever they differ; nothing where the number of shapes or dimensions does."""
    if [len(shape) for shape in before] != [len(shape) for shape in after]:
        return []
    return [
        (dimension, (old, new))
        for first, second in zip(before, after, strict=True)
        for dimension, (old, new) in enumerate(zip(first, second, strict=True))
        if old != new
    ]


def size_changes(shapes: Mapping[str, tuple[Shapes, Shapes]]) -> tuple[list[SizeChange], list[str]]:
    """What changed together, the most nodes first; and the nodes whose shapes are of another form altogether."""
    differing = {key: differing_sizes(*both) for key, both in shapes.items()}
    groups = _Groups()
    for sizes in differing.values():
        for _, pair in sizes:
            groups.join(sizes[0][1], pair)
    groups.join_multiples()
    members: dict[Pair, list[str]] = {}
    for key, sizes in differing.items():
        if sizes:
            members.setdefault(groups.find(sizes[0][1]), []).append(key)
    changes = [_change(keys, differing) for keys in members.values()]
    changes.sort(key=lambda change: -len(change.nodes))
    return changes, [key for key, sizes in differing.items() if not sizes]


def _change(keys: list[str], differing: Mapping[str, list[tuple[int, Pair]]]) -> SizeChange:
    counts = Counter(pair for key in keys for pair in {pair for _, pair in differing[key]})
    pairs: list[Pair] = []
    for pair in sorted(counts, key=lambda pair: (min(pair), -counts[pair])):
        if not any(_is_multiple(pair, of) for of in pairs):
            pairs.append(pair)
    pairs.sort(key=lambda pair: -counts[pair])
    first = sum((0, pairs[0]) in differing[key] for key in keys)
    return SizeChange(tuple(keys), tuple(pairs), 2 * first > counts[pairs[0]])


def _is_multiple(pair: Pair, of: Pair) -> bool:
    return 0 not in of and pair[0] * of[1] == pair[1] * of[0] and pair[0] % of[0] == 0 and pair[1] % of[1] == 0


class _Groups:
    """Disjoint sets of pairs."""

    def __init__(self) -> None:
        self._above: dict[Pair, Pair] = {}

    def find(self, pair: Pair) -> Pair:
        root = pair
        while self._above.setdefault(root, root) != root:
            root = self._above[root]
        while self._above[pair] != root:
            self._above[pair], pair = root, self._above[pair]
        return root

    def join(self, first: Pair, second: Pair) -> None:
        self._above[self.find(second)] = self.find(first)

    def join_multiples(self) -> None:
        """Those of one ratio, each with the smallest that it is a multiple of."""
        by_ratio: dict[float, list[Pair]] = {}
        for pair in sorted(self._above, key=min):
            smaller = by_ratio.setdefault(pair[0] / pair[1] if pair[1] else -1.0, [])
            base = next((of for of in smaller if _is_multiple(pair, of)), None)
            if base is None:
                smaller.append(pair)
            else:
                self.join(base, pair)
