"""Whether the numbers in a structure lead somewhere: whoever wrote the tape, nothing walks in circles."""

from collections.abc import Sequence
from operator import attrgetter

from tracer.model.structure import Edge, ModuleCall, Structure
from tracer.store.damage import DamageError


def check_references(structure: Structure) -> None:
    n_nodes = len(structure.nodes)
    check_calls(structure.calls)
    _check_within(structure.nodes, "call", len(structure.calls))
    _check_within(structure.nodes, "inside", len(structure.insides))
    for name in ("source", "target"):
        _check_within(structure.edges, name, n_nodes)
    for inside in structure.insides:
        if any(not 0 <= at < len(inside.nodes) for node in inside.nodes for at in node.inputs):
            raise DamageError("a graph inside it leads to nodes that it does not have")
    if len({node.key for node in structure.nodes}) != n_nodes:
        raise DamageError("two of its nodes have one key")
    if any(edge.source >= edge.target for edge in structure.edges):
        _check_acyclic(n_nodes, structure.edges)


def check_calls(calls: Sequence[ModuleCall]) -> None:
    """A call begins after the one that makes it."""
    for at, call in enumerate(calls):
        if call.parent is not None and not 0 <= call.parent < at:
            raise DamageError("a module call in it was made by a later one")
        if any(not 0 <= source < len(calls) for source in call.fed_by):
            raise DamageError("a module call in it is fed by one that there is not")


def _check_within(records: Sequence[object], name: str, end: int) -> None:
    numbers = {*map(attrgetter(name), records)} - {None}
    if numbers and not (min(numbers) >= 0 and max(numbers) < end):
        raise DamageError(f"a {name} in it is not there")


def _check_acyclic(n_nodes: int, edges: Sequence[Edge]) -> None:
    """Kahn, Topological sorting of large networks, 1962."""
    n_inputs = [0] * n_nodes
    targets: list[list[int]] = [[] for _ in range(n_nodes)]
    for edge in edges:
        targets[edge.source].append(edge.target)
        n_inputs[edge.target] += 1
    ready = [at for at, n in enumerate(n_inputs) if n == 0]
    n_done = 0
    while ready:
        n_done += 1
        for target in targets[ready.pop()]:
            n_inputs[target] -= 1
            if n_inputs[target] == 0:
                ready.append(target)
    if n_done != n_nodes:
        raise DamageError("its nodes lead in a circle")
