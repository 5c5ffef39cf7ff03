"""What differs between the two steps of a drawing, in words, and part by part in the order of reading."""

from collections.abc import Sequence

import numpy as np

from gui import format as fmt
from gui.canvas.scene import Scene
from gui.canvas.states import MARKS
from gui.drawing import Drawing
from gui.timeline import Timeline
from tracer import GraphDiff, Step
from tracer.model.call_keys import unmarked


def verdict(drawing: Drawing) -> str:
    """How the drawn step stands to the compared one; the number of that one is to follow. "" where there is none."""
    compared = drawing.question.compared_step
    if compared < 0:
        return ""
    if compared == drawing.step.index:
        return "This is the step to compare with:"
    if drawing.diff is None:
        return "No graph to compare with in step"
    if drawing.diff:
        return "against step"
    calls = _calls_text(drawing.diff)
    return f"Same graph, {calls} than step" if calls else "Same graph as step"


def _calls_text(diff: GraphDiff) -> str:
    """Of graphs that are the same: the module calls beside them that only one of the steps has."""
    more, fewer = len(diff.calls_added), len(diff.calls_removed)
    is_forward_only = all(unmarked(key)[1] for key in diff.calls_added | diff.calls_removed)
    what = "forward-only call" if is_forward_only else "module call"
    if more and fewer:
        return f"{fmt.plural(more, what)} more and {fmt.count(fewer)} fewer"
    return f"{fmt.plural(more or fewer, what)} {'more' if more else 'fewer'}" if more or fewer else ""


def step_text(step: Step, node_count: int | None, timeline: Timeline) -> str:
    """A step in one short line; `node_count` is None without a graph."""
    parts = [f"Step {fmt.count(step.index)}"]
    if "loss" in step.scalars:
        parts.append(f"Loss {fmt.number(step.scalars['loss'])}")
    if node_count is not None:
        number = fmt.count(timeline.structure(step.index) + 1)
        parts.append(f"Structure {number} of {fmt.count(timeline.structure_count)}")
        parts.append(fmt.plural(node_count, "node"))
    return " · ".join(parts)


def differing_keys(scene: Scene) -> tuple[str, ...]:
    """Of the frames and boxes that are added, removed or changed, from the top to the bottom, lines from the left."""
    layout, marks = scene.layout, [int(state) for state in MARKS]
    frames, boxes = np.flatnonzero(np.isin(scene.group_states, marks)), np.flatnonzero(np.isin(scene.states, marks))
    keys = [layout.view.groups[row].key for row in frames.tolist()]
    keys += [layout.view.boxes[row].key for row in boxes.tolist()]
    places = np.concatenate((layout.groups[frames], layout.boxes[boxes]))
    return tuple(keys[row] for row in np.lexsort((places[:, 0], places[:, 1])).tolist())


def neighbour(keys: Sequence[str], current: str, step: int) -> str:
    """The key so many places further, from the end to the beginning again; the first or last where `current` is none
    of them; "" where there are none."""
    if not keys:
        return ""
    if current not in keys:
        return keys[0 if step > 0 else -1]
    return keys[(keys.index(current) + step) % len(keys)]
