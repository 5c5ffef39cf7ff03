"""Which part of a scene an overview shows: all of it, or of a long thin one a stretch that moves with the view."""

from dataclasses import dataclass

from gui.canvas.camera import Camera, Size
from gui.canvas.geometry import Area

THIN_PX = 26.0
"""What is thinner than this as a whole is shown in part."""
LEAST_SCREENS = 3.0
"""So many times as long as the view is what an overview shows, at least."""


@dataclass(frozen=True, slots=True)
class Overview:
    """`camera` puts the stretch that is shown at the room's top left. A drag by a pixel moves the view by `per_px`,
    scene units across and down: the frame stays under the mouse, and a drag across the room leads from end to end.
    """

    camera: Camera
    per_px: tuple[float, float]


def scale_of(size: Size, room: Size) -> float:
    """The zoom at which a whole scene fits, or at which a thin one can be told from a line."""
    whole = min(room[0] / max(size[0], 1.0), room[1] / max(size[1], 1.0))
    thin = min(THIN_PX, *room) / max(min(size), 1.0)
    return max(whole, min(thin, max(room[0] / max(size[0], 1.0), room[1] / max(size[1], 1.0))))


def overview(size: Size, view: Area, room: Size) -> Overview:
    """Of a scene, at a view of it, in a room of so many pixels."""
    whole = min(room[0] / max(size[0], 1.0), room[1] / max(size[1], 1.0))
    seen, along = (view[2], room[0]) if size[0] > size[1] else (view[3], room[1])
    scale = max(whole, min(scale_of(size, room), along / max(LEAST_SCREENS * seen, 1e-9)))
    across = _stretch(size[0], view[0], view[2], room[0] / scale)
    down = _stretch(size[1], view[1], view[3], room[1] / scale)
    return Overview(Camera(across[0], down[0], scale), (across[1] / scale, down[1] / scale))


def _stretch(length: float, start: float, seen: float, shown: float) -> tuple[float, float]:
    """Where what is shown begins, and how much further than the mouse the view moves, along one axis."""
    if shown >= length - 1e-6:
        return (length - shown) / 2, 1.0
    rest = max(length - seen, 1e-9)
    share = min(max(start / rest, 0.0), 1.0)
    return share * (length - shown), rest / max(shown - seen, 1e-9)
