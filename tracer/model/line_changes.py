"""Ops made in calls that both steps have: which lines made more of them, or fewer."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tracer.model.node_lines import NodeLines
from tracer.model.step_side import StepSide
from tracer.model.structure import SourceLine

_Place = tuple[str | None, SourceLine | None, str]
"""The module that made ops, the line, and, where that is not known, their name."""


@dataclass(slots=True)
class LineChange:
    """Ops made by one line in calls of `owner`. It ran `before` and `after` times: where `is_exact` is False, or only
    one kind of op is made, so many ops are known, but not that each was a run."""

    owner: str | None
    line: SourceLine | None
    before: int = 0
    after: int = 0
    is_exact: bool = False
    ops: Counter[str] = field(default_factory=Counter)
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    @property
    def is_loop(self) -> bool:
        """Whether it ran in both steps, and all that differs is how often."""
        is_whole = self.is_exact or len(self.ops) == 1
        return bool(self.before and self.after) and is_whole and not (self.added and self.removed)


def line_changes(
    before: StepSide, after: StepSide, lines: NodeLines, removed: Iterable[str], added: Iterable[str], ignored: set[str]
) -> list[LineChange]:
    """`removed` and `added` are the ops to tell of; `ignored` are nodes that something else explains: they are not
    counted.

    Ops are numbered within their call, so what is missing in the middle shows as missing at the end: it is put down to
    a line that makes fewer.
    """
    sides = (before, after)
    ops = (list(removed), list(added))
    counted = {
        (side.module_of(key), side.nodes[key]["op"]) for side, keys in zip(sides, ops, strict=True) for key in keys
    }
    counts = tuple(_counts(side, lines, counted, ignored) for side in sides)
    changes: dict[_Place, LineChange] = {}
    for side, keys, (more, fewer) in zip(sides, ops, (counts, counts[::-1]), strict=True):
        surplus = _surplus(more, fewer)
        for key in keys:
            place = _take(surplus, _place(side, lines, key), side.nodes[key]["op"])
            change = changes.setdefault(place, LineChange(place[0], place[1]))
            change.ops[side.nodes[key]["op"]] += 1
            (change.removed if side is before else change.added).append(key)
    for place, change in changes.items():
        _count_runs(change, *({op: count[place][op] for op in change.ops} for count in counts))
    return list(changes.values())


_Counts = dict[_Place, Counter[str]]


def _counts(side: StepSide, lines: NodeLines, counted: set[tuple[str | None, str]], ignored: set[str]) -> _Counts:
    counts: dict[_Place, Counter[str]] = _Missing()
    for key, node in side.nodes.items():
        if node["kind"] == "op" and key not in ignored and (side.module_of(key), node["op"]) in counted:
            counts.setdefault(_place(side, lines, key), Counter())[node["op"]] += 1
    return counts


class _Missing(dict[_Place, Counter[str]]):
    def __missing__(self, place: _Place) -> Counter[str]:
        return Counter()


def _place(side: StepSide, lines: NodeLines, key: str) -> _Place:
    line = lines.of(side, key)
    return side.module_of(key), line, "" if line is not None else side.nodes[key]["op"]


_Surplus = dict[tuple[str | None, str], dict[_Place, int]]


def _surplus(more: _Counts, fewer: _Counts) -> _Surplus:
    """By module and op the places that made more of them, and how many."""
    surplus: _Surplus = {}
    for place, ops in more.items():
        for op, count in ops.items():
            if count > fewer[place][op]:
                surplus.setdefault((place[0], op), {})[place] = count - fewer[place][op]
    return surplus


def _take(surplus: _Surplus, own: _Place, op: str) -> _Place:
    """The node's own place, if it made more of the op; else another of the module that did."""
    places = surplus.get((own[0], op), {})
    place = own if own in places else next(iter(places), own)
    if place in places:
        places[place] -= 1
        if not places[place]:
            del places[place]
    return place


def _count_runs(change: LineChange, before: dict[str, int], after: dict[str, int]) -> None:
    """Each run makes as many of each op: that is so where the counts differ by the same number, or in proportion."""
    pairs = sorted((before[op], after[op]) for op in change.ops)
    smallest, largest = pairs[0], pairs[-1]
    if len({new - old for old, new in pairs}) == 1:
        change.before, change.after = largest
        change.is_exact = len(pairs) > 1
    elif all(old * smallest[1] == new * smallest[0] for old, new in pairs):
        change.before, change.after = smallest
        change.is_exact = True
    else:
        change.before, change.after = sum(before.values()), sum(after.values())
