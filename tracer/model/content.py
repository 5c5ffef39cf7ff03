"""A graph by number, as views are made of it: nodes, calls and edges in arrays, and the spots where nodes are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from tracer.model.bookkeeping import BOOKKEEPING_OPS
from tracer.model.call_tree import Call, call_tree
from tracer.model.view import Fold

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FoldPart:
    """One of the calls and ops that each copy of a fold consists of: the fold's key, how many copies there are, and
    the name of them all."""

    fold: str
    count: int
    title: str


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """Nodes in the graph's order, calls in that of its call tree; a call's number is its place there, -1 is none.

    `owners` (n,) are the innermost calls that made the nodes, -1 for parameters too; `callers` (c,) the calls around
    the calls. `sources`, `targets` (k,) are node numbers, `counts` (k,) how many edges of the graph each pair stands
    for. Where repeats are folded, only the first copies are here: `copies` has the keys of all nodes that a node stands
    for, if these are several, `parts` the folds by node and call key; `chained` are the keys of what feeds the next
    copy of itself.
    """

    keys: tuple[str, ...]
    nodes: tuple[Mapping[str, Any], ...]
    calls: tuple[Call, ...]
    owners: Ints
    callers: Ints
    sources: Ints
    targets: Ints
    counts: Ints
    copies: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[str, FoldPart] = field(default_factory=dict)
    folds: Mapping[str, Fold] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    apart: Mapping[str, str] = field(default_factory=dict)
    chained: frozenset[str] = frozenset()

    def copies_of(self, node: int) -> tuple[str, ...]:
        """The keys of the nodes that a node stands for."""
        return self.copies.get(node) or (self.keys[node],)


def content_of(graph: nx.MultiDiGraph) -> Content:
    """All of a graph, without folds."""
    calls = call_tree(graph)
    call_numbers: dict[str | None, int] = {key: number for number, key in enumerate(calls)}
    numbers = {key: number for number, key in enumerate(graph)}
    nodes = tuple(data for _, data in graph.nodes(data=True))
    pairs: dict[tuple[int, int], int] = {}
    for source, beyond in graph.adjacency():
        start = numbers[source]
        for target, parallel in beyond.items():
            pairs[start, numbers[target]] = len(parallel)
    ends = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    return Content(
        keys=tuple(numbers),
        nodes=nodes,
        calls=tuple(calls.values()),
        owners=np.array([call_numbers.get(node.get("call_key"), -1) for node in nodes], dtype=np.int64),
        callers=np.array([call_numbers.get(call.parent, -1) for call in calls.values()], dtype=np.int64),
        sources=ends[:, 0],
        targets=ends[:, 1],
        counts=np.array(list(pairs.values()), dtype=np.int64),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Where nodes may be drawn: each op once, each parameter once in every call that uses it.

    In the order of the nodes, then of the calls. `keys` are those of their boxes: the first spot of a parameter has its
    own key, the others are `name@call key`. `nodes`, `owners` (m,) are numbers of nodes and calls, `users` the ops that
    use a parameter there. Edges as in `Content`, from spot to spot.
    """

    keys: tuple[str, ...]
    nodes: Ints
    owners: Ints
    is_parameter: Bools
    is_bookkeeping: Bools
    users: Mapping[int, tuple[int, ...]]
    sources: Ints
    targets: Ints
    counts: Ints


def spots_of(content: Content) -> Spots:
    count, top = len(content.keys), len(content.calls)  # no call comes after all calls
    is_parameter = np.array([node["kind"] == "parameter" for node in content.nodes], dtype=np.bool_)
    is_edge = ~is_parameter[content.targets]
    sources, targets = content.sources[is_edge], content.targets[is_edge]
    owners = np.where(content.owners < 0, top, content.owners)
    # A spot's code grows with its node, then with its call.
    codes = np.arange(count) * (top + 1) + np.where(is_parameter, 0, owners)
    used = np.where(is_parameter[sources], sources * (top + 1) + owners[targets], codes[sources])
    unused = np.setdiff1d(np.flatnonzero(is_parameter), sources)
    every = np.unique(np.concatenate((codes[~is_parameter], used, unused * (top + 1) + top)))
    nodes, calls = np.divmod(every, top + 1)
    calls[calls == top] = -1
    starts, ends = np.searchsorted(every, used), np.searchsorted(every, codes[targets])
    is_bookkeeping = np.array(
        [node["kind"] == "op" and node["op"] in BOOKKEEPING_OPS for node in content.nodes], dtype=np.bool_
    )
    users: dict[int, list[int]] = {}
    for edge in np.flatnonzero(is_parameter[sources]).tolist():
        users.setdefault(int(starts[edge]), []).append(int(targets[edge]))
    return Spots(
        keys=_spot_keys(content, nodes, calls),
        nodes=nodes,
        owners=calls,
        is_parameter=is_parameter[nodes],
        is_bookkeeping=is_bookkeeping[nodes],
        users={spot: tuple(ops) for spot, ops in users.items()},
        sources=starts,
        targets=ends,
        counts=content.counts[is_edge],
    )


def _spot_keys(content: Content, nodes: Ints, calls: Ints) -> tuple[str, ...]:
    keys = []
    above = -1
    for node, call in zip(nodes.tolist(), calls.tolist(), strict=True):
        key = content.keys[node]
        if node == above:
            key = f"{key}@{content.calls[call].key if call >= 0 else ''}"
        above = node
        keys.append(key)
    return tuple(keys)
