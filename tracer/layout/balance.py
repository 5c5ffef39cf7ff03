"""Parameters to the left and to the right of the data they are used with."""

from collections.abc import Sequence
from itertools import groupby

from tracer.layout.layered import Layered


def balanced(graph: Layered, row: list[int], homes: Sequence[float | None]) -> list[int]:
    """What only feeds a node stands on both sides of what else leads there, so that that stays in the middle.

    No crossing comes of it: those that change places all have one edge, to the same node.
    """
    placed: list[int] = []
    for target, run in groupby(row, key=lambda node: _only_target(graph, node)):
        nodes = list(run)
        feeders = [node for node in nodes if node < len(homes) and homes[node] is None and not graph.above[node]]
        if target is None or not 1 < len(feeders) < len(nodes):
            placed += nodes
            continue
        sides: tuple[list[int], list[int]] = [], []
        widths = [0.0, 0.0]
        for node in feeders:
            side = int(widths[0] > widths[1])
            sides[side].append(node)
            widths[side] += graph.widths[node]
        moved = set(feeders)
        placed += [*sides[0], *(node for node in nodes if node not in moved), *sides[1]]
    return placed


def _only_target(graph: Layered, node: int) -> tuple[int, float] | None:
    """Where its one edge ends; None if it has more, or none."""
    ties = graph.below[node]
    return (ties[0].node, ties[0].offset) if len(ties) == 1 else None
