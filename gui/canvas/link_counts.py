"""How many edges of a step each link of a drawing stands for, and which of these numbers tell something."""

from collections.abc import Mapping

import networkx as nx
import numpy as np

from gui.canvas.figure import figure_of
from gui.canvas.geometry import Ints
from gui.canvas.rows import rows_of
from tracer.layout.result import Layout
from tracer.model.bookkeeping import BOOKKEEPING_OPS
from tracer.model.call_flow import flow_links
from tracer.model.call_tree import Call
from tracer.model.view import View


def link_counts(view: View, graph: nx.MultiDiGraph, calls: Mapping[str, Call]) -> Ints:
    """The edges of the step's graph for each link (k,), 0 where it has none: as `build_view` gathers them.

    An edge from a hidden op comes from all that flows into it. Data flow between calls without a graph counts as one.
    """
    numbers = {(link.source, link.target): number for number, link in enumerate(view.links)}
    counts = np.zeros(len(view.links), dtype=np.int64)
    frames = {group.key for group in view.groups}
    for pair in flow_links(calls, {box.key for box in view.boxes}, frames):
        if pair in numbers:
            counts[numbers[pair]] = 1
    ends = _Ends(view, graph)
    for target, sources in graph.pred.items():
        end = ends.boxes.get(target)
        if end is None:
            continue
        for source, parallel in sources.items():
            for start in ends.starts(source, target):
                number = numbers.get((start, end))
                if number is not None:
                    counts[number] += len(parallel)
    return counts


def telling(counts: Ints, layout: Layout, copies: Mapping[str, int]) -> Ints:
    """The counts that are worth writing, 1 for the others: those that folds do not say already.

    `copies` is how many of each fold there are: one edge in each, or from each to the next, is no news.
    """
    figure, rows = figure_of(layout), rows_of(layout)

    def within(fold: str, around: tuple[int, int]) -> tuple[int, int]:
        """All copies of what lies there, and how many of them follow one."""
        turns, outer = copies.get(fold, 0), around[0]
        return (outer * turns, outer * (turns - 1)) if turns else around

    of_groups: list[tuple[int, int]] = []
    for group, parent in zip(layout.view.groups, figure.parents.tolist(), strict=True):
        of_groups.append(within(group.fold, of_groups[parent] if parent >= 0 else (1, 0)))
    of_boxes = np.array([*of_groups, (1, 0)], dtype=np.int64)[figure.groups_of_boxes]
    for row, box in enumerate(layout.view.boxes):
        if box.fold:
            of_boxes[row] = within(box.fold, (int(of_boxes[row, 0]), int(of_boxes[row, 1])))
    ends = np.concatenate((of_boxes[rows.sources], of_boxes[rows.targets]), axis=1)
    return np.where((counts > 0) & (counts[:, None] == ends).any(axis=1), 1, counts)


class _Ends:
    """The boxes at the ends of edges. `boxes` has that of each op and output."""

    def __init__(self, view: View, graph: nx.MultiDiGraph) -> None:
        self._graph = graph
        self.boxes: dict[str, str] = {}
        self._uses: dict[tuple[str, str], str] = {}  # by parameter and the op that takes it
        self._through: dict[str, tuple[str, ...]] = {}
        for box in view.boxes:
            if box.kind == "parameter":
                self._uses.update({(member, user): box.key for member in box.members for user in box.anchors})
            else:
                self.boxes.update(dict.fromkeys(box.anchors or box.members, box.key))

    def starts(self, source: str, target: str) -> tuple[str, ...]:
        """Where an edge comes from: one box, several for a hidden op; none for a parameter in a closed module."""
        box = self.boxes.get(source) or self._uses.get((source, target))
        if box is not None:
            return (box,)
        if not self._is_hidden(source):
            return ()
        if source not in self._through:
            self._through[source] = self._sources_through(source)
        return self._through[source]

    def _sources_through(self, hidden: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        met, waiting = {hidden}, [hidden]
        while waiting:
            op = waiting.pop()
            for above in self._graph.pred[op]:
                box = self.boxes.get(above) or self._uses.get((above, op))
                if box is not None:
                    found[box] = None
                elif above not in met and self._is_hidden(above):
                    met.add(above)
                    waiting.append(above)
        return tuple(found)

    def _is_hidden(self, node: str) -> bool:
        return self._graph.nodes[node].get("op") in BOOKKEEPING_OPS
