"""What a search finds in a step's graph: nodes and module calls by name, op, path, class, parameter or shape."""

import fnmatch
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from tracer.model.call_keys import unmarked
from tracer.model.call_tree import Call, call_tree
from tracer.model.labels import op_title

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
FIELDS = ("op", "module", "shape", "param")
"""What a search may be limited to: `op:relu`, `module:encoder.*`, `shape:64x128`, `param:weight`."""

_SHAPE = re.compile(r"[\d*?]+(x[\d*?]+)+x?")
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: `text` in lower case with "x" between sizes, `field` one of FIELDS or "" for all."""

    text: str
    field: str = ""

    @property
    def is_glob(self) -> bool:
        return _GLOB.search(self.text) is not None

    def __bool__(self) -> bool:
        return bool(self.text)


def query_of(text: str) -> Query:
    """What the user typed; a prefix that is none of FIELDS is part of the text."""
    text = " ".join(text.lower().replace("×", "x").replace(" x ", "x").split()).replace(" #", "#")
    field, colon, rest = text.partition(":")
    return Query(rest.strip(), field) if colon and field in FIELDS else Query(text)


def test_of(query: Query) -> Callable[[str], bool]:
    """Whether a text in lower case is what is looked for: it contains the words, or fits the glob as a whole.

    A glob may leave out what stands before a dot: "conv?" fits "layer1.0.conv1".
    """
    if query.is_glob:
        fits = re.compile(rf"(?:.*\.)?{fnmatch.translate(query.text)}", re.DOTALL).match
        return lambda text: fits(text) is not None
    return lambda text: query.text in text


def shape_test_of(query: Query) -> Callable[[str], bool]:
    """The same for shapes, where 64x128 is not in 164x128."""
    if query.is_glob:
        test = test_of(query)
        return lambda text: any(map(test, text.split()))
    fits = re.compile(rf"(?<!\d){re.escape(query.text)}").search
    return lambda text: fits(text) is not None


class Column:
    """One text for each of many rows, few of them different: each different text is tested once."""

    def __init__(self, values: Iterable[Hashable], text_of: Callable[[Any], str] = str) -> None:
        numbers: dict[Hashable, int] = {}
        self._rows = np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)
        self._values = tuple(numbers)
        self._texts = tuple(text_of(value).lower() for value in self._values)

    def told_by(self, text_of: Callable[[Any], str]) -> "Column":
        """The same values by other texts."""
        column = copy(self)
        column._texts = tuple(text_of(value).lower() for value in self._values)
        return column

    def where(self, fits: Callable[[str], bool]) -> Bools:
        """The rows (n,) whose text fits; an empty text never does."""
        answers = np.fromiter((bool(text) and fits(text) for text in self._texts), np.bool_, len(self._texts))
        return answers[self._rows] if len(answers) else np.zeros(0, np.bool_)


class SearchIndex:
    """The texts of one graph, made once, part by part; `find` then takes some milliseconds for 50,000 nodes."""

    def __init__(self, graph: nx.MultiDiGraph, calls: Mapping[str, Call] | None = None) -> None:
        self._parts = self._make(graph, call_tree(graph) if calls is None else calls)

    def advance(self) -> bool:
        """Makes the next part, 20 ms for 50,000 nodes; whether there was one left to make."""
        return next(self._parts, False)

    def _make(self, graph: nx.MultiDiGraph, calls: Mapping[str, Call]) -> Iterator[bool]:
        self._keys = list(graph)
        nodes = list(graph.nodes.values())
        self._ops = Column([node["op"] if node["kind"] == "op" else "" for node in nodes])
        self._titles = self._ops.told_by(op_title)
        yield True
        self._ends = Column([_name_of_end(key, node) for key, node in zip(self._keys, nodes, strict=True)])
        yield True
        self._parameters = Column([node.get("parameter") or "" for node in nodes])
        self._owners = self._parameters.told_by(lambda name: name.rpartition(".")[0])
        yield True
        self._shapes = Column([tuple(map(tuple, node["shapes"])) for node in nodes], _shapes_text)
        yield True
        self._call_keys = list(calls)
        every = list(calls.values())
        above = [calls[call.parent].path if call.parent is not None else "" for call in every]
        self._paths, self._paths_above = Column(call.path for call in every), Column(above)
        self._numbered = Column(unmarked(call.key)[0] for call in every)
        self._classes = Column(call.class_name for call in every)
        yield True
        row_of = {key: row for row, key in enumerate(calls)}
        self._call_rows = np.array([row_of.get(node.get("call_key"), -1) for node in nodes], np.int64)
        yield True
        self._order = _order(calls, graph)

    def find(self, query: Query) -> tuple[str, ...]:
        """The keys of the calls and nodes that match, in the order of the graph, a call before what is in it.

        Without a prefix a module that matches speaks for what is in it: its parameters and inner modules do not match
        for their names' beginning, nor its own ops for being called as it is.
        """
        if not query:
            return ()
        while self.advance():
            pass
        nodes, calls = self._nodes_where(query), self._calls_where(query)
        if not query.field:
            nodes &= ~np.append(calls, False)[self._call_rows]
        every = np.concatenate([calls, nodes])
        keys = self._call_keys + self._keys
        return tuple(keys[number] for number in self._order[every[self._order]].tolist())

    def _nodes_where(self, query: Query) -> Bools:
        fits = test_of(query)
        if query.field == "module":
            return np.zeros(len(self._keys), np.bool_)
        if query.field == "shape":
            return self._shapes.where(shape_test_of(query))
        if query.field == "param":
            return self._parameters.where(fits)
        ops = self._ops.where(fits)
        ops |= self._titles.where(fits)
        if query.field == "op":
            return ops
        named = self._parameters.where(fits) & ~self._owners.where(fits)
        found: Bools = ops | named | self._ends.where(fits)
        if _SHAPE.fullmatch(query.text):
            found |= self._shapes.where(shape_test_of(query))
        if "/" in query.text:
            found |= np.array([query.text in key.lower() for key in self._keys], np.bool_)
        return found

    def _calls_where(self, query: Query) -> Bools:
        fits = test_of(query)
        if query.field not in ("", "module"):
            return np.zeros(len(self._call_keys), np.bool_)
        if query.field == "module":
            return self._paths.where(fits) | self._numbered.where(fits) | self._classes.where(fits)
        own = self._paths.where(fits) & ~self._paths_above.where(fits)
        numbered = self._numbered.where(fits) if "#" in query.text else np.zeros(len(self._call_keys), np.bool_)
        found: Bools = own | numbered | self._classes.where(fits)
        return found


def _name_of_end(key: str, node: Mapping[str, object]) -> str:
    """Of an input or output, as on the box."""
    return "" if node["kind"] in ("op", "parameter") else str(node.get("target") or key)


def _shapes_text(shapes: Iterable[Iterable[int]]) -> str:
    """As 64x128 2."""
    return " ".join("x".join(map(str, shape)) for shape in shapes)


def _order(calls: Mapping[str, Call], graph: nx.MultiDiGraph) -> Ints:
    """Calls, and nodes numbered after them, as they come in the graph: a call right before its first node, one without
    nodes right after the call it was made in."""
    never = len(graph)
    first = dict.fromkeys(calls, never)
    for number, (_, call) in enumerate(graph.nodes(data="call_key")):
        if call in first:
            first[call] = min(first[call], number)
    for key in reversed(list(calls)):
        above = calls[key].parent
        if above is not None:
            first[above] = min(first[above], first[key])
    for key, call in calls.items():
        if first[key] == never and call.parent is not None:
            first[key] = first[call.parent]
    places = np.array([*first.values(), *range(len(graph))], np.int64)
    return np.argsort(places, kind="stable")
