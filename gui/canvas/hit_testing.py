"""What lies under a scene point: a box, the title of a group, a link.

Brute force over arrays takes 0.2 ms for 50,000 boxes, and needs no index to keep in step.
"""

from dataclasses import dataclass

import numpy as np

from gui.canvas.geometry import Bools, Curves, flattened
from gui.canvas.presence import Presence
from tracer.layout.result import Layout

_PIECES = 12


@dataclass(frozen=True, slots=True)
class Hit:
    """The thing under a point: `what` is "box", "group" (its title bar), "link", or ""; `index` is its row."""

    what: str
    index: int


NOTHING = Hit("", -1)


def hit(
    layout: Layout,
    curves: Curves,
    point: tuple[float, float],
    tolerance: float,
    title_height: float,
    presence: Presence | None = None,
) -> Hit:
    """What a click at a scene point means. Boxes lie above titles, titles above links; tolerance is in scene units.

    `presence` tells what of the layout is shown, None for all of it.
    """
    shown = presence or _Everything
    box = box_at(layout, point, shown.boxes)
    if box >= 0:
        return Hit("box", box)
    group = group_title_at(layout, point, title_height, shown.groups)
    if group >= 0:
        return Hit("group", group)
    link = link_at(curves, point, tolerance, shown.links)
    return Hit("link", link) if link >= 0 else NOTHING


class _Everything:
    """The presence of a layout that is shown as a whole."""

    boxes = groups = links = None


def box_at(layout: Layout, point: tuple[float, float], shown: Bools | None = None) -> int:
    """The index of the topmost box that holds a point, -1 for none."""
    x, y = point
    rects = layout.boxes
    inside = (
        (rects[:, 0] <= x) & (x <= rects[:, 0] + rects[:, 2]) & (rects[:, 1] <= y) & (y <= rects[:, 1] + rects[:, 3])
    )
    found = np.flatnonzero(inside if shown is None else inside & shown)
    return int(found[-1]) if len(found) else -1


def group_title_at(layout: Layout, point: tuple[float, float], title_height: float, shown: Bools | None = None) -> int:
    """The index of the innermost group whose title bar holds a point, -1 for none. Groups come parents first."""
    x, y = point
    rects = layout.groups
    bar = np.minimum(rects[:, 3], title_height)
    inside = (rects[:, 0] <= x) & (x <= rects[:, 0] + rects[:, 2]) & (rects[:, 1] <= y) & (y <= rects[:, 1] + bar)
    found = np.flatnonzero(inside if shown is None else inside & shown)
    return int(found[-1]) if len(found) else -1


def link_at(curves: Curves, point: tuple[float, float], tolerance: float, shown: Bools | None = None) -> int:
    """The index of the link that passes nearest to a point within a tolerance, -1 for none."""
    at = np.array(point)
    near = np.flatnonzero(((curves.low - tolerance <= at) & (at <= curves.high + tolerance)).all(axis=1))
    near = near if shown is None else near[shown[curves.link[near]]]
    if not len(near):
        return -1
    lines = flattened(curves.control[near], _PIECES)
    start, along = lines[..., :2], lines[..., 2:] - lines[..., :2]
    length = np.maximum((along * along).sum(axis=-1), 1e-9)
    share = np.clip(((at - start) * along).sum(axis=-1) / length, 0.0, 1.0)
    distances = np.linalg.norm(at - start - share[..., None] * along, axis=-1).min(axis=1)
    best = int(distances.argmin())
    return int(curves.link[near[best]]) if distances[best] <= tolerance else -1
