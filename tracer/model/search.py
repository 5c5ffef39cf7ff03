"""What a query finds in a step's graph: nodes and module calls."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from tracer.errors import QueryError
from tracer.model.call_keys import call_keys, parent_of, unmarked
from tracer.model.call_tree import Call, call_tree
from tracer.model.comparing import compared
from tracer.model.diff import GraphDiff
from tracer.model.labels import op_title
from tracer.model.matching import Column, shape_test_of, source_test_of, test_of
from tracer.model.query import CHANGES, KINDS, And, Expression, Flag, Not, Number, Or, Query, Term, Text, terms
from tracer.model.statistics import Statistics

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_SHAPE = re.compile(r"[\d*?]+(x[\d*?]+)+x?")


@dataclass(frozen=True, slots=True)
class Found:
    """Which rows, calls first and nodes after them, satisfy an expression.

    `own` are those that do by themselves, `wide` also what lies in a module that does: the terms of `encoder op:relu`
    have to meet somewhere, but "encoder" alone finds the module and not all that is in it.
    `is_of_nodes` says that it can be asked of nodes only.
    """

    own: Bools
    wide: Bools
    is_of_nodes: bool = False


class SearchIndex:
    """The texts of one graph, made once, part by part; `find` then takes some milliseconds for 50,000 nodes.

    `change` is what became of all nodes: of a graph made of those that were removed, "removed".
    """

    def __init__(self, graph: nx.MultiDiGraph, calls: Mapping[str, Call] | None = None, change: str = "") -> None:
        self._graph = graph
        self._change = change
        self._more: dict[str, Column] = {}
        self._parts = self._make(call_tree(graph) if calls is None else calls)

    def advance(self) -> bool:
        """Makes the next part, 20 ms for 50,000 nodes; whether there was one left to make."""
        return next(self._parts, False)

    def _make(self, calls: Mapping[str, Call]) -> Iterator[bool]:
        graph = self._graph
        self._keys = list(graph)
        nodes = list(graph.nodes.values())
        self._nodes: Sequence[Mapping[str, Any]] = nodes
        self._ops = Column([node["op"] if node["kind"] == "op" else "" for node in nodes])
        self._titles = self._ops.told_by(op_title)
        yield True
        self._ends = Column([_name_of_end(key, node) for key, node in zip(self._keys, nodes, strict=True)])
        yield True
        self._parameters = Column([node.get("parameter") or "" for node in nodes])
        self._owners = self._parameters.told_by(_owner)
        yield True
        self._shapes = Column([tuple(map(tuple, node["shapes"])) for node in nodes], _shapes_text)
        yield True
        self._call_keys = list(calls)
        every = list(calls.values())
        above = [calls[call.parent].path if call.parent is not None else "" for call in every]
        self._paths, self._paths_above = Column(call.path for call in every), Column(above)
        self._numbered = Column(unmarked(call.key)[0] for call in every)
        self._classes = Column(call.class_name for call in every)
        self._numbers = np.array([call.number for call in every], np.int64)
        yield True
        row_of = {key: row for row, key in enumerate(calls)}
        self._parents = [row_of.get(call.parent, -1) if call.parent is not None else -1 for call in every]
        self._call_rows = np.array([row_of.get(node.get("call_key"), -1) for node in nodes], np.int64)
        yield True
        self._module_rows = self._rows_of_modules(every)
        yield True
        self._order = _order(calls, graph)

    def _rows_of_modules(self, calls: Sequence[Call]) -> Ints:
        """The call that each node lies in, of a parameter the first one of the module that has it; -1 for none."""
        first: dict[str, int] = {}
        for row, call in enumerate(calls):
            first.setdefault(call.path, row)
        rows = self._call_rows.copy()
        for number in np.flatnonzero(rows < 0).tolist():
            path = _owner(self._nodes[number].get("parameter") or "")
            while path and path not in first:
                path = _owner(path)
            rows[number] = first.get(path, -1) if self._nodes[number].get("parameter") else -1
        return rows

    def find(
        self, query: Query, diff: GraphDiff | None = None, statistics: Statistics | None = None
    ) -> tuple[str, ...]:
        """The keys of the calls and nodes that match, in the order of the graph, a call before what is in it.

        A module that matches speaks for what is in it: by a bare word its parameters and inner modules do not match
        for their names' beginning, nor its own ops for being called as it is. Raises QueryError where the query asks
        for a difference, or a number, that there is none of.
        """
        if query.expression is None:
            return ()
        self._finish()
        found = self._where(query.expression, diff, statistics)
        own = found.own.copy()
        n_calls = len(self._call_keys)
        own[n_calls:] &= ~np.append(own[:n_calls], False)[self._module_rows]
        keys = self._call_keys + self._keys
        return tuple(keys[number] for number in self._order[own[self._order]].tolist())

    def holds(self, expression: Expression, statistics: Statistics | None = None) -> bool:
        """Whether any node or call satisfies the expression."""
        self._finish()
        return bool(self._where(expression, None, statistics).wide.any())

    def names(self) -> dict[str, tuple[str, ...]]:
        """What the fields can be asked for here, by field: each different text once."""
        self._finish()
        fields = {"op": self._titles, "module": self._paths, "class": self._classes, "param": self._parameters}
        found = {name: tuple(filter(None, column.texts)) for name, column in fields.items()}
        return {**found, **{name: tuple(filter(None, self._column(name).texts)) for name in ("dtype", "device")}}

    def _finish(self) -> None:
        while self.advance():
            pass

    def _where(self, expression: Expression, diff: GraphDiff | None, statistics: Statistics | None) -> Found:
        if isinstance(expression, Not):
            part = self._where(expression.part, diff, statistics)
            return self._found(~part.wide, ~part.wide, part.is_of_nodes)
        if isinstance(expression, And | Or):
            parts = [self._where(part, diff, statistics) for part in expression.parts]
            own = np.logical_or.reduce([part.own for part in parts])
            if isinstance(expression, Or):
                wide = np.logical_or.reduce([part.wide for part in parts])
                return Found(own, wide, all(part.is_of_nodes for part in parts))
            wide = np.logical_and.reduce([part.wide for part in parts])
            return self._found(own & wide, wide, any(part.is_of_nodes for part in parts))
        if isinstance(expression, Text):
            return self._text(expression)
        if isinstance(expression, Flag):
            return self._flag(expression, diff)
        if isinstance(expression, Number):
            return self._number(expression, statistics)
        raise QueryError(f"Whether a scalar is finite or a module ran is asked of steps, not of nodes: {expression}.")

    def _found(self, own: Bools, wide: Bools, is_of_nodes: bool = False) -> Found:
        if is_of_nodes:
            own[: len(self._call_keys)] = wide[: len(self._call_keys)] = False
        return Found(own, wide, is_of_nodes)

    def _of_nodes(self, nodes: Bools) -> Found:
        rows = np.concatenate([np.zeros(len(self._call_keys), np.bool_), nodes])
        return Found(rows, rows, is_of_nodes=True)

    def _in_calls(self, calls: Bools, own_calls: Bools, nodes: Bools) -> Found:
        """`calls` fit, of which `own_calls` are to be found; `nodes` fit by themselves."""
        inside = calls.tolist()
        for row, above in enumerate(self._parents):
            inside[row] = inside[row] or (above >= 0 and inside[above])
        lies_in = np.append(np.array(inside, np.bool_), False)
        return Found(
            np.concatenate([own_calls, nodes]), np.concatenate([lies_in[:-1], nodes | lies_in[self._module_rows]])
        )

    def _text(self, term: Text) -> Found:
        no_nodes = np.zeros(len(self._keys), np.bool_)
        fits = test_of(term)
        if term.field == "":
            return self._bare(term)
        if term.field == "module":
            calls = self._paths.where(fits) | self._numbered.where(fits) | self._classes.where(fits)
            return self._in_calls(calls, calls, no_nodes)
        if term.field == "class":
            calls = self._classes.where(fits)
            return self._in_calls(calls, calls, no_nodes)
        if term.field == "call":
            calls = self._numbers == _whole(term.text)
            nodes = np.append(calls, False)[self._call_rows]
            return Found(np.concatenate([calls, nodes]), np.concatenate([calls, nodes]))
        if term.field == "kind":
            return self._kind(term.text)
        if term.field == "op":
            return self._of_nodes(self._ops.where(fits) | self._titles.where(fits))
        if term.field == "shape":
            return self._of_nodes(self._shapes.where(shape_test_of(term)))
        if term.field == "param":
            return self._of_nodes(self._parameters.where(fits))
        if term.field == "source":
            return self._of_nodes(self._column("source").where(source_test_of(term)))
        if term.field == "pass":
            return self._of_nodes(self._column("pass").where(lambda text: text == term.text))
        return self._of_nodes(self._column(term.field).where(fits))

    def _kind(self, text: str) -> Found:
        kinds = {kind for kind in KINDS if text and kind.startswith(text)}
        calls = np.full(len(self._call_keys), "module" in kinds, np.bool_)
        rows = np.concatenate([calls, self._column("kind").where(kinds.__contains__)])
        return Found(rows, rows, is_of_nodes="module" not in kinds)

    def _bare(self, term: Text) -> Found:
        fits = test_of(term)
        parameters, owned = self._parameters.where(fits), self._owners.where(fits)
        nodes: Bools = self._ops.where(fits) | self._titles.where(fits) | self._ends.where(fits)
        if _SHAPE.fullmatch(term.text):
            nodes |= self._shapes.where(shape_test_of(term))
        if "/" in term.text:
            nodes |= np.array([term.text in key.lower() for key in self._keys], np.bool_)
        paths, classes = self._paths.where(fits), self._classes.where(fits)
        numbered = self._numbered.where(fits) if "#" in term.text else np.zeros(len(self._call_keys), np.bool_)
        own_calls = (paths & ~self._paths_above.where(fits)) | numbered | classes
        found = self._in_calls(paths | numbered | classes, own_calls, nodes | parameters)
        return Found(np.concatenate([own_calls, nodes | (parameters & ~owned)]), found.wide)

    def _column(self, name: str) -> Column:
        """The less usual texts of the nodes, made when they are first asked for."""
        if name not in self._more:
            if name == "source":
                texts = [f"{line['file']}:{line['line']}" if (line := node.get(name)) else "" for node in self._nodes]
            else:
                attribute = {"pass": "pass_index"}.get(name, name)
                texts = [str(node.get(attribute, "")) for node in self._nodes]
            self._more[name] = Column(texts)
        return self._more[name]

    def _flag(self, flag: Flag, diff: GraphDiff | None) -> Found:
        if flag.name == "opaque":
            return self._of_nodes(np.array([bool(node.get("opaque")) for node in self._nodes], np.bool_))
        if flag.name == "unreached":
            return self._unreached()
        if self._change:
            return self._of_nodes(np.full(len(self._keys), flag.name == self._change, np.bool_))
        if diff is None:
            raise QueryError(f"There is no step to compare with, so nothing is {flag.name}.", flag.at)
        keys = {"added": diff.added, "removed": diff.removed, "changed": diff.changed.keys()}[flag.name]
        nodes = np.fromiter((key in keys for key in self._keys), np.bool_, len(self._keys))
        called = {"added": diff.calls_added, "removed": diff.calls_removed}.get(flag.name, frozenset())
        calls = np.fromiter((key in called for key in self._call_keys), np.bool_, len(self._call_keys))
        rows = np.concatenate([calls, nodes])
        return Found(rows, rows)

    def _unreached(self) -> Found:
        """The calls of modules with parameters that no backward of the step reached."""
        owners = {_owner(name).lower() for name in self._graph.graph.get("unreached", ())}
        calls = self._paths.where(owners.__contains__)
        if "" in owners:
            calls |= np.array([not path for path in self._call_paths()], np.bool_)
        rows = np.concatenate([calls, np.zeros(len(self._keys), np.bool_)])
        return Found(rows, rows)

    def _call_paths(self) -> Iterator[str]:
        return (unmarked(key)[0].rpartition("#")[0] for key in self._call_keys)

    def _number(self, number: Number, statistics: Statistics | None) -> Found:
        if statistics is None:
            raise QueryError(
                f"{number.name!r} was not measured in this step; record with --level statistics or full.", number.at
            )
        sources = (
            (statistics.calls, self._call_keys),
            (statistics.nodes, self._keys),
            (statistics.parameters, [node.get("parameter") or "" for node in self._nodes]),
        )
        calls = np.full(len(self._call_keys), np.nan)
        nodes = np.full(len(self._keys), np.nan)
        is_known = False
        for table, keys in sources:
            if number.name in table.columns:
                is_known = True
                values = dict(zip(table.keys, table.column(number.name).tolist(), strict=True))
                found = np.array([values.get(key, np.nan) for key in keys], np.float64)
                if keys is self._call_keys:
                    calls = found
                else:
                    nodes = np.where(np.isnan(nodes), found, nodes)
        if not is_known:
            raise QueryError(f"{number.name!r} was not measured in this step; record with --level full.", number.at)
        rows = compared(number, np.concatenate([calls, nodes]))
        return Found(rows, rows)


class Search:
    """A query in one graph, and in what the graph it is compared with had more: what was removed is found as well.

    `advance` makes what the query needs, part by part.
    """

    def __init__(
        self, index: SearchIndex, before: nx.MultiDiGraph | None = None, diff: GraphDiff | None = None
    ) -> None:
        self._index = index
        self._diff = diff
        self._before = before
        self._removed: SearchIndex | None = None

    def is_against(self, diff: GraphDiff | None) -> bool:
        return self._diff is diff

    def advance(self, query: Query) -> bool:
        """Makes the next part that is missing; whether there was one."""
        if self._index.advance():
            return True
        if self._before is None or self._diff is None or not _asks_for_removed(query):
            return False
        if self._removed is None:
            self._removed = SearchIndex(self._before.subgraph(self._diff.removed), call_tree(self._before), "removed")
        return self._removed.advance()

    def find(self, query: Query, statistics: Statistics | None = None) -> tuple[str, ...]:
        """As `SearchIndex.find`; what was removed comes last."""
        while self.advance(query):
            pass
        found = self._index.find(query, self._diff, statistics)
        if self._removed is None or not _asks_for_removed(query):
            return found
        known = set(found)
        return (*found, *(key for key in self._removed.find(query, None, statistics) if key not in known))


def asks_for_change(query: Query) -> bool:
    """Whether the answer depends on the step that a graph is compared with."""
    return any(isinstance(term, Flag) and term.name in CHANGES for term in _terms(query))


def asks_for_numbers(query: Query) -> bool:
    """Whether the answer depends on what was measured."""
    return any(isinstance(term, Number) for term in _terms(query))


def _asks_for_removed(query: Query) -> bool:
    return any(isinstance(term, Flag) and term.name == "removed" for term in _terms(query))


def _terms(query: Query) -> Iterator[Term]:
    if query.expression is not None:
        yield from terms(query.expression)


def all_calls(graph: nx.MultiDiGraph) -> dict[str, Call]:
    """Every module call that was recorded by its key, drawn or not; as in `call_tree`, but for their states."""
    records, keys = graph.graph.get("module_calls", ()), call_keys(graph)
    calls = {}
    for position, (key, record) in enumerate(zip(keys, records, strict=True)):
        above = parent_of(records, position)
        calls[key] = Call(key, record["path"], record["class"], record["call"], None if above is None else keys[above])
    return calls


def _whole(text: str) -> int:
    """A number nothing has where there is none; `parse` lets nothing else through."""
    return int(text) if text.isdecimal() and len(text) < 10 else -2


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _name_of_end(key: str, node: Mapping[str, object]) -> str:
    """Of an input or output, as on the box."""
    return "" if node["kind"] in ("op", "parameter") else str(node.get("target") or key)


def _shapes_text(shapes: Iterable[Iterable[int]]) -> str:
    """As 64x128 2."""
    return " ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)


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
