"""The colours of a scene: those of the colouring, and those of the states where something changed."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gui import format as fmt
from gui.canvas.figure import figure_of
from gui.canvas.fit import Fit
from gui.canvas.states import MARKS, State
from gui.coloring import LOOP, Coloration, Coloring, LegendEntry, Subject
from gui.theme import Theme
from tracer.model.statistics import Statistics
from tracer.model.view import OPAQUE, TRAIT_LABELS

_STATE_LABELS = {
    State.GHOST: "Not in this step",
    State.ADDED: "Added",
    State.REMOVED: "Removed",
    State.CHANGED: "Changed",
}


def colored(
    fit: Fit,
    states: NDArray[np.uint8],
    group_states: NDArray[np.uint8],
    coloring: Coloring,
    statistics: Statistics | None,
    theme: Theme,
) -> Coloration:
    """Colours of all boxes, and the whole legend, which counts marked frames too.

    The first swatches belong to the states that override the colouring, in the order of `State`. Numbers are not
    overridden, or where everything changes in each step none would be seen: there a state shows by its mark alone.
    """
    is_told = states == State.PRESENT
    if coloring.GROUP != "structure":
        is_told |= (states == State.ADDED) | (states == State.CHANGED)
    subject = Subject(fit.boxes, is_told, fit.graph, statistics)
    told = coloring.colored(subject, theme)
    overriding = (theme.neutral, theme.ghost, theme.added, theme.removed, theme.changed)
    colors = np.where(is_told, told.colors + len(overriding), states).astype(np.uint8)
    legend = (
        *_with_traits(told.legend, subject, fit, states, theme),
        *_loop_entries(fit, theme),
        *_state_entries(states, group_states, theme),
    )
    return replace(told, colors=colors, swatches=(*overriding, *told.swatches), legend=legend, title=coloring.TITLE)


def _loop_entries(fit: Fit, theme: Theme) -> list[LegendEntry]:
    """What a loop's sign means, where the step has one."""
    is_backward = figure_of(fit.layout).is_backward
    has_loop = bool((is_backward & fit.links_present).any()) or any(
        box.is_chained and is_there for box, is_there in zip(fit.boxes, fit.is_present.tolist(), strict=True)
    )
    return (
        [LegendEntry("On to the next copy", replace(theme.neutral, strong=theme.edge_label), LOOP)] if has_loop else []
    )


def _state_entries(states: NDArray[np.uint8], group_states: NDArray[np.uint8], theme: Theme) -> list[LegendEntry]:
    swatches = {
        State.ADDED: theme.added,
        State.REMOVED: theme.removed,
        State.CHANGED: theme.changed,
        State.GHOST: theme.ghost,
    }
    boxes, frames = (np.bincount(each, minlength=len(State)).tolist() for each in (states, group_states))
    return [
        LegendEntry(_counted(state, boxes[state], frames[state]), swatch, MARKS.get(state, ""), state == State.GHOST)
        for state, swatch in swatches.items()
        if boxes[state] or frames[state]
    ]


def _counted(state: State, boxes: int, frames: int) -> str:
    """With the nouns, as elsewhere nodes are counted."""
    counts = [fmt.plural(frames, "frame")] if frames else []
    counts += [fmt.plural(boxes, "box", "boxes")] if boxes else []
    return f"{_STATE_LABELS[state]}: {', '.join(counts)}"


def _with_traits(
    entries: tuple[LegendEntry, ...], subject: Subject, fit: Fit, states: NDArray[np.uint8], theme: Theme
) -> list[LegendEntry]:
    """The legend of the colours, and a line for each trait that occurs; one line where a colour is that trait's."""
    numbers, traits_by_number = subject.index.labels("trait", lambda box: box.trait)
    is_there = (states != State.GHOST) & (states != State.REMOVED)
    occurring = {traits_by_number[number] for number in np.unique(numbers[is_there]).tolist()}
    occurring.update(group.trait for group in fit.groups)
    traits = {label: trait for trait, label in TRAIT_LABELS.items() if trait in occurring}
    colors = [replace(entry, trait=traits.pop(entry.label, "")) for entry in entries]
    swatches = {label: theme.kinds["op" if trait == OPAQUE else "graphless"] for label, trait in traits.items()}
    return [*colors, *(LegendEntry(label, swatches[label], trait=trait) for label, trait in traits.items())]
