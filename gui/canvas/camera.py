"""Which part of the scene the canvas looks at: pure arithmetic between scene units and view pixels."""

from dataclasses import dataclass, replace

MIN_SCALE = 0.0002
MAX_SCALE = 8.0
# Below this zoom titles are too small to read: 12 px letters become 6 px.
READABLE_SCALE = 0.7
MARGIN_PX = 28.0
LEAST_BESIDE = 0.8
"""So much smaller a graph may be seen at first if nothing covers it then."""

Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Camera:
    """The scene point (x, y) at the view's top left corner, and how many pixels a scene unit takes."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """The pixel where a scene point shows."""
        return (x - self.x) * self.scale, (y - self.y) * self.scale

    def to_scene(self, x: float, y: float) -> tuple[float, float]:
        """The scene point under a pixel."""
        return x / self.scale + self.x, y / self.scale + self.y

    def panned(self, dx: float, dy: float) -> "Camera":
        """The content moved by so many pixels."""
        return replace(self, x=self.x - dx / self.scale, y=self.y - dy / self.scale)

    def zoomed(self, factor: float, at: tuple[float, float]) -> "Camera":
        """Zoomed by a factor; the scene point under the pixel `at` stays under it."""
        scale = min(max(self.scale * factor, MIN_SCALE), MAX_SCALE)
        x, y = self.to_scene(*at)
        return Camera(x - at[0] / scale, y - at[1] / scale, scale)

    def centered_on(self, x: float, y: float, viewport: tuple[float, float]) -> "Camera":
        """The same zoom with a scene point in the middle of the view."""
        return replace(self, x=x - viewport[0] / 2 / self.scale, y=y - viewport[1] / 2 / self.scale)

    def revealing(self, rect: tuple[float, float, float, float], viewport: tuple[float, float]) -> "Camera":
        """Panned by as little as shows a scene rectangle whole, with a margin around it."""
        left, top = self.to_view(rect[0], rect[1])
        right, bottom = self.to_view(rect[0] + rect[2], rect[1] + rect[3])
        dx = max(MARGIN_PX - left, 0.0) or min(viewport[0] - MARGIN_PX - right, 0.0)
        dy = max(MARGIN_PX - top, 0.0) or min(viewport[1] - MARGIN_PX - bottom, 0.0)
        # What lies at the margin already is not moved by a rounding error.
        return self.panned(dx, dy) if max(abs(dx), abs(dy)) > 1e-6 else self

    def visible(self, viewport: tuple[float, float]) -> tuple[float, float, float, float]:
        """The scene rectangle x, y, width, height that the view shows."""
        return self.x, self.y, viewport[0] / self.scale, viewport[1] / self.scale


def fitted(
    rect: tuple[float, float, float, float],
    viewport: tuple[float, float],
    max_scale: float = 1.0,
    margin_px: float = MARGIN_PX,
) -> Camera:
    """The camera that shows a whole scene rectangle in the middle of the view, enlarged to `max_scale` at most."""
    x, y, width, height = rect
    room = max(viewport[0] - 2 * margin_px, 1.0), max(viewport[1] - 2 * margin_px, 1.0)
    scale = min(room[0] / max(width, 1.0), room[1] / max(height, 1.0), max_scale)
    scale = min(max(scale, MIN_SCALE), MAX_SCALE)
    return Camera(scale=scale).centered_on(x + width / 2, y + height / 2, viewport)


def opening(
    size: Size,
    viewport: Size,
    focus: tuple[float, float] | None,
    upper: Size = (0.0, 0.0),
    lower: Size = (0.0, 0.0),
    beginning: tuple[float, float] | None = None,
) -> Camera:
    """The first look at a scene: all of it where that can be read, otherwise its beginning at a readable zoom.

    `focus` is the scene point to begin at. Where the whole width fits at a readable zoom the graph stands in the
    middle, otherwise the focus does. `upper` and `lower` are the sizes in pixels of what covers the view's right
    corners, the lower one only where not all is seen: a graph that is narrow enough stands to the left of both. Of a
    wider one `beginning`, the left and right end of what a first screen shows, is shown whole if it can be.
    """
    camera = _opening(size, viewport, focus)
    if beginning is not None and camera.scale == READABLE_SCALE and not _fits(camera, size, viewport):
        for covered in (max(upper[0], lower[0]), lower[0], 0.0):
            part = _showing(beginning, focus, size, (viewport[0] - covered, viewport[1]))
            if part.scale >= READABLE_SCALE:
                return part
    is_whole = camera.to_view(0.0, 0.0)[1] >= 0.0 and camera.to_view(*size)[1] <= viewport[1]
    corners = (upper,) if is_whole else (upper, lower)
    aside = _beside(camera, size, viewport, corners)
    if aside is not None:
        return aside
    smaller = _opening(size, (viewport[0] - max(width for width, _ in corners), viewport[1]), focus)
    return smaller if smaller.scale >= LEAST_BESIDE * camera.scale and _fits(smaller, size, viewport) else camera


def _opening(size: Size, viewport: Size, focus: tuple[float, float] | None) -> Camera:
    whole = fitted((0.0, 0.0, *size), viewport)
    if whole.scale >= READABLE_SCALE:
        return whole
    scale = min(max((viewport[0] - 2 * MARGIN_PX) / max(size[0], 1.0), READABLE_SCALE), 1.0)
    camera = Camera(scale=scale)
    focus_x, focus_y = focus or (size[0] / 2, size[1])
    camera = camera.centered_on(focus_x, focus_y, viewport)
    x, y = (
        _kept_inside(start, length, visible / scale, MARGIN_PX / scale)
        for start, length, visible in zip((camera.x, camera.y), size, viewport, strict=True)
    )
    return replace(camera, x=x, y=y)


def _showing(span: tuple[float, float], focus: tuple[float, float] | None, size: Size, room: Size) -> Camera:
    """As large as shows a horizontal span of the scene whole, at the height of the focus."""
    scale = min(max(room[0] - 2 * MARGIN_PX, 1.0) / max(span[1] - span[0], 1.0), 1.0)
    camera = Camera(scale=scale).centered_on(sum(span) / 2, size[1] if focus is None else focus[1], room)
    return replace(camera, y=_kept_inside(camera.y, size[1], room[1] / scale, MARGIN_PX / scale))


def _fits(camera: Camera, size: Size, viewport: Size) -> bool:
    """Whether the view shows the whole width."""
    return camera.to_view(0.0, 0.0)[0] >= 0.0 and camera.to_view(*size)[0] <= viewport[0]


def _beside(camera: Camera, size: Size, viewport: Size, corners: tuple[Size, ...]) -> Camera | None:
    """Panned by as little as keeps the content out of covered right corners, the upper one first; None where the left
    has no room."""
    left, top = camera.to_view(0.0, 0.0)
    right, bottom = camera.to_view(*size)
    meets = (top < corners[0][1], bottom > viewport[1] - corners[-1][1])
    covered = max((width for (width, _), is_met in zip(corners, meets, strict=False) if is_met), default=0.0)
    overlap = right - (viewport[0] - covered)
    if not covered or overlap <= 0:
        return camera
    return camera.panned(-overlap, 0.0) if left - overlap >= MARGIN_PX - 0.5 else None


def _kept_inside(start: float, length: float, visible: float, margin: float) -> float:
    """The start of a visible stretch moved so that it shows no more than a margin beyond the content."""
    if visible >= length + 2 * margin:
        return (length - visible) / 2
    return min(max(start, -margin), length + margin - visible)
