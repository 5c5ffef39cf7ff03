"""Equal parts of a graph, one after the other, as one: turns of a loop, layers, experts.

A fold is found among what lies directly in one call, or at the top: a few calls and ops that come several times in a
row, equal inside and wired alike. Experts that work beside each other count as in a row, see `families`. All copies are
then the first one: what is drawn is a quotient of the graph.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass

import networkx as nx
import numpy as np

from tracer.model.content import Content, FoldPart
from tracer.model.families import brought_together
from tracer.model.labels import op_title, title_of_paths
from tracer.model.quotient import Quotient
from tracer.model.repeats import Repeat, repeats
from tracer.model.signature import TOP, Anatomy
from tracer.model.view import Fold


@dataclass(frozen=True, slots=True)
class _Placed:
    """A repeat where it stands in a frame: `starts` has its first item, once for each copy of the folds around it that
    are drawn as one. `depth` counts those around it that begin with the same item."""

    frame: int
    repeat: Repeat
    starts: tuple[int, ...]
    depth: int
    key: str

    @property
    def copies(self) -> list[int]:
        """The first item of each copy."""
        turns = range(0, self.repeat.count * self.repeat.period, self.repeat.period)
        return [start + turn for start in self.starts for turn in turns]


class Folds:
    """The folds of one graph, which is not changed afterwards."""

    def __init__(self, graph: nx.MultiDiGraph, content: Content) -> None:
        self.content = content
        self._anatomy = Anatomy(content, graph)
        self._found = self._find()
        orders = brought_together(content, self._anatomy, self._found)
        if orders:
            self._anatomy = Anatomy(content, graph, orders)
            self._found = self._find()
        self._quotient = Quotient(graph, content, self._anatomy)

    @property
    def keys(self) -> frozenset[str]:
        """Of all folds, also of those that are found only when others are taken apart."""
        return frozenset(one.key for frame in self._found for one in self._within(frame))

    def folded(self, unfolded: Set[str] = frozenset()) -> Content:
        """The graph with all folds but those of these keys."""
        drawn: list[_Placed] = []
        apart: list[_Placed] = []
        gone = np.zeros(len(self.content.calls), dtype=np.bool_)
        # Frames come before those inside them: what lies in a copy is not looked at.
        for frame in (TOP, *self._anatomy.call_order):
            if frame == TOP or not gone[frame]:
                for one in self._chosen(frame, unfolded):
                    (apart if one.key in unfolded else drawn).append(one)
                    if one.key not in unfolded:
                        gone[self._calls_in_copies(one)] = True
        return self._quotient.of(
            [(self._items(one)[0], one.repeat.count) for one in drawn],
            folds={one.key: self._fold(one) for one in drawn},
            parts={key: part for one in drawn for key, part in self._parts(one)},
            apart={self._key_of(item): one.key for one in apart for items in self._items(one) for item in items},
        )

    def _find(self) -> dict[int, tuple[Repeat, ...]]:
        """The repeats of each frame; calls that are the same inside have the same."""
        found: dict[int, tuple[Repeat, ...]] = {}
        of_kinds: dict[int, tuple[Repeat, ...]] = {}
        for key, items in self._anatomy.items.items():
            kind = self._anatomy.kind_of(key)
            if kind not in of_kinds:
                frame = self._anatomy.frame(key)
                is_call = np.array([item < 0 for item in items], dtype=np.bool_)
                of_kinds[kind] = repeats(frame.kinds, is_call, frame.sizes, frame.wires)
            if of_kinds[kind]:
                found[key] = of_kinds[kind]
        return found

    def _chosen(self, frame: int, unfolded: Set[str]) -> Iterator[_Placed]:
        """The folds of a frame, outer ones first, with those taken apart."""
        waiting = self._outermost(frame)
        while waiting:
            one = waiting.pop()
            yield one
            waiting += self._inner(one, is_apart=one.key in unfolded)

    def _within(self, frame: int) -> Iterator[_Placed]:
        waiting = self._outermost(frame)
        while waiting:
            one = waiting.pop()
            yield one
            waiting += self._inner(one, is_apart=True)

    def _outermost(self, frame: int) -> list[_Placed]:
        return [self._placed(frame, repeat, (repeat.start,), 0) for repeat in self._found.get(frame, ())[::-1]]

    def _inner(self, outer: _Placed, *, is_apart: bool) -> Iterator[_Placed]:
        """The folds within the copies of a fold in the same frame, each copy's own if it is taken apart."""
        for inner in outer.repeat.inner:
            starts = [copy + inner.start - outer.repeat.start for copy in outer.copies]
            for own in [(start,) for start in starts] if is_apart else [tuple(starts)]:
                yield self._placed(outer.frame, inner, own, outer.depth + 1 if own[0] == outer.starts[0] else 0)

    def _placed(self, frame: int, repeat: Repeat, starts: tuple[int, ...], depth: int) -> _Placed:
        key = self._key_of(self._anatomy.items[frame][starts[0]])
        return _Placed(frame, repeat, starts, depth, f"{key}×{depth}" if depth else key)

    def _items(self, one: _Placed) -> list[list[int]]:
        """The items of each copy."""
        items = self._anatomy.items[one.frame]
        return [items[copy : copy + one.repeat.period] for copy in one.copies]

    def _calls_in_copies(self, one: _Placed) -> list[int]:
        return [~item for copy in self._items(one)[1:] for item in copy if item < 0]

    def _fold(self, one: _Placed) -> Fold:
        anatomy = self._anatomy
        firsts = (items[0] for items in self._items(one))
        places = (anatomy.starts[~item] if item < 0 else int(anatomy.places[item]) for item in firsts)
        return Fold(one.key, tuple(self.content.keys[anatomy.order[place]] for place in places))

    def _parts(self, one: _Placed) -> Iterator[tuple[str, FoldPart]]:
        for items in zip(*self._items(one), strict=True):
            first = items[0]
            if first >= 0:
                title = op_title(self.content.nodes[first]["op"])
            else:
                title = title_of_paths([self.content.calls[~item].path for item in items]) or (
                    self.content.calls[~first].class_name
                )
            yield self._key_of(first), FoldPart(one.key, len(items), title)

    def _key_of(self, item: int) -> str:
        return self.content.keys[item] if item >= 0 else self.content.calls[~item].key
