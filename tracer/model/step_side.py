"""One of the two steps of a comparison: its nodes, and its module calls by the keys that nodes name them by."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx

from tracer.model.call_keys import NESTED_MARK, call_keys, parent_of, unmarked


@dataclass(frozen=True, slots=True)
class CallFacts:
    """One module call; `parent` is the key of the call it was made in, None at the top."""

    path: str
    class_name: str
    parent: str | None
    training: bool
    grad_enabled: bool


class StepSide:
    """`live` are the keys of the calls with nodes at or below them; `graphless` the paths of modules that ran without
    grad inside of a call with grad."""

    def __init__(self, graph: nx.MultiDiGraph) -> None:
        self.graph = graph
        self.nodes: dict[str, Mapping[str, Any]] = dict(graph.nodes(data=True))
        self.calls = _calls(graph)
        self.live = self._with_ancestors({call for _, call in graph.nodes(data="call_key") if call is not None})
        self.graphless = {call.path for key, call in self.calls.items() if unmarked(key)[1].startswith(NESTED_MARK)}
        self.counts = Counter((self.owner_of(key), container_of(self.calls[key].path)) for key in self.live)
        self.runs = Counter(self.calls[key].path for key in self.live)
        self.pass_count = 1 + max((node.get("pass_index", 0) for node in self.nodes.values()), default=-1)

    def owner_of(self, call: str) -> str | None:
        """The path of the module in whose call this one was made."""
        parent = self.calls[call].parent
        return None if parent is None else self.calls[parent].path

    def module_of(self, key: str) -> str | None:
        """The path of the module in whose call a node was made, for a parameter of the one that has it."""
        node = self.nodes[key]
        call = self.calls.get(node.get("call_key") or "")
        module: str | None = node.get("module") if call is None else call.path
        return module

    def _with_ancestors(self, used: set[str]) -> set[str]:
        live: set[str] = set()
        for key in used:
            at: str | None = key if key in self.calls else None
            while at is not None and at not in live:
                live.add(at)
                at = self.calls[at].parent
        return live


def container_of(path: str) -> str:
    """The path with a star for its number: what the modules of one list have in common."""
    head, _, last = path.rpartition(".")
    return f"{head}.*".lstrip(".") if last.isdecimal() else path


def _calls(graph: nx.MultiDiGraph) -> dict[str, CallFacts]:
    records = graph.graph.get("module_calls", ())
    keys = call_keys(graph)
    calls = {}
    for position, record in enumerate(records):
        above = parent_of(records, position)
        calls[keys[position]] = CallFacts(
            record["path"],
            record["class"],
            None if above is None else keys[above],
            bool(record["training"]),
            bool(record["grad_enabled"]),
        )
    return calls
