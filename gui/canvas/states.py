"""How each box stands in the current step, and against the step shown before."""

from collections.abc import Mapping, Set
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gui.canvas.figure import figure_of
from gui.canvas.fit import Fit
from gui.canvas.rows import rows_of
from tracer.layout.result import Layout
from tracer.model.call_tree import Call
from tracer.model.view import Box


class State(IntEnum):
    """How a box stands in the current step; the last three compare it with the step shown before."""

    PRESENT = 0
    GHOST = 1
    ADDED = 2
    REMOVED = 3
    CHANGED = 4


MARKS = {State.ADDED: "+", State.REMOVED: "−", State.CHANGED: "~"}


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


def box_states(fit: Fit, diff: Diff | None) -> NDArray[np.uint8]:
    """The `State` of each box, uint8 (n,)."""
    states = np.where(fit.is_present, State.PRESENT, State.GHOST).astype(np.uint8)
    if diff is None:
        return states
    for row in _touched(fit.layout, diff):
        box = fit.boxes[row]
        if box.kind == "module" and fit.nodes.isdisjoint(box.lives_with):
            states[row] = _state_without_graph(box, fit.calls, diff)
        else:
            states[row] = _changed_state(box, fit.nodes, diff)
    return states


def _touched(layout: Layout, diff: Diff) -> set[int]:
    """The rows of the boxes that have anything of what the diff names."""
    rows, rows_of_nodes = rows_of(layout).boxes, figure_of(layout).rows_of_nodes
    touched = {rows[key] for key in (*diff.calls_added, *diff.calls_removed) if key in rows}
    for nodes in (diff.added, diff.removed, diff.changed):
        for node in nodes:
            touched.update(rows_of_nodes.get(node, ()))
    return touched


def states_before(fit: Fit, states: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The states in the compared step, which `fit` is of: what comes later is not there yet, what is lost is marked.

    `states` are those of the step that it is compared with.
    """
    is_marked = (states == State.REMOVED) | (states == State.CHANGED)
    return np.where(is_marked, states, np.where(fit.is_present, State.PRESENT, State.GHOST)).astype(np.uint8)


def _state_without_graph(box: Box, calls: Mapping[str, Call], diff: Diff) -> State:
    """The state of a module call that has no nodes in this step: it may have run without."""
    has_lost = not diff.removed.isdisjoint(box.lives_with)
    if box.key in calls:
        if box.key in diff.calls_added:
            return State.ADDED
        return State.CHANGED if has_lost else State.PRESENT
    return State.REMOVED if has_lost or box.key in diff.calls_removed else State.GHOST


def _changed_state(box: Box, nodes: Set[str], diff: Diff) -> State:
    """The state of a box that the diff touches: a module or a fold changes with its ops, a node with its attributes.

    A parameter that is drawn at each of its uses is neither added nor removed with one of these.
    """
    lives_with = box.lives_with
    present = [node for node in lives_with if node in nodes]
    lost = not diff.removed.isdisjoint(lives_with)
    if box.kind == "parameter":
        lost = not diff.removed.isdisjoint(box.members)
    if not present:
        return State.REMOVED if lost else State.GHOST
    is_new = all(node in diff.added for node in present)
    if is_new and not lost and (box.kind != "parameter" or not diff.added.isdisjoint(box.members)):
        return State.ADDED
    if box.kind == "module" or (box.kind == "op" and len(box.members) > 1):
        return State.CHANGED
    return State.PRESENT if diff.changed.keys().isdisjoint(box.members) else State.CHANGED
