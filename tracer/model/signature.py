"""Which calls and ops of a graph are the same inside, so that one can stand for the other."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import networkx as nx
import numpy as np

from tracer.model.call_tree import LIVE
from tracer.model.content import Content, Ints
from tracer.model.repeats import Wires, mixed

_DIGITS = re.compile(r"\d+")
TOP = -1


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What lies directly in a call, or at the top: what each item is, how many ops it has and parameters these take,
    and how the items are wired."""

    kinds: Ints
    sizes: Ints
    wires: Wires


class Anatomy:
    """A content's `items` by frame: ops (their numbers) and live calls (`~number`) in the order in which their first
    nodes stand in the graph; and `order`, in which what is below each call stands together: depth first.

    `starts` and `sizes` (c,) say where the nodes below a call stand in it; `call_order`, `call_starts` and `call_sizes`
    say the same of the calls, itself first. A frame's key is a call's number, TOP for the top. `orders` are
    other orders of the items of some frames.
    """

    def __init__(
        self, content: Content, graph: nx.MultiDiGraph, orders: Mapping[int, list[int]] = MappingProxyType({})
    ) -> None:
        self.content = content
        self.items = self._items() | dict(orders)
        self.bare: dict[int, list[int]] = {}  # calls without nodes, by the call around them
        for number, call in enumerate(content.calls):
            if call.state != LIVE:
                self.bare.setdefault(int(content.callers[number]), []).append(number)
        self._lay_in_order()
        self._wires = self._edges_by_frame(graph)
        self._inputs = self._parameters_by_op(graph)
        self._sizes_before = np.cumsum([0, *(self._size(node) for node in self.order)])
        self._numbers: dict[Hashable, int] = {}
        self._op_kinds = [self._op_kind(node) for node in range(len(content.keys))]
        self._call_kinds = self._kinds()

    def kind_of(self, frame: int) -> int:
        """A number that calls have in common which are the same inside; -1 of the top."""
        return self._call_kinds[frame] if frame != TOP else -1

    def frame(self, key: int) -> Frame:
        items = self.items.get(key, [])
        kinds = [self._op_kinds[item] if item >= 0 else self._call_kinds[~item] for item in items]
        wires = np.array(self._wires.get(key, []), dtype=np.int64).reshape(-1, 5)
        wires = wires[np.argsort(wires[:, 1], kind="stable")]
        codes = np.zeros(len(wires), dtype=np.uint64)
        for column in wires.T[2:]:
            codes = mixed(codes ^ column.astype(np.uint64))
        sizes = np.array([self._size(item) for item in items], dtype=np.int64)
        return Frame(np.array(kinds, dtype=np.int64), sizes, Wires(wires[:, 0], wires[:, 1], codes))

    def _items(self) -> dict[int, list[int]]:
        content, items = self.content, dict[int, list[int]]()
        callers = content.callers.tolist()
        met: set[int] = set()
        for node, owner in enumerate(content.owners.tolist()):
            if content.nodes[node]["kind"] == "parameter":
                continue
            items.setdefault(owner, []).append(node)
            while owner != TOP and owner not in met:
                met.add(owner)
                items.setdefault(callers[owner], []).append(~owner)
                owner = callers[owner]
        return items

    def _lay_in_order(self) -> None:
        count = len(self.content.calls)
        self.starts, self.sizes = [0] * count, [0] * count
        self.call_starts, self.call_sizes = [0] * count, [0] * count
        self.order: list[int] = []
        self.call_order: list[int] = []
        waiting = self._below(TOP)[::-1]
        while waiting:
            item, is_left = waiting.pop()
            if item >= 0:
                self.order.append(item)
            elif is_left:
                self.sizes[~item] = len(self.order) - self.starts[~item]
                self.call_sizes[~item] = len(self.call_order) - self.call_starts[~item]
            else:
                self.starts[~item], self.call_starts[~item] = len(self.order), len(self.call_order)
                self.call_order.append(~item)
                waiting.append((item, True))
                waiting += self._below(~item)[::-1]
        self.places = np.zeros(len(self.content.keys), dtype=np.int64)
        self.places[self.order] = np.arange(len(self.order))

    def _below(self, frame: int) -> list[tuple[int, bool]]:
        items = [(item, False) for item in self.items.get(frame, ())]
        return items + [(~call, False) for call in self.bare.get(frame, ())]

    def _edges_by_frame(self, graph: nx.MultiDiGraph) -> dict[int, list[tuple[int, int, int, int, int]]]:
        """For the innermost frame around each edge between ops: the items it runs between, by their place in the
        frame, where in them it starts and ends, and its numbers."""
        content = self.content
        owners, callers, places = content.owners.tolist(), content.callers.tolist(), self.places.tolist()
        rank = {item: at for items in self.items.values() for at, item in enumerate(items)}
        depths = [0] * len(callers)
        for call, caller in enumerate(callers):
            depths[call] = depths[caller] + 1 if caller >= 0 else 1
        depths.append(0)  # of the top, number -1
        numbers = {key: number for number, key in enumerate(content.keys)}
        edges: dict[int, list[tuple[int, int, int, int, int]]] = {}
        for source, target, data in graph.edges(data=True):
            start, end = numbers[source], numbers[target]
            if "parameter" in (content.nodes[start]["kind"], content.nodes[end]["kind"]):
                continue
            from_item, to_item, above, below = start, end, owners[start], owners[end]
            while above != below:
                if depths[above] >= depths[below]:
                    from_item, above = ~above, callers[above]
                else:
                    to_item, below = ~below, callers[below]
            edges.setdefault(above, []).append(
                (
                    rank[from_item],
                    rank[to_item],
                    places[start] - (self.starts[~from_item] if from_item < 0 else places[start]),
                    places[end] - (self.starts[~to_item] if to_item < 0 else places[end]),
                    data["output_nr"] * 65_536 + data["input_nr"],
                )
            )
        return edges

    def _parameters_by_op(self, graph: nx.MultiDiGraph) -> dict[int, list[tuple[int, str, tuple[int, ...]]]]:
        """The input number, masked name and shape of the parameters that each op takes."""
        inputs: dict[int, list[tuple[int, str, tuple[int, ...]]]] = {}
        numbers = {key: number for number, key in enumerate(self.content.keys)}
        for key, node in graph.nodes(data=True):
            if node["kind"] == "parameter":
                name = masked(node.get("parameter") or key)
                shape = tuple(node["shapes"][0]) if node["shapes"] else ()
                for _, op, data in graph.out_edges(key, data=True):
                    inputs.setdefault(numbers[op], []).append((data["input_nr"], name, shape))
        return inputs

    def _size(self, item: int) -> int:
        if item >= 0:
            return 1 + len(self._inputs.get(item, ()))
        start = self.starts[~item]
        return int(self._sizes_before[start + self.sizes[~item]] - self._sizes_before[start])

    def _op_kind(self, node: int) -> int:
        data = self.content.nodes[node]
        if data["kind"] != "op":
            return self._number((self.content.keys[node],))
        inputs = tuple(sorted(self._inputs.get(node, ())))
        return self._number((data["op"], inputs, _inside_of(data) if data.get("opaque") else None))

    def _kinds(self) -> list[int]:
        """Of each call. Paths count, but for the numbers in them: query, key and value are three layers of one shape,
        and yet no repeat."""
        kinds = [0] * len(self.content.calls)
        for number in reversed(self.call_order):
            call = self.content.calls[number]
            below = tuple(self._op_kinds[item] if item >= 0 else kinds[~item] for item in self.items.get(number, ()))
            bare = tuple(kinds[each] for each in self.bare.get(number, ()))
            wires = tuple(sorted(self._wires.get(number, ())))
            kinds[number] = self._number(
                (call.class_name, masked(call.path), call.state, call.count, below, bare, wires)
            )
        return kinds

    def _number(self, signature: Hashable) -> int:
        return self._numbers.setdefault(signature, len(self._numbers))


@lru_cache(maxsize=65_536)
def masked(name: str) -> str:
    """A name without the numbers in it: those of a list's members differ in nothing else."""
    return _DIGITS.sub("#", name)


def _inside_of(node: Mapping[str, Any]) -> Hashable:
    inside = node.get("inside")
    if not isinstance(inside, nx.MultiDiGraph):
        return True
    return tuple((str(each["op"]), str(each.get("target"))) for _, each in inside.nodes(data=True))
