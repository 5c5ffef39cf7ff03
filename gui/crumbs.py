"""The way from the model down to a node or a module call, as names that can be gone back to."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gui.canvas.camera import Camera
from gui.canvas.scene import Scene
from tracer.layout.result import Layout
from tracer.model.call_tree import Call
from tracer.model.labels import node_labels
from tracer.model.stand_ins import StandIns

ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Crumb:
    """One part of the way: what it leads to, and its name below the part before."""

    key: str
    text: str


def crumbs_of(scene: Scene, stand_ins: StandIns, key: str) -> tuple[Crumb, ...]:
    """From the outermost call to the key; none for what the step lacks."""
    calls = scene.calls
    around = [call for call in reversed(stand_ins.calls_around(key)) if call in calls]
    repeated = _repeated(calls)
    crumbs = [Crumb(call, _name(calls[call], calls, repeated)) for call in around]
    if key in calls:
        crumbs.append(Crumb(key, _name(calls[key], calls, repeated)))
    elif key in scene.graph:
        path = calls[around[-1]].path if around else ""
        crumbs.append(Crumb(key, node_labels(key, scene.graph.nodes[key], path)[0]))
    return tuple(crumbs)


def frame_at_middle(layout: Layout, camera: Camera, viewport: tuple[float, float]) -> str:
    """The innermost frame that the middle of the view lies in, "" outside of any."""
    x, y = camera.to_scene(viewport[0] / 2, viewport[1] / 2)
    left, top, width, height = layout.groups.T
    inside = np.flatnonzero((left <= x) & (x <= left + width) & (top <= y) & (y <= top + height))
    # Frames come parents first.
    return layout.view.groups[int(inside[-1])].key if len(inside) else ""


def elided(widths: list[int], room: int, ellipsis: int) -> tuple[int, int]:
    """Which crumbs to leave out so that the rest fits: from the first to before the second of the numbers given.

    The first and the last stay; those after the first go first.
    """
    total, end = sum(widths), 1
    if total <= room or len(widths) < 3:
        return 1, 1
    while end < len(widths) - 1 and total + ellipsis > room:
        total -= widths[end]
        end += 1
    return 1, end


def _repeated(calls: Mapping[str, Call]) -> set[str]:
    return {call.path for call in calls.values() if call.number > 0}


def _name(call: Call, calls: Mapping[str, Call], repeated: set[str]) -> str:
    """The path below the calling module's, the class for the model; with its number where it is called again."""
    above = "" if call.parent is None else calls[call.parent].path
    name = (call.path.removeprefix(f"{above}.") if above else call.path) or call.class_name
    return f"{name} #{call.number}" if call.path in repeated else name
