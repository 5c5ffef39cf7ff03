"""The module calls of a graph that made something: which call lies in which."""

from dataclasses import dataclass
from typing import Any

import networkx as nx


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module. `parent` is the key of the call it was made in, None at the top."""

    key: str
    path: str
    class_name: str
    number: int
    parent: str | None


def call_tree(graph: nx.MultiDiGraph) -> dict[str, Call]:
    """The calls with nodes at or below them, by key, in call order, parents first.

    Forward-only calls made no nodes and are left out. A parent that does not come earlier in the list (a damaged
    tape could say so) is taken as none, so that following parents always ends.
    """
    records: list[dict[str, Any]] = graph.graph.get("module_calls", [])
    used = {call for _, call in graph.nodes(data="call_key") if call is not None}
    calls: dict[str, Call] = {}
    for position in sorted(_with_ancestors(records, used)):
        record, above = records[position], records[position]["parent"]
        parent = records[above]["key"] if above is not None and above < position else None
        calls.setdefault(
            record["key"],
            Call(record["key"], record["path"], record["class"], record["call"], parent if parent in calls else None),
        )
    return calls


def call_depths(calls: dict[str, Call]) -> dict[str, int]:
    """How many calls lie around each call: 0 at the top."""
    depths: dict[str, int] = {}
    for key, call in calls.items():
        depths[key] = 0 if call.parent is None else depths[call.parent] + 1
    return depths


def _with_ancestors(records: list[dict[str, Any]], used: set[str]) -> set[int]:
    """Positions of the calls whose key is used, and of everything around them.

    Keys are unique among calls with grad only: one of a forward-only pass may bear the same, and loses.
    """
    chosen: dict[str, int] = {}
    for position, record in enumerate(records):
        if record["key"] in used and (record["key"] not in chosen or record["grad_enabled"]):
            chosen[record["key"]] = position
    live: set[int] = set()
    for position in chosen.values():
        at: int | None = position
        while at is not None and at not in live:
            live.add(at)
            above = records[at]["parent"]
            at = above if above is not None and above < at else None
    return live
