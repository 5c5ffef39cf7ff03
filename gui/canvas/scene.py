"""What the canvas shows: a layout, and how each box and link of it stands in the current step.

The layout is that of the union of the structures seen, so that going from step to step moves nothing: what the
step lacks stays in its place as a ghost.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import product
from typing import Any, Protocol

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gui.colorings import Coloring
from gui.theme import Swatch, Theme
from tracer.layout.result import Layout
from tracer.model.call_flow import flow_links
from tracer.model.call_tree import Call, call_tree
from tracer.model.view import OPAQUE, TRAIT_LABELS, Box, Group, View
from tracer.model.view_builder import with_labels_of


class State(IntEnum):
    """How a box stands in the current step; the last three compare it with the step shown before."""

    PRESENT = 0
    GHOST = 1
    ADDED = 2
    REMOVED = 3
    CHANGED = 4


MARKS = {State.ADDED: "+", State.REMOVED: "−", State.CHANGED: "~"}
_STATE_LABELS = {
    State.GHOST: "Not in this step",
    State.ADDED: "Added",
    State.REMOVED: "Removed",
    State.CHANGED: "Changed",
}


class Diff(Protocol):
    """The part of `tracer.model.diff.GraphDiff` that is read here."""

    @property
    def added(self) -> Set[str]: ...
    @property
    def removed(self) -> Set[str]: ...
    @property
    def changed(self) -> Mapping[str, Any]: ...
    @property
    def calls_added(self) -> Set[str]: ...
    @property
    def calls_removed(self) -> Set[str]: ...


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One line of the legend; `mark` is the badge of a state, "" for a colour; `trait` that of the boxes meant."""

    label: str
    swatch: Swatch
    mark: str = ""
    is_ghost: bool = False
    trait: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A layout coloured for one step.

    `boxes` and `groups` are those of the layout, as this step has them: shapes, counts, traits. Arrays follow
    `layout.view`: `states` and `colors` (n,) its boxes, `links_present` (k,) its links. `colors` are indices into
    `swatches`. `graph` is the step's, None where nothing more is known of the boxes, `calls` its call tree.
    """

    layout: Layout
    boxes: tuple[Box, ...]
    groups: tuple[Group, ...]
    graph: nx.MultiDiGraph | None
    calls: Mapping[str, Call]
    states: NDArray[np.uint8]
    colors: NDArray[np.uint8]
    links_present: NDArray[np.bool_]
    swatches: tuple[Swatch, ...]
    legend: tuple[LegendEntry, ...]


def scene_for(layout: Layout, graph: nx.MultiDiGraph, diff: Diff | None, coloring: Coloring, theme: Theme) -> Scene:
    """The layout as the step with this graph shows it; `diff` leads to it from the step shown before, if any was."""
    calls = call_tree(graph)
    view = with_labels_of(layout.view, graph, calls)
    states = box_states(view.boxes, graph, calls, diff)
    colors, swatches, entries = _colored(view.boxes, states, graph, coloring, theme)
    return Scene(
        layout=layout,
        boxes=view.boxes,
        groups=view.groups,
        graph=graph,
        calls=calls,
        states=states,
        colors=colors,
        links_present=_links_present(view, graph, calls),
        swatches=swatches,
        legend=(*_with_traits(entries, view, states, theme), *_state_entries(states, theme)),
    )


def box_states(
    boxes: Iterable[Box], graph: nx.MultiDiGraph, calls: Mapping[str, Call], diff: Diff | None
) -> NDArray[np.uint8]:
    """The `State` of each box, uint8 (n,)."""
    # A set answers five times faster than networkx's own `in`.
    nodes = set(graph)
    if diff is None:
        return np.array([_presence(box, nodes, calls) for box in boxes], dtype=np.uint8)
    touched = diff.added | diff.removed | diff.changed.keys()
    touched_calls = diff.calls_added | diff.calls_removed
    states = []
    for box in boxes:
        is_same = touched.isdisjoint(box.lives_with) and touched.isdisjoint(box.members)
        if is_same and box.key not in touched_calls:
            states.append(_presence(box, nodes, calls))
        elif box.kind == "module" and nodes.isdisjoint(box.lives_with):
            states.append(_state_without_graph(box, calls, diff))
        else:
            states.append(_changed_state(box, nodes, diff))
    return np.array(states, dtype=np.uint8)


def _presence(box: Box, nodes: Set[str], calls: Mapping[str, Call]) -> State:
    if not box.lives_with:
        is_present = box.kind != "module" or box.key in calls
    else:
        is_present = not nodes.isdisjoint(box.lives_with) or (box.kind == "module" and box.key in calls)
    return State.PRESENT if is_present else State.GHOST


def _state_without_graph(box: Box, calls: Mapping[str, Call], diff: Diff) -> State:
    """The state of a module call that has no nodes in this step: it may have run without."""
    has_lost = not diff.removed.isdisjoint(box.lives_with)
    if box.key in calls:
        if box.key in diff.calls_added:
            return State.ADDED
        return State.CHANGED if has_lost else State.PRESENT
    return State.REMOVED if has_lost or box.key in diff.calls_removed else State.GHOST


def _changed_state(box: Box, nodes: Set[str], diff: Diff) -> State:
    """The state of a box that the diff touches: a module is changed with its ops, a node with its own attributes."""
    lives_with = box.lives_with
    present = [node for node in lives_with if node in nodes]
    lost = not diff.removed.isdisjoint(lives_with)
    if not present:
        return State.REMOVED if lost else State.GHOST
    if diff.added.issuperset(present) and not lost:
        return State.ADDED
    if box.kind == "module":
        return State.CHANGED
    return State.PRESENT if diff.changed.keys().isdisjoint(box.members) else State.CHANGED


def _colored(
    boxes: tuple[Box, ...], states: NDArray[np.uint8], graph: nx.MultiDiGraph, coloring: Coloring, theme: Theme
) -> tuple[NDArray[np.uint8], tuple[Swatch, ...], list[LegendEntry]]:
    """Colour indices, the swatches they point to, and the legend's lines for the colours that occur.

    The first swatches belong to the states that override the colouring, in the order of `State`.
    """
    swatches = [theme.neutral, theme.ghost, theme.added, theme.removed, theme.changed]
    colors = states.copy()
    index_of: dict[str, int] = {}
    for i in np.flatnonzero(states == State.PRESENT).tolist():
        label = coloring.label_of(boxes[i], graph)
        if label not in index_of:
            index_of[label] = min(len(swatches), 255)
            swatches.append(coloring.swatch_of(label, len(index_of) - 1, theme))
        colors[i] = index_of[label]
    entries = [LegendEntry(label, swatches[index]) for label, index in index_of.items()]
    return colors, tuple(swatches), entries


def _state_entries(states: NDArray[np.uint8], theme: Theme) -> list[LegendEntry]:
    swatches = {
        State.ADDED: theme.added,
        State.REMOVED: theme.removed,
        State.CHANGED: theme.changed,
        State.GHOST: theme.ghost,
    }
    counts = np.bincount(states, minlength=len(State))
    return [
        LegendEntry(f"{_STATE_LABELS[state]} ({counts[state]})", swatch, MARKS.get(state, ""), state == State.GHOST)
        for state, swatch in swatches.items()
        if counts[state]
    ]


def _with_traits(entries: list[LegendEntry], view: View, states: NDArray[np.uint8], theme: Theme) -> list[LegendEntry]:
    """The legend of the colours, and a line for each trait that occurs; one line where a colour is that trait's."""
    absent = (State.GHOST, State.REMOVED)
    occurring = {box.trait for box, state in zip(view.boxes, states.tolist(), strict=True) if state not in absent}
    occurring.update(group.trait for group in view.groups)
    traits = {label: trait for trait, label in TRAIT_LABELS.items() if trait in occurring}
    colors = [replace(entry, trait=traits.pop(entry.label, "")) for entry in entries]
    swatches = {label: theme.kinds["op" if trait == OPAQUE else "graphless"] for label, trait in traits.items()}
    return [*colors, *(LegendEntry(label, swatches[label], trait=trait) for label, trait in traits.items())]


def _links_present(view: View, graph: nx.MultiDiGraph, calls: Mapping[str, Call]) -> NDArray[np.bool_]:
    """Whether the step has at least one edge for each link, directly or through nodes that the view hides."""
    boxes_of = _boxes_of(view)
    pairs = set(flow_links(calls, {box.key for box in view.boxes}, {group.key for group in view.groups}))
    for source, targets in graph.adjacency():
        if source not in boxes_of:
            continue
        ends: list[str] = []
        for target in targets:
            if target in boxes_of:
                ends += boxes_of[target]
            else:
                ends += [key for shown in _shown_below(target, graph, boxes_of) for key in boxes_of[shown]]
        pairs.update(product(boxes_of[source], ends))
    return np.array([(link.source, link.target) in pairs for link in view.links], dtype=np.bool_)


def _boxes_of(view: View) -> dict[str, list[str]]:
    """The boxes that stand for each node; a parameter may be drawn in several places."""
    boxes: dict[str, list[str]] = {}
    for box in view.boxes:
        for member in box.members:
            boxes.setdefault(member, []).append(box.key)
    return boxes


def _shown_below(hidden: str, graph: nx.MultiDiGraph, boxes_of: Mapping[str, Any]) -> list[str]:
    """The nodes with a box that a hidden node leads to, through hidden nodes only."""
    shown: list[str] = []
    seen = {hidden}
    waiting = [hidden]
    while waiting:
        for target in graph.adj[waiting.pop()]:
            if target in boxes_of:
                shown.append(target)
            elif target not in seen:
                seen.add(target)
                waiting.append(target)
    return shown
