"""The order in which autograd's engine runs the nodes of a step's backward passes.

The engine (torch/csrc/autograd/engine.cpp) counts for each node the edges that lead to it from what the pass reaches. A
node is ready when all of them have delivered. Of the ready ones runs the one with the highest sequence number, the
one that the forward pass made last; what accumulates a parameter's gradient has the highest number of all. Among equals
decides the heap of C++'s standard library, which is written out here.
"""

from collections.abc import Mapping, Sequence

import networkx as nx

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
    waits_for = _dependencies(roots, inputs)
    ranks = _ranks(graph, inputs)
    ready: list[tuple[int, str]] = []
    order: list[str] = []
    _deliver(roots, waits_for, ranks, ready)
    while ready:
        _, node = _pop(ready)
        if accumulates or ranks[node] != _LAST_NUMBER:
            order.append(node)
        _deliver(inputs[node], waits_for, ranks, ready)
    return tuple(order)


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


def _dependencies(roots: Sequence[str], inputs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many gradients each node waits for."""
    counts = dict.fromkeys(inputs, 0)
    for targets in (roots, *inputs.values()):
        for node in targets:
            counts[node] += 1
    return counts


def _ranks(graph: nx.MultiDiGraph, reached: Mapping[str, object]) -> dict[str, int]:
    """By node: the higher, the sooner it runs. The graph's nodes stand in the order of their sequence numbers."""
    return {
        key: _LAST_NUMBER if data["kind"] == "parameter" else place
        for place, (key, data) in enumerate(graph.nodes(data=True))
        if key in reached
    }


def _deliver(
    targets: Sequence[str], waits_for: dict[str, int], ranks: Mapping[str, int], ready: list[tuple[int, str]]
) -> None:
    """A node has run: what waited for its gradients alone is ready."""
    for node in targets:
        waits_for[node] -= 1
        if not waits_for[node]:
            _push(ready, (ranks[node], node))


def _push(heap: list[tuple[int, str]], item: tuple[int, str]) -> None:
    """`std::push_heap`: up as long as what is above has a lower rank."""
    heap.append(item)
    _sift_up(heap, len(heap) - 1, item)


def _pop(heap: list[tuple[int, str]]) -> tuple[int, str]:
    """`std::pop_heap`: the hole goes down to a leaf, along the higher children (of equals the second), and the last
    item up from there."""
    top, last = heap[0], heap.pop()
    if not heap:
        return top
    hole, size = 0, len(heap)
    while (child := 2 * hole + 2) <= size:
        if child == size or heap[child][0] < heap[child - 1][0]:
            child -= 1
        heap[hole] = heap[child]
        hole = child
    _sift_up(heap, hole, last)
    return top


def _sift_up(heap: list[tuple[int, str]], hole: int, item: tuple[int, str]) -> None:
    while hole and heap[(hole - 1) // 2][0] < item[0]:
        heap[hole] = heap[(hole - 1) // 2]
        hole = (hole - 1) // 2
    heap[hole] = item
