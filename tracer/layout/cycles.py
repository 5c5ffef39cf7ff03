"""Which edges to turn round so that a graph has no cycles. The union of acyclic graphs may have some."""

from collections.abc import Sequence


def feedback_edges(count: int, edges: Sequence[tuple[int, int]]) -> set[int]:
    """Indices of edges that, reversed, leave the graph of `count` nodes without cycles; none if it has none.

    A depth-first search against the flow, from the sinks: what led to the loss first keeps its direction.
    """
    above: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    is_sink = [True] * count
    for index, (source, target) in enumerate(edges):
        above[target].append((source, index))
        is_sink[source] = False
    feedback: set[int] = set()
    state = bytearray(count)  # 0 new, 1 on the path, 2 done
    starts = [node for node in range(count) if is_sink[node]] + [node for node in range(count) if not is_sink[node]]
    for start in starts:
        if not state[start]:
            _search(start, above, state, feedback)
    return feedback


def _search(start: int, above: list[list[tuple[int, int]]], state: bytearray, feedback: set[int]) -> None:
    state[start] = 1
    path = [(start, iter(above[start]))]
    while path:
        node, rest = path[-1]
        for source, index in rest:
            if state[source] == 1:
                feedback.add(index)
            elif state[source] == 0:
                state[source] = 1
                path.append((source, iter(above[source])))
                break
        else:
            state[node] = 2
            path.pop()
