"""The layout of a view: frames laid out from the innermost out, then everything put where it belongs in the scene."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tracer.layout.frames import Frame, LayoutCache, place_frames
from tracer.layout.homes import Homes
from tracer.layout.nesting import Nesting, take_apart
from tracer.layout.result import Layout
from tracer.layout.routing import Point
from tracer.layout.watch import Watch
from tracer.model.view import View

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAME_PLACE = 1e-6
WITH_REST = 1.1  # all work, against that on the levels


def lay_out(
    view: View,
    previous: Layout | None = None,
    *,
    cache: LayoutCache | None = None,
    cancelled: Callable[[], bool] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Layout:
    """Positions for everything in the view; deterministic.

    With `previous`, what was there keeps its order and stays close to its x (but for a shift of the whole scene, whose
    top left is 0, 0 again: see `shift_between`). Raises Cancelled within some 50 ms after `cancelled` says so.
    `progress` is told, some dozens of times, how much is done, from 0 to 1.
    """
    watch = Watch(cancelled, progress)
    if not view.boxes and not view.groups:
        watch.end()
        return Layout(view, np.zeros((0, 4)), np.zeros((0, 4)), np.zeros((0, 2)), np.zeros(1, np.int64), (0.0, 0.0))
    nesting = take_apart(view, watch)
    watch.expect(sum(scope.weight for scope in nesting.scopes) * WITH_REST)
    frames, sizes = place_frames(view, nesting, Homes(previous), cache or LayoutCache(), watch)
    boxes, groups, origins = _rectangles(nesting, frames, sizes, watch)
    watch.check()
    points, starts = _polylines(nesting, frames, origins)
    watch.end()
    return Layout(view, boxes, groups, points, starts, (frames[-1].width, frames[-1].height))


def shift_between(before: Layout, after: Layout) -> tuple[float, float]:
    """How far right and down boxes of both layouts moved, as a median; 0, 0 if they share none.

    A canvas that moves its camera by it keeps what stays in place.
    """
    rows = {box.key: index for index, box in enumerate(before.view.boxes)}
    pairs = [(rows[box.key], index) for index, box in enumerate(after.view.boxes) if box.key in rows]
    if not pairs:
        return 0.0, 0.0
    old, new = np.array(pairs).T
    moved = np.median(_centres(after.boxes[new]) - _centres(before.boxes[old]), axis=0)
    return float(moved[0]), float(moved[1])


def _centres(rectangles: Floats) -> Floats:
    return rectangles[:, :2] + rectangles[:, 2:] / 2


def _rectangles(
    nesting: Nesting, frames: list[Frame], sizes: list[tuple[float, float]], watch: Watch
) -> tuple[Floats, Floats, Floats]:
    """Boxes, groups, and for each scope what to add to the x and y of its content; from the outermost in."""
    scene = len(frames) - 1
    boxes = len(sizes) - len(frames)
    origins = [(0.0, 0.0)] * len(frames)
    origins[scene] = frames[scene].shift
    centres: list[Point] = [(0.0, 0.0)] * (boxes + scene)
    for number in [scene, *range(scene)]:
        watch.check()
        frame = frames[number]
        if number != scene:
            x, y = centres[boxes + number]
            origins[number] = x - frame.width / 2 + frame.shift[0], y - frame.height / 2 + frame.shift[1]
        left, top = origins[number]
        for item, (x, y) in zip(nesting.scopes[number].items, frame.content.centres, strict=False):
            centres[item] = left + x, top + y
    spans = np.array(sizes[:-1])
    rectangles = np.hstack([np.array(centres) - spans / 2, spans])
    return rectangles[:boxes], rectangles[boxes:], np.array(origins)


def _polylines(nesting: Nesting, frames: list[Frame], origins: Floats) -> tuple[Floats, Ints]:
    """The pieces of every link, one after the other: points (p, 2) and where each link's begin."""
    pool, first_point, first_start, point_starts = _pool(frames)
    pieces = np.array([piece for path in nesting.paths for piece in path], np.int64).reshape(-1, 2)
    scope, slot = pieces[:, 0], pieces[:, 1] + first_start[pieces[:, 0]]
    begin = point_starts[slot]
    lengths = point_starts[slot + 1] - begin
    ends = np.cumsum(lengths)
    index = np.repeat(begin + first_point[scope] - ends + lengths, lengths) + np.arange(lengths.sum())
    points = pool[index] + np.repeat(origins[scope], lengths, axis=0)
    pieces_before = np.cumsum([0, *(len(path) for path in nesting.paths)])
    return _without_straights(points, np.concatenate([[0], ends])[pieces_before].astype(np.int64))


def _pool(frames: list[Frame]) -> tuple[Floats, Ints, Ints, Ints]:
    """The routes of all distinct levels in one array: points; for each scope its first point and its first route;
    and for each route where its points begin, counted from the level's first, with one more entry at a level's end.
    """
    place: dict[int, tuple[int, int]] = {}
    points: list[Floats] = []
    starts: list[Ints] = []
    point_count = start_count = 0
    for frame in frames:
        content = frame.content
        if id(content) not in place:
            place[id(content)] = point_count, start_count
            points.append(content.points)
            starts.append(content.starts)
            point_count += len(content.points)
            start_count += len(content.starts)
    first = np.array([place[id(frame.content)] for frame in frames], np.int64)
    return np.concatenate(points), first[:, 0], first[:, 1], np.concatenate(starts)


def _without_straights(points: Floats, starts: Ints) -> tuple[Floats, Ints]:
    """The same lines without the points where two pieces of a vertical stretch meet."""
    if len(points) < 3:
        return points, starts
    steady = np.abs(np.diff(points[:, 0])) < SAME_PLACE
    keep = np.ones(len(points), bool)
    keep[1:-1] = ~(steady[:-1] & steady[1:])
    keep[starts[:-1]] = True
    keep[starts[1:] - 1] = True
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return points[keep], kept_before[starts].astype(np.int64)
