"""Which operator made which op node: a graph's nodes and the operators of its forward pass do not know each other."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from weakref import WeakKeyDictionary

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from tracer.model.statistics import Operator, Statistics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_Pairs = tuple[tuple[str, ...], Ints]

_pairs: WeakKeyDictionary[nx.MultiDiGraph, tuple[tuple[Operator, ...], _Pairs]] = WeakKeyDictionary()


def forward_secs(statistics: Statistics, graph: nx.MultiDiGraph) -> tuple[tuple[str, ...], Floats]:
    """Keys of op nodes, and the seconds of the operator that made each.

    Operators and nodes of one name in one module call are paired in their order, if there are as many of the one as of
    the other: where a branch is cut off, or an operator makes its node under another name, nothing is claimed.
    """
    operators, known = statistics.operators, _pairs.get(graph)
    if known is None or known[0] is not operators:
        known = operators, _paired(operators, graph)
        _pairs[graph] = known
    keys, rows = known[1]
    return keys, statistics.operator_secs[rows]


def _paired(operators: Iterable[Operator], graph: nx.MultiDiGraph) -> _Pairs:
    made: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row, operator in enumerate(operators):
        if operator.phase == "forward" and operator.grad_enabled:
            made[operator.call or "", _operator_name(operator.name)].append(row)
    nodes: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for key, node in graph.nodes.items():
        if node.get("kind") == "op":
            nodes[str(node.get("call_key") or ""), _node_name(str(node.get("op") or ""))].append(key)
    pairs = [
        (key, row)
        for place, keys in nodes.items()
        if len(keys) == len(made[place])
        for key, row in zip(sorted(keys, key=_number), made[place], strict=True)
    ]
    return tuple(key for key, _ in pairs), np.array([row for _, row in pairs], dtype=np.int64)


def _number(key: str) -> int:
    """The last part of a node key: how many of its name its call made before."""
    number = key.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


@lru_cache(maxsize=4_096)
def _operator_name(name: str) -> str:
    """ "aten.sigmoid_.default" is "sigmoid"."""
    parts = name.split(".")
    return (parts[1] if len(parts) > 1 else name).replace("_", "").lower()


@lru_cache(maxsize=4_096)
def _node_name(name: str) -> str:
    return re.sub(r"Backward\d*$", "", name).replace("_", "").lower()
