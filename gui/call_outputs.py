"""Which op made the output of a module call: what is measured of the output is then known of the op as well."""

from collections.abc import Iterator, Mapping
from typing import Any

import networkx as nx

from tracer.model.bookkeeping import BOOKKEEPING_OPS
from tracer.model.call_keys import call_keys, parent_of

Parents = Mapping[str, str | None]


def call_parents(graph: nx.MultiDiGraph) -> Parents:
    """The key of the call around each call, by the keys that nodes name them with; None at the top."""
    records, keys = graph.graph.get("module_calls", ()), call_keys(graph)
    places = [parent_of(records, position) for position in range(len(records))]
    return {key: None if above is None else keys[above] for key, above in zip(keys, places, strict=True)}


def upwards(key: str | None, parents: Parents) -> Iterator[str]:
    """A call, and those around it from the inside out."""
    while key is not None and key in parents:
        yield key
        key = parents[key]


def output_ops(graph: nx.MultiDiGraph, parents: Parents) -> dict[str, str]:
    """The innermost call of each op that alone leads out of it, and of those before it that hand on the same numbers.

    Where several ops lead out of a call, its output is several tensors, and what is measured of all of them together
    is known of none. That holds for all calls of the module: of the last call of an LSTM cell only one output is used.
    """
    exits: dict[str, set[str]] = {}
    for op, target in graph.edges():
        left = graph.nodes[op].get("call_key")
        if left is None or left == graph.nodes[target].get("call_key") or graph.nodes[op].get("kind") != "op":
            continue
        around = set(upwards(graph.nodes[target].get("call_key"), parents))
        for call in upwards(left, parents):
            if call in around:
                break
            exits.setdefault(call, set()).add(op)
    found: dict[str, str] = {}
    has_many = {_module(call) for call, ops in exits.items() if len(ops) > 1}
    for call, ops in exits.items():
        at: str | None = None if _module(call) in has_many else next(iter(ops))
        while at is not None and at not in found and graph.nodes[at].get("call_key") == call:
            found[at] = call
            at = _same_numbers(graph, at)
    return found


def _module(call: str) -> str:
    return call.rpartition("#")[0]


def _same_numbers(graph: nx.MultiDiGraph, op: str) -> str | None:
    """The op whose numbers an op only shows in another shape."""
    node: Mapping[str, Any] = graph.nodes[op]
    sources = list(graph.predecessors(op))
    if node.get("op") not in BOOKKEEPING_OPS or len(sources) != 1:
        return None
    return sources[0] if graph.nodes[sources[0]].get("kind") == "op" else None
