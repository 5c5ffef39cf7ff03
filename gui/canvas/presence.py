"""What of a layout a scene shows: all of it, with ghosts of what the step lacks, or without those."""

from dataclasses import dataclass

import numpy as np

from gui.canvas.figure import Figure
from gui.canvas.geometry import Bools, Ints
from gui.canvas.scene import Scene
from gui.canvas.states import MARKS, State
from tracer.model.call_tree import LIVE


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """Whether each box (n,), frame (m,) and link (k,) is shown; `ghost_groups` (m,) are the frames that hold nothing
    of the step, `faint_links` (k,) those that touch no change, where changes alone are to be seen."""

    boxes: Bools
    groups: Bools
    links: Bools
    ghost_groups: Bools
    faint_links: Bools


def presence_of(scene: Scene, figure: Figure) -> Presence:
    """What was just removed stays in sight, ghosts or not."""
    states, shows_ghosts = scene.states, scene.shows_ghosts
    is_removed = states == State.REMOVED
    boxes = np.ones(len(states), dtype=np.bool_) if shows_ghosts else states != State.GHOST
    ghost_groups = figure.is_filled & ~_holding(figure, scene.fit.is_present) & ~_ran(scene)
    groups = ~ghost_groups if not shows_ghosts else np.ones(len(ghost_groups), dtype=np.bool_)
    if not shows_ghosts:
        groups |= _holding(figure, is_removed)
    # Links that the step lacks are shown where a box was just removed; all those of a union would be a thicket.
    links = scene.links_present | is_removed[figure.sources] | is_removed[figure.targets]
    links &= boxes[figure.sources] & boxes[figure.targets]
    return Presence(boxes, groups, links, ghost_groups, _faint(scene, figure))


def _holding(figure: Figure, is_meant: Bools) -> Bools:
    """The frames that hold one of the boxes, however deep."""
    holding = np.zeros(len(figure.parents), dtype=np.bool_)
    inside: Ints = figure.groups_of_boxes[is_meant]
    holding[inside[inside >= 0]] = True
    for group, parent in zip(range(len(holding) - 1, -1, -1), figure.parents[::-1].tolist(), strict=True):
        if parent >= 0 and holding[group]:
            holding[parent] = True
    return holding


def _ran(scene: Scene) -> Bools:
    """The frames of calls that ran in the step without making a graph."""
    calls = scene.calls
    ran = [group.key in calls and calls[group.key].state != LIVE for group in scene.groups]
    return np.array(ran, dtype=np.bool_)


def _faint(scene: Scene, figure: Figure) -> Bools:
    if not scene.changes_only:
        return np.zeros(len(figure.sources), dtype=np.bool_)
    is_marked = np.isin(scene.states, [int(state) for state in MARKS])
    return ~(is_marked[figure.sources] | is_marked[figure.targets])
