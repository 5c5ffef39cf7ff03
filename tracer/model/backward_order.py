"""The order in which a step's backward passes run, told from its graph alone; see `engine_order`."""

from collections.abc import Mapping, Sequence

import networkx as nx

from tracer.model.engine_order import engine_order
from tracer.model.statistics import Table

_LAST_NUMBER = 1 << 62
"""The sequence number of what accumulates gradients; autograd's is 2**64 - 1."""


def passes_of(graph: nx.MultiDiGraph) -> tuple[int, ...]:
    """Which passes of the step the graph tells the beginning of: those that began at an output of their own.

    One that begins only where another began before, `loss.backward(retain_graph=True)` a second time, is not told.
    """
    return tuple(sorted({data["pass_index"] for _, data in graph.nodes(data=True) if data["kind"] == "output"}))


def backward_order(graph: nx.MultiDiGraph, pass_index: int, *, accumulates: bool = True) -> tuple[str, ...]:
    """Every op and parameter that a pass reaches, in the order the engine runs them; none where its beginning is not
    told. `autograd.grad` accumulates nothing in parameters.

    Exact on the CPU, where one thread runs all of it; an accelerator has a thread of its own that goes by the same
    rule. Not in the graph, and so not in the order: that `autograd.grad` and `backward(inputs=…)` leave out what does
    not lead to the tensors asked for; what backwards within a node run (reentrant checkpoints); how the threads of
    several devices take turns; that a pass begins again where one before it began. Nodes made in several threads may
    have equal numbers.
    """
    roots = _roots(graph, pass_index)
    inputs = _inputs(graph, roots)
    ranks = _ranks(graph, inputs)
    order = engine_order(roots, inputs, ranks.__getitem__)
    return tuple(node for node in order if accumulates or ranks[node] != _LAST_NUMBER)


def recorded_order(
    graph: nx.MultiDiGraph, pass_index: int, order: Sequence[str], nodes: Table
) -> tuple[str, ...] | None:
    """The nodes of a pass as they were seen to run at the level "full": `order` as it was computed, put right, without
    what did not run. None where that was not measured, or the pass ran nodes again that one before it had run.

    What accumulates gradients is not watched: it runs as soon as it can.
    """
    places = _recorded_places(pass_index, nodes)
    ops = [node for node in order if graph.nodes[node]["kind"] == "op"]
    if not places or any(graph.nodes[node]["pass_index"] != pass_index for node in ops):
        return None
    followers: dict[str, list[str]] = {}
    for node in order:
        users = [user for user in graph.succ[node] if user in places]
        if graph.nodes[node]["kind"] == "parameter" and users:
            followers.setdefault(max(users, key=places.__getitem__), []).append(node)
    ran = sorted((node for node in ops if node in places), key=places.__getitem__)
    return tuple(one for node in ran for one in (node, *followers.get(node, ())))


def _recorded_places(pass_index: int, nodes: Table) -> dict[str, float]:
    """By node: which one it was of those that ran in this pass for the first time in the step."""
    if not {"backward_pass", "backward_order"} <= set(nodes.columns):
        return {}
    columns = nodes.column("backward_pass").tolist(), nodes.column("backward_order").tolist()
    return {key: place for key, run, place in zip(nodes.keys, *columns, strict=True) if run == pass_index}


def _roots(graph: nx.MultiDiGraph, pass_index: int) -> list[str]:
    """Where the pass began, once for each of its outputs, in their order."""
    outputs = (
        key for key, data in graph.nodes(data=True) if data["kind"] == "output" and data["pass_index"] == pass_index
    )
    return [source for output in outputs for source in graph.pred[output]]


def _inputs(graph: nx.MultiDiGraph, roots: Sequence[str]) -> dict[str, list[str]]:
    """For each node reached the nodes its gradients go to, one for each edge, in the order of `next_functions`."""
    found: dict[str, list[str]] = {}
    waiting = list(dict.fromkeys(roots))
    while waiting:
        node = waiting.pop()
        if node not in found:
            edges = [(data["input_nr"], source) for source, _, data in graph.in_edges(node, data=True)]
            found[node] = [source for _, source in sorted(edges)]
            waiting += found[node]
    return found


def _ranks(graph: nx.MultiDiGraph, reached: Mapping[str, object]) -> dict[str, int]:
    """By node: the higher, the sooner it runs. The graph's nodes stand in the order of their sequence numbers."""
    return {
        key: _LAST_NUMBER if data["kind"] == "parameter" else place
        for place, (key, data) in enumerate(graph.nodes(data=True))
        if key in reached
    }
