"""One key for every module call of a graph: `path#call` alone is unique only among those that autograd followed."""

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

PASS_MARK, NESTED_MARK = "~", "~~"
"""End the keys of calls in a forward-only pass, and of calls without grad inside a call with grad."""


def call_keys(graph: nx.MultiDiGraph) -> tuple[str, ...]:
    """The key of each of the graph's `module_calls`, in their order.

    A call that may have made nodes keeps the key by which these name it, so that keys do not depend on what else ran
    in the step; the others get a mark, and from the second of the same name on a number.
    """
    known = graph.graph.get("call_tree")
    if known is not None:
        return tuple(known)
    records: Sequence[Mapping[str, Any]] = graph.graph.get("module_calls", ())
    is_trained = _lie_in_training(records)
    owners = _owners(records, is_trained, {call for _, call in graph.nodes(data="call_key") if call is not None})
    taken = set(owners)
    keys = []
    for position, record in enumerate(records):
        key = str(record["key"])
        if owners.get(key) != position:
            if key in taken or not (record["grad_enabled"] and is_trained[position]):
                key = _marked(key, NESTED_MARK if is_trained[position] else PASS_MARK, taken)
            taken.add(key)
        keys.append(key)
    return tuple(keys)


def unmarked(key: str) -> tuple[str, str]:
    """`path#call` and the mark that follows it, "" where there is none."""
    path, _, rest = key.rpartition("#")
    number, mark, more = rest.partition(PASS_MARK)
    return f"{path}#{number}", mark + more


def parent_of(records: Sequence[Mapping[str, Any]], position: int) -> int | None:
    """The position of the calling call. One that does not come earlier (a damaged tape could say so) is taken as
    none, so that following parents always ends."""
    above = records[position]["parent"]
    return above if above is not None and 0 <= above < position else None


def _lie_in_training(records: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Whether the outermost call around each has grad: if not, it belongs to a forward-only pass."""
    answers: list[bool] = []
    for position, record in enumerate(records):
        above = parent_of(records, position)
        answers.append(bool(record["grad_enabled"]) if above is None else answers[above])
    return answers


def _owners(records: Sequence[Mapping[str, Any]], is_trained: Sequence[bool], used: set[str]) -> dict[str, int]:
    """The call that each key of a node means: the one in training with grad, if there is one; or else any."""
    ranks: dict[str, tuple[bool, bool, int]] = {}
    for position, record in enumerate(records):
        key = record["key"]
        if key in used:
            rank = bool(record["grad_enabled"]) and is_trained[position], bool(record["grad_enabled"]), -position
            ranks[key] = max(rank, ranks.get(key, rank))
    return {key: -rank[2] for key, rank in ranks.items()}


def _marked(key: str, mark: str, taken: set[str]) -> str:
    marked, number = f"{key}{mark}", 2
    while marked in taken:
        marked, number = f"{key}{mark}{number}", number + 1
    return marked
