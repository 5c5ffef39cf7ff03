"""How each frame stands against the step shown before: folds that have more or fewer copies, calls that came or went
as a whole."""

import numpy as np
from numpy.typing import NDArray

from gui.canvas.figure import Figure, figure_of
from gui.canvas.fit import Fit
from gui.canvas.geometry import Bools, Ints
from gui.canvas.states import Diff, State, copies_of


def frame_states(fit: Fit, states: NDArray[np.uint8], diff: Diff | None) -> NDArray[np.uint8]:
    """The `State` of each frame, uint8 (m,), PRESENT where there is nothing to say of it; `states` are the boxes'.

    A frame with some new boxes among others says nothing, as these do; neither does one within a frame that is new as
    a whole. A parameter may be drawn in a call that is not in the step: parameters do not count.
    """
    figure, groups = figure_of(fit.layout), fit.groups
    result = np.zeros(len(groups), dtype=np.uint8)
    if diff is None or not len(groups):
        return result
    told = ~figure.is_parameter & (states != State.GHOST)
    counts = _boxes_inside(figure, told)
    for state in (State.ADDED, State.REMOVED):
        is_whole = (counts > 0) & (_boxes_inside(figure, told & (states == state)) == counts)
        around = np.append(is_whole, False)[figure.parents]
        result[is_whole & ~around] = state
    copies = copies_of(fit, diff)
    for row, group in enumerate(groups):
        before, now = copies.get(group.fold, (0, 0))
        if before and now and before != now:
            result[row] = State.CHANGED
    return result


def frame_states_before(states: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Those of the compared step: what is added later is not there yet."""
    return np.where(states == State.ADDED, State.PRESENT, states).astype(np.uint8)


def _boxes_inside(figure: Figure, is_meant: Bools) -> Ints:
    """How many of some boxes lie in each frame, however deep."""
    inside = figure.groups_of_boxes[is_meant]
    counts = np.bincount(inside[inside >= 0], minlength=len(figure.parents))
    for row, parent in zip(range(len(counts) - 1, -1, -1), figure.parents[::-1].tolist(), strict=True):
        if parent >= 0:
            counts[parent] += counts[row]
    return counts
