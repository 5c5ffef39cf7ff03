"""What boxes stand for in one graph: nodes, parameters, calls. Found once, so that colouring a step is numpy alone."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from weakref import WeakKeyDictionary, ref

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gui.call_outputs import call_parents, output_ops, upwards
from tracer.model.call_keys import unmarked
from tracer.model.view import Box

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_MOST_VIEWS = 4  # of one graph: other modules open, other options
_MOST_TABLES = 4


class Holding:
    """Keys of rows of a table, of which each box has some. A box of all copies of a fold has those of each copy."""

    def __init__(self, keys_of_boxes: Iterable[Iterable[str]]) -> None:
        keys_of = [tuple(keys) for keys in keys_of_boxes]
        self._count = len(keys_of)
        self._keys = [key for keys in keys_of for key in keys]
        self._boxes: Ints = np.repeat(np.arange(self._count), [len(keys) for keys in keys_of])
        self._found: list[tuple[tuple[str, ...], Ints, Ints, Ints]] = []

    def sums(self, keys: tuple[str, ...], values: Floats) -> Floats:
        """Of the values of each box, float64 (boxes,); `values` belong to the keys. Unknown ones, NaN, do not count
        beside known ones; NaN where a box has none that is known."""
        return self._gathered(keys, values, np.add, 0.0)

    def greatest(self, keys: tuple[str, ...], values: Floats) -> Floats:
        return self._gathered(keys, values, np.maximum, -np.inf)

    def means(self, keys: tuple[str, ...], values: Floats) -> Floats:
        """Each known value counts alike."""
        with np.errstate(invalid="ignore"):
            means: Floats = self.sums(keys, values) / self.sums(keys, np.where(np.isnan(values), np.nan, 1.0))
        return means

    def any(self, keys: tuple[str, ...], values: Bools) -> Bools:
        """Whether it holds for any that the box has, bool (boxes,)."""
        return self._gathered(keys, values.astype(np.float64), np.maximum, -np.inf) > 0

    def _gathered(self, keys: tuple[str, ...], values: Floats, combine: np.ufunc, nothing: float) -> Floats:
        result = np.full(self._count, np.nan)
        boxes, starts, rows = self._rows_in(keys)
        if len(rows):
            values = values[rows]
            is_known = ~np.isnan(values)
            gathered = combine.reduceat(np.where(is_known, values, nothing), starts)
            result[boxes] = np.where(np.logical_or.reduceat(is_known, starts), gathered, np.nan)
        return result

    def _rows_in(self, keys: tuple[str, ...]) -> tuple[Ints, Ints, Ints]:
        """The boxes that have rows of a table, where those of each begin, and the rows."""
        for known, boxes, starts, rows in self._found:
            if known is keys or known == keys:
                return boxes, starts, rows
        row_of = {key: row for row, key in enumerate(keys)}
        every: Ints = np.array([row_of.get(key, -1) for key in self._keys], dtype=np.int64)
        owners, rows = self._boxes[every >= 0], every[every >= 0]
        boxes, starts = np.unique(owners, return_index=True)
        self._found = [(keys, boxes, starts, rows), *self._found[: _MOST_TABLES - 1]]
        return boxes, starts, rows


class BoxIndex:
    """Of the boxes of one view, as one graph has them."""

    def __init__(self, boxes: tuple[Box, ...], graph: nx.MultiDiGraph) -> None:
        self.boxes = boxes
        self._graph = ref(graph)  # which keeps this in the cache
        self._nodes: Mapping[str, Mapping[str, object]] = dict(graph.nodes.items())
        self._parents = call_parents(graph)
        self._labels: dict[str, tuple[Ints, tuple[str, ...]]] = {}

    def labels(self, name: str, label_of: Callable[[Box], str]) -> tuple[Ints, tuple[str, ...]]:
        """The label of each box as a number, int64 (n,), and the labels by number; `name` tells apart who asks."""
        if name not in self._labels:
            numbers: dict[str, int] = {}
            rows = [numbers.setdefault(label_of(box), len(numbers)) for box in self.boxes]
            self._labels[name] = np.array(rows, dtype=np.int64), tuple(numbers)
        return self._labels[name]

    @cached_property
    def nodes(self) -> Holding:
        """Op nodes by key: an op has its own, a closed module all in it."""
        return Holding(self._members(box, "op") for box in self.boxes)

    @cached_property
    def ops(self) -> Holding:
        """Op nodes by key: an op has its own, those of all copies if it is a fold; a closed module none."""
        return Holding(self._members(box, "op") if box.kind == "op" else () for box in self.boxes)

    @cached_property
    def parameters(self) -> Holding:
        """Parameters by qualified name: a parameter has its own, a closed module each that is used in it, once."""
        return Holding(self._parameters(box) for box in self.boxes)

    @cached_property
    def calls(self) -> Holding:
        """Module calls by key: a closed module has its own."""
        return Holding(own for own, _ in self._calls_of_boxes)

    @cached_property
    def outputs(self) -> Holding:
        """Module calls by key: a closed module has its own, and an op that whose output it made."""
        graph = self._graph()
        made = {} if graph is None else output_ops(graph, self._parents)
        return Holding(
            dict.fromkeys(made[member] for member in box.members if member in made) if box.kind == "op" else own
            for box, (own, _) in zip(self.boxes, self._calls_of_boxes, strict=True)
        )

    @cached_property
    def inner_calls(self) -> Holding:
        """Module calls by key: a closed module has its own and those below that made nodes."""
        return Holding(inner for _, inner in self._calls_of_boxes)

    @cached_property
    def parameter_counts(self) -> Floats:
        """How many numbers the parameters of each box have, all copies of a fold together; NaN where it has none."""
        counts = {
            _parameter_name(key, node): float(sum(np.prod(shape, dtype=np.float64) for shape in _shapes(node)))
            for key, node in self._nodes.items()
            if node.get("kind") == "parameter"
        }
        return self.parameters.sums(tuple(counts), np.array(list(counts.values()), dtype=np.float64))

    @cached_property
    def is_folded(self) -> Bools:
        """Whether a box is drawn for several copies that the graph has, in a fold or the frame of one."""
        folded = (
            len(own) > 1 if box.kind == "module" else sum(member in self._nodes for member in box.members) > 1
            for box, (own, _) in zip(self.boxes, self._calls_of_boxes, strict=True)
        )
        return np.fromiter(folded, dtype=np.bool_, count=len(self.boxes))

    @cached_property
    def _calls_of_boxes(self) -> list[tuple[Collection[str], Collection[str]]]:
        return [self._calls(box) for box in self.boxes]

    def _members(self, box: Box, kind: str) -> list[str]:
        nodes = self._nodes
        return [member for member in box.members if member in nodes and nodes[member].get("kind") == kind]

    def _parameters(self, box: Box) -> Iterable[str]:
        if box.kind not in ("parameter", "module"):
            return ()
        return dict.fromkeys(_parameter_name(key, self._nodes[key]) for key in self._members(box, "parameter"))

    def _calls(self, box: Box) -> tuple[Collection[str], Collection[str]]:
        """The call that a closed module stands for, those of all copies if it is a fold; and with all below them."""
        if box.kind != "module":
            return (), ()
        key = unmarked(box.key)[0] if box.members else box.key
        depth = self._depth(key) if key in self._parents else self._depth(box.group) + 1
        own, inner = dict.fromkeys([key]), dict.fromkeys([key])
        for made_in in dict.fromkeys(str(self._nodes[op].get("call_key") or "") for op in self._members(box, "op")):
            ancestry = list(upwards(made_in, self._parents))
            inside = ancestry[: max(len(ancestry) - depth, 0)]
            own.update(dict.fromkeys(inside[-1:]))
            inner.update(dict.fromkeys(inside))
        return own, inner

    def _depth(self, key: str | None) -> int:
        """How many calls lie around one; -1 for none."""
        return sum(1 for _ in upwards(key, self._parents)) - 1


_indices: WeakKeyDictionary[nx.MultiDiGraph, tuple[BoxIndex, ...]] = WeakKeyDictionary()


def index_of(boxes: tuple[Box, ...], graph: nx.MultiDiGraph) -> BoxIndex:
    """That of these very boxes and this graph, made at the first question and kept as long as the graph is."""
    known = _indices.get(graph, ())
    for index in known:
        if index.boxes is boxes:
            return index
    index = BoxIndex(boxes, graph)
    _indices[graph] = (index, *known[: _MOST_VIEWS - 1])
    return index


def _parameter_name(key: str, node: Mapping[str, object]) -> str:
    return str(node.get("parameter") or key)


def _shapes(node: Mapping[str, object]) -> list[list[int]]:
    shapes = node.get("shapes")
    return shapes if isinstance(shapes, list) else []
