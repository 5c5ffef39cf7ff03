"""How each box stands in the current step, and against the step shown before."""

from collections.abc import Iterable, Mapping, Sequence, Set
from enum import IntEnum
from math import prod
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
    figure, copies = figure_of(fit.layout), copies_of(fit, diff)
    for row in _touched(fit.layout, diff):
        box = fit.boxes[row]
        if box.kind == "module" and fit.nodes.isdisjoint(box.lives_with):
            states[row] = _state_without_graph(box, fit.calls, diff)
        else:
            around = int(figure.groups_of_boxes[row])
            folds = figure.folds[around] if around >= 0 and not box.fold else ()
            states[row] = _changed_state(box, fit.nodes, diff, _copies_around(folds, copies))
    return states


def copies_of(fit: Fit, diff: Diff) -> dict[str, tuple[int, int]]:
    """How many copies of each fold the step before and this one have, by the fold's key."""
    return {fold.key: _counted(fold.anchors, fit.nodes, diff) for fold in fit.layout.view.folds}


def _counted(keys: Iterable[str], nodes: Set[str], diff: Diff) -> tuple[int, int]:
    """How many of some nodes the step before and this one have; `nodes` are this one's."""
    before = now = 0
    for key in keys:
        if key in nodes:
            now += 1
            before += key not in diff.added
        else:
            before += key in diff.removed
    return before, now


def _copies_around(folds: Sequence[str], copies: Mapping[str, tuple[int, int]]) -> tuple[int, int] | None:
    """How many copies of what lies in folds within each other there were and are; None without folds.

    Inner folds are counted in the first copy of the outer ones: where it is gone or new, they say nothing.
    """
    counts = [copies[fold] for fold in folds]
    told = [*counts[:1], *(pair for pair in counts[1:] if all(pair))]
    return (prod(before for before, _ in told), prod(now for _, now in told)) if told else None


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


def _changed_state(box: Box, nodes: Set[str], diff: Diff, copies: tuple[int, int] | None) -> State:
    """The state of a box that the diff touches: a module or a fold changes with its ops, a node with its attributes.

    `copies` are those of the folds in whose open frames the box lies, if it does: whole ones that come or go do not
    change it.

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
        before, now = _counted(lives_with, nodes, diff)
        if copies is None or before * copies[1] != now * copies[0]:
            return State.CHANGED
    return State.PRESENT if diff.changed.keys().isdisjoint(box.members) else State.CHANGED
