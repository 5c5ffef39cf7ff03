"""How each box stands in the current step, and against the step shown before."""

from collections.abc import Mapping, Set
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gui.canvas.fit import Fit
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
    touched = diff.added | diff.removed | diff.changed.keys()
    touched_calls = diff.calls_added | diff.calls_removed
    for row, box in enumerate(fit.boxes):
        is_same = touched.isdisjoint(box.lives_with) and touched.isdisjoint(box.members)
        if is_same and box.key not in touched_calls:
            continue
        if box.kind == "module" and fit.nodes.isdisjoint(box.lives_with):
            states[row] = _state_without_graph(box, fit.calls, diff)
        else:
            states[row] = _changed_state(box, fit.nodes, diff)
    return states


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
