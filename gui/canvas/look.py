"""Where a canvas looks, told by what is there rather than by coordinates; and the way from one place to another."""

import math

import numpy as np

from gui.canvas.camera import MARGIN_PX, READABLE_SCALE, Camera, fitted
from gui.canvas.geometry import Area
from gui.canvas.rows import rect_of
from gui.view_history import Look
from tracer.layout.result import Layout

Viewport = tuple[float, float]


def look_at(layout: Layout, camera: Camera, viewport: Viewport) -> Look:
    """What a camera sees: the box nearest to the middle, and how far that is from it."""
    if not len(layout.boxes):
        return Look(scale=camera.scale)
    middle = np.array(camera.to_scene(viewport[0] / 2, viewport[1] / 2))
    gaps = middle - layout.boxes[:, :2] - layout.boxes[:, 2:] / 2
    nearest = int((gaps * gaps).sum(axis=1).argmin())
    dx, dy = gaps[nearest].tolist()
    return Look(layout.view.boxes[nearest].key, dx, dy, camera.scale)


def camera_for(look: Look, layout: Layout, viewport: Viewport) -> Camera | None:
    """The camera that sees it in this layout, None where what it was told by is not there."""
    rect = rect_of(layout, look.anchor)
    if rect is None:
        return None
    x, y = rect[0] + rect[2] / 2 + look.dx, rect[1] + rect[3] / 2 + look.dy
    return Camera(scale=look.scale).centered_on(x, y, viewport)


def camera_showing(rect: Area, camera: Camera, viewport: Viewport) -> Camera:
    """A rectangle in the middle: at the same zoom if its title can be read there and it fits in, else at the nearest
    zoom where that is so."""
    scale = max(camera.scale, READABLE_SCALE)
    whole = fitted(rect, viewport, max_scale=scale)
    if whole.scale < scale and whole.scale < READABLE_SCALE:
        # A frame too large to be read whole: its head.
        x, y, width, _ = rect
        near = Camera(scale=READABLE_SCALE)
        return near.centered_on(x + width / 2, y + viewport[1] / READABLE_SCALE * 0.3, viewport)
    return whole


def head_of(rect: Area, camera: Camera, viewport: Viewport) -> Area:
    """As much of a rectangle, from its top left corner, as the camera can show with a margin around it."""
    x, y, width, height = rect
    room, depth = (max(side - 2 * MARGIN_PX, 1.0) / camera.scale for side in viewport)
    return x, y, min(width, room), min(height, depth)


def between(start: Camera, end: Camera, share: float, viewport: Viewport) -> Camera:
    """A camera on the way: the middle of the view moves straight, the zoom by equal factors."""
    scale = math.exp(math.log(start.scale) * (1 - share) + math.log(end.scale) * share)
    first = start.to_scene(viewport[0] / 2, viewport[1] / 2)
    last = end.to_scene(viewport[0] / 2, viewport[1] / 2)
    x, y = (a + (b - a) * share for a, b in zip(first, last, strict=True))
    return Camera(scale=scale).centered_on(x, y, viewport)
