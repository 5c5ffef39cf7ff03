"""What to open, close and fold next: from a drawing and what is selected in it to the options of the next one."""

from gui.drawing import Drawing
from tracer.model.opening import opened_below, opened_further, opened_to_depth
from tracer.model.view import View

DEPTHS = range(1, 7)
"""How many levels of modules may be opened by one key."""


def drawn_key(view: View, key: str) -> str:
    """The key of the box or frame that shows something: its own, that of the copy drawn for it, or of a closed module
    that holds it; "" for none."""
    key = view.stand_ins.get(key, key)
    if any(key == box.key for box in view.boxes) or any(key == group.key for group in view.groups):
        return key
    return next((box.key for box in view.boxes if key in box.members), "")


def can_open(drawing: Drawing, key: str) -> bool:
    """Whether it is a module call that is drawn closed, with something in it."""
    key = drawing.scene.layout.view.stand_ins.get(key, key)
    if key not in drawing.calls or key in drawing.open_calls:
        return False
    return any(box.key == key and box.can_open for box in drawing.scene.boxes)


def can_close(drawing: Drawing, key: str) -> bool:
    key = drawing.scene.layout.view.stand_ins.get(key, key)
    return key in drawing.open_calls and any(group.key == key for group in drawing.scene.groups)


def toggled(drawing: Drawing, key: str) -> frozenset[str]:
    """The open calls once this one is open, or closed if it was open."""
    return drawing.open_calls ^ {drawing.scene.layout.view.stand_ins.get(key, key)}


def to_depth(drawing: Drawing, depth: int) -> frozenset[str]:
    return opened_to_depth(drawing.call_tree, depth)


def further(drawing: Drawing, key: str) -> frozenset[str]:
    """With one level more of the call that is selected."""
    key = drawing.scene.layout.view.stand_ins.get(key, key)
    return drawing.open_calls | opened_further(drawing.call_tree, drawing.open_calls, key)


def with_all_below(drawing: Drawing, key: str) -> frozenset[str]:
    """With the call that is selected, and everything in it."""
    key = drawing.scene.layout.view.stand_ins.get(key, key)
    return drawing.open_calls | opened_below(drawing.call_tree, key)


def frame_around(drawing: Drawing, key: str) -> str:
    """The open call that something lies in, "" at the top."""
    view = drawing.scene.layout.view
    return next(iter(_frames_around(view, drawn_key(view, key))), "")


def fold_at(drawing: Drawing, key: str) -> str:
    """The fold that is drawn at something, or in which it lies; or else the one taken apart of which it is a copy."""
    view = drawing.scene.layout.view
    drawn = drawn_key(view, key)
    folds = {box.key: box.fold for box in view.boxes} | {group.key: group.fold for group in view.groups}
    for place in (drawn, *_frames_around(view, drawn)):
        fold = folds.get(place) or view.apart.get(place)
        if fold:
            return fold
    return ""


def _frames_around(view: View, key: str) -> list[str]:
    """From the inside out."""
    parents = {group.key: group.parent for group in view.groups}
    at = parents[key] if key in parents else next((box.group for box in view.boxes if box.key == key), None)
    frames = []
    while at is not None:
        frames.append(at)
        at = parents[at]
    return frames
