"""Which module calls are open: at first, and after the user asked for more or less."""

from collections import Counter
from collections.abc import Iterable, Mapping, Set

import networkx as nx
import numpy as np

from tracer.model.call_tree import LIVE, Call, call_depths
from tracer.model.signature import masked
from tracer.model.view_parts import ViewParts, view_parts
from tracer.model.visibility import ViewOptions, hidden_spots, shown_calls

# Boxes in a drawing: fewer say little, more are no longer pleasant, more than it should start with.
FEW_BOXES, GOOD_BOXES, MOST_BOXES = 15, 60, 150


def default_open(
    graph: nx.MultiDiGraph,
    *,
    show_parameters: bool = True,
    show_bookkeeping: bool = False,
    folds_repeats: bool = True,
    unfolded: frozenset[str] = frozenset(),
    before: frozenset[str] | None = None,
) -> frozenset[str]:
    """The calls to open at first, for some 15 to 150 boxes: level by level while that draws about 60; where a level
    would draw more and there are few yet, the largest kinds of calls in it that fit.

    A single call at the top is always opened, one with a single box in it never (it would show the same in a frame),
    unless more is further in; one with a single op and its parameters only where there is little else. Calls that made
    no nodes stay closed beside a graph; where there is none, they are all there is to show.

    `before` is what was open while the graph was smaller: it stays, with what came beside it, as long as it draws
    neither too few boxes nor too many.
    """
    options = ViewOptions(frozenset(), show_parameters, show_bookkeeping, True, folds_repeats, unfolded)
    budget = _Budget(view_parts(graph, options), options)
    if before is not None:
        kept = budget.grown(before)
        boxes = budget.boxes(kept)
        if boxes <= MOST_BOXES and (boxes >= FEW_BOXES or kept >= budget.worthwhile):
            return frozenset(budget.keys(kept))
    return frozenset(budget.keys(budget.chosen()))


class _Budget:
    """Counts boxes, by the numbers of the calls in the content of what is drawn; -1 is the top."""

    def __init__(self, parts: ViewParts, options: ViewOptions) -> None:
        content, spots = parts.content, parts.spots
        self.calls, self.callers = content.calls, content.callers.tolist()
        can_open = _openable(parts, options)
        self.below: dict[int, list[int]] = {}  # calls that can open, by the call around them
        self.own: Counter[int] = Counter()  # the other boxes in each call
        for number, caller in enumerate(self.callers):
            if can_open[number]:
                self.below.setdefault(caller, []).append(number)
            elif caller < 0 or can_open[caller]:
                self.own[caller] += 1
        is_drawn = ~hidden_spots(content, spots, options)
        if not options.show_parameters:
            is_drawn &= ~spots.is_parameter
        owners, counts = np.unique(spots.owners[is_drawn], return_counts=True)
        self.own.update(dict(zip(owners.tolist(), counts.tolist(), strict=True)))
        self.sizes = self._totals(self.own)
        self.worthwhile = {number for number, size in enumerate(self.sizes) if can_open[number] and size > 1}
        own_ops = Counter(spots.owners[is_drawn & ~spots.is_parameter].tolist())
        # A call without a graph holds calls only, which are its boxes.
        ops = self._totals(own_ops if content.keys else self.own)
        self.first = {number for number in self.worthwhile if ops[number] > 1}

    def chosen(self) -> set[int]:
        """Of the calls with several ops; where these draw few boxes, of all."""
        opened = self._chosen(self.first)
        return opened if self.boxes(opened) >= FEW_BOXES else self._chosen(self.worthwhile)

    def _chosen(self, worthwhile: set[int]) -> set[int]:
        """Levels while they fit, then the largest calls that do."""
        top = self.below.get(-1, [])
        opened = self._through(top, worthwhile) if len(top) == 1 else set()
        level = self._next_level(opened, worthwhile) if opened else [call for call in top if call in worthwhile]
        while level:
            boxes = self.boxes(opened)
            more = self._through(level, worthwhile)
            if boxes + self._added(more) > GOOD_BOXES:
                more = self._fitting(level, boxes, worthwhile) if boxes < FEW_BOXES else set()
            opened |= more
            level = self._next_level(more, worthwhile)
        return opened

    def grown(self, before: Set[str]) -> set[int]:
        """What was open, with the calls that came since beside others of their kind, if most of these are open."""
        opened = {number for number, call in enumerate(self.calls) if call.key in before}
        kinds = Counter(self._kind(number) for number in self.worthwhile)
        open_kinds = Counter(self._kind(number) for number in opened)
        for number, caller in enumerate(self.callers):
            if number in self.worthwhile and (caller < 0 or caller in opened):
                kind = self._kind(number)
                if 2 * open_kinds[kind] > kinds[kind]:
                    opened.add(number)
        return opened

    def boxes(self, opened: Set[int]) -> int:
        """Boxes drawn with these calls open, each of which lies in open ones."""
        return self._inside(-1) + self._added(opened)

    def keys(self, opened: Set[int]) -> frozenset[str]:
        return frozenset(self.calls[number].key for number in opened)

    def _inside(self, number: int) -> int:
        return self.own[number] + len(self.below.get(number, ()))

    def _added(self, opened: Set[int]) -> int:
        return sum(self._inside(number) - 1 for number in opened)

    def _totals(self, own: Mapping[int, int]) -> list[int]:
        """What lies in each call with all in it open, at least one for each call."""
        totals = [own.get(number, 0) for number in range(len(self.calls))]
        for number in range(len(self.calls) - 1, -1, -1):
            totals[number] += sum(max(totals[inner], 1) for inner in self.below.get(number, ()))
        return totals

    def _kind(self, number: int) -> tuple[str, str]:
        return masked(self.calls[number].path), self.calls[number].class_name

    def _next_level(self, opened: Set[int], worthwhile: set[int]) -> list[int]:
        inner = (below for number in sorted(opened) for below in self.below.get(number, ()))
        return [number for number in inner if number in worthwhile and number not in opened]

    def _through(self, level: Iterable[int], worthwhile: set[int]) -> set[int]:
        """The calls, and where nothing but one other is in one, that too."""
        opened = set()
        for number in level:
            opened.add(number)
            while self._inside(number) == 1 and worthwhile.issuperset(inner := self.below.get(number, ())) and inner:
                (number,) = inner
                opened.add(number)
        return opened

    def _fitting(self, level: list[int], boxes: int, worthwhile: set[int]) -> set[int]:
        """Of a level that draws too many boxes: the largest kinds of calls that fit; while these draw few, single
        calls."""
        kinds: dict[tuple[str, str], list[int]] = {}
        for number in level:
            kinds.setdefault(self._kind(number), []).append(number)
        by_kind, by_call = self._by_size(kinds.values()), self._by_size([number] for number in level)
        opened: set[int] = set()
        for most, units in ((GOOD_BOXES, by_kind), (MOST_BOXES, by_kind), (GOOD_BOXES, by_call), (MOST_BOXES, by_call)):
            for calls in units:
                more = opened | self._through(calls, worthwhile)
                if boxes + self._added(more) <= most and (
                    most == GOOD_BOXES or boxes + self._added(opened) < FEW_BOXES
                ):
                    opened = more
            if boxes + self._added(opened) >= FEW_BOXES:
                break
        return opened

    def _by_size(self, units: Iterable[list[int]]) -> list[list[int]]:
        return sorted(units, key=lambda calls: -sum(self.sizes[number] for number in calls))


def _openable(parts: ViewParts, options: ViewOptions) -> list[bool]:
    content = parts.content
    callers = set(content.callers[shown_calls(content, options)].tolist())
    has_graph = bool(content.keys)
    return [call.state == LIVE or (number in callers and not has_graph) for number, call in enumerate(content.calls)]


def opened_to_depth(calls: Mapping[str, Call], depth: int) -> frozenset[str]:
    """So many levels of calls; none at 0."""
    return frozenset(key for key, level in call_depths(dict(calls)).items() if level < depth)


def opened_below(calls: Mapping[str, Call], key: str) -> frozenset[str]:
    """A call and all in it."""
    below: set[str] = set()
    for call in calls.values():
        if call.key == key or call.parent in below:
            below.add(call.key)
    return frozenset(below)


def opened_further(calls: Mapping[str, Call], opened: Set[str], key: str) -> frozenset[str]:
    """The closed calls to open for one level more of a call: itself, or if it is open the outermost closed ones in
    it."""
    if key in calls and key not in opened:
        return frozenset({key})
    reached, further = {key}, set[str]()
    for call in calls.values():
        if call.parent in reached:
            (reached if call.key in opened else further).add(call.key)
    return frozenset(further)
