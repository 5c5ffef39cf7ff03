"""How a layout fits the graph of a step: what of it the step has, under which labels; alike for steps of one graph."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gui.canvas.link_counts import link_counts, telling
from tracer.layout.result import Layout
from tracer.model.bookkeeping import BOOKKEEPING_OPS
from tracer.model.call_tree import Call, call_tree
from tracer.model.step_labels import copies_in, with_labels_of
from tracer.model.view import OPAQUE, Box, Group


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """`boxes` and `groups` are those of the layout, as the step has them: shapes, counts, traits.

    `nodes` are the keys of the step's graph, `calls` its call tree. `is_present` (n,) follows the boxes,
    `links_present` (k,) the links of `layout.view`: whether the step has any of what they stand for; `link_counts` (k,)
    are the numbers of its edges that are worth writing at a link. `quiet` (n,) are the bookkeeping ops, `opaque` and
    `folded` the rows of such boxes.
    `link_texts` are filled as they are asked for, by link: see `LinkShapes`.
    """

    layout: Layout
    graph: nx.MultiDiGraph
    nodes: Set[str]
    calls: Mapping[str, Call]
    boxes: tuple[Box, ...]
    groups: tuple[Group, ...]
    is_present: NDArray[np.bool_]
    links_present: NDArray[np.bool_]
    link_counts: NDArray[np.int64]
    quiet: NDArray[np.bool_]
    opaque: NDArray[np.int64]
    folded: NDArray[np.int64]
    link_texts: dict[int, str] = field(default_factory=dict)

    def copies_of(self, fold: str) -> int:
        """How many copies of a fold the step has, by its key."""
        found = next((one for one in self.layout.view.folds if one.key == fold), None)
        return 0 if found is None else sum(anchor in self.nodes for anchor in found.anchors)


def fit(layout: Layout, graph: nx.MultiDiGraph) -> Fit:
    calls = call_tree(graph)
    # A set answers five times faster than networkx's own `in`.
    nodes = set(graph)
    view = with_labels_of(layout.view, graph, calls)
    is_present = np.array([_is_present(box, nodes, calls) for box in view.boxes], dtype=np.bool_)
    counts = link_counts(view, graph, calls)
    quiet = np.array([_is_quiet(box, graph, nodes) for box in view.boxes], dtype=np.bool_)
    opaque = np.array([row for row, box in enumerate(view.boxes) if box.trait == OPAQUE], dtype=np.int64)
    folded = np.array([row for row, box in enumerate(view.boxes) if box.fold], dtype=np.int64)
    return Fit(
        layout,
        graph,
        nodes,
        calls,
        view.boxes,
        view.groups,
        is_present,
        counts > 0,
        telling(counts, layout, copies_in(view, nodes)),
        quiet,
        opaque,
        folded,
    )


def fit_against(fitted: Fit, before: Set[str]) -> Fit:
    """The same with what folds say of the copies that a step with these nodes had; the same object where it had as
    many."""
    view = fitted.layout.view
    if copies_in(view, fitted.nodes) == copies_in(view, before):
        return fitted
    labelled = with_labels_of(view, fitted.graph, fitted.calls, before)
    return replace(fitted, boxes=labelled.boxes, groups=labelled.groups)


def _is_quiet(box: Box, graph: nx.MultiDiGraph, nodes: Set[str]) -> bool:
    """Whether it only looks at the same numbers differently."""
    if box.kind != "op":
        return False
    return any(graph.nodes[node]["op"] in BOOKKEEPING_OPS for node in box.members[:1] if node in nodes)


def _is_present(box: Box, nodes: Set[str], calls: Mapping[str, Call]) -> bool:
    if not box.lives_with:
        return box.kind != "module" or box.key in calls
    return not nodes.isdisjoint(box.lives_with) or (box.kind == "module" and box.key in calls)
