"""What is selected in a graph: one box, one open group or one link, or nothing."""

from dataclasses import dataclass

import numpy as np

from gui.canvas.geometry import Ints
from gui.canvas.rows import box_row, linked_links, rect_of
from gui.canvas.scene import Scene
from tracer.layout.result import Layout


@dataclass(frozen=True, slots=True)
class Selection:
    """The key of a box or group, or the index of a link; never both."""

    key: str = ""
    link: int = -1

    def __bool__(self) -> bool:
        return bool(self.key) or self.link >= 0


NONE = Selection()


def of_key(layout: Layout | None, key: str) -> Selection:
    """The selection of a key, nothing where the layout lacks it."""
    return Selection(key) if key and layout is not None and rect_of(layout, key) is not None else NONE


def links_to_mark(scene: Scene, selection: Selection) -> Ints:
    """The links that are drawn in the selection's colour: the selected one, or those of the selected box in this step.

    What the step lacks stays a ghost.
    """
    if selection.link >= 0:
        return np.array([selection.link], dtype=np.int64)
    row = box_row(scene.layout, selection.key) if selection.key else -1
    links = linked_links(scene.layout, row) if row >= 0 else np.zeros(0, dtype=np.int64)
    return links[scene.links_present[links]]


def carried_over(selection: Selection, before: Layout | None, after: Layout | None) -> Selection:
    """What stays selected in another layout: the same key, or the closed module that swallowed it.

    Links have no identity across layouts.
    """
    if before is after:
        return selection
    if after is None or not selection.key:
        return NONE
    kept = of_key(after, selection.key)
    boxes = after.view.boxes
    return kept or of_key(after, next((box.key for box in boxes if selection.key in box.members), ""))
