"""The order in which autograd's engine runs the nodes of a graph.

The engine (torch/csrc/autograd/engine.cpp) counts for each node the edges that lead to it from what the pass reaches. A
node is ready when all of them have delivered. Of the ready ones runs the one with the highest sequence number, the
one that the forward pass made last; what accumulates a parameter's gradient has the highest number of all. Among equals
decides the heap of C++'s standard library, which is written out here.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def engine_order(
    roots: Sequence[Node], inputs: Mapping[Node, Sequence[Node]], rank: Callable[[Node], int]
) -> list[Node]:
    """Every node of `inputs` that runs, in order. `roots` are where the pass begins, once for each of its outputs;
    `inputs` are for each node reached those its gradients go to, one for each edge, in the order of `next_functions`.
    The higher its `rank`, its sequence number, the sooner a node runs."""
    waits_for = _dependencies(roots, inputs)
    ready: list[tuple[int, Node]] = []
    order: list[Node] = []
    targets = roots
    while True:
        for node in targets:
            waits_for[node] -= 1
            if not waits_for[node]:
                _push(ready, (rank(node), node))
        if not ready:
            return order
        _, node = _pop(ready)
        order.append(node)
        targets = inputs[node]


def _dependencies(roots: Sequence[Node], inputs: Mapping[Node, Sequence[Node]]) -> dict[Node, int]:
    """How many gradients each node waits for."""
    counts = dict.fromkeys(inputs, 0)
    for targets in (roots, *inputs.values()):
        for node in targets:
            counts[node] += 1
    return counts


def _push(heap: list[tuple[int, Node]], item: tuple[int, Node]) -> None:
    """`std::push_heap`: up as long as what is above has a lower rank."""
    heap.append(item)
    _sift_up(heap, len(heap) - 1, item)


def _pop(heap: list[tuple[int, Node]]) -> tuple[int, Node]:
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


def _sift_up(heap: list[tuple[int, Node]], hole: int, item: tuple[int, Node]) -> None:
    while hole and heap[(hole - 1) // 2][0] < item[0]:
        heap[hole] = heap[(hole - 1) // 2]
        hole = (hole - 1) // 2
    heap[hole] = item
