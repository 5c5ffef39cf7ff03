"""What a sound layout must satisfy, checked the slow and obvious way."""

from itertools import pairwise

import numpy as np

from tracer.layout import Layout

NEAR = 0.02  # units; far below anything one could see


def assert_sound(layout: Layout) -> None:
    assert_boxes_apart(layout)
    assert_everything_in_its_frame(layout)
    assert_edges_end_at_their_boxes(layout)
    assert_edges_avoid_boxes(layout)
    assert_edges_leave_and_enter_frames_once(layout)


def assert_boxes_apart(layout: Layout) -> None:
    for rectangles in (layout.boxes, *_siblings(layout)):
        low, high = rectangles[:, :2], rectangles[:, :2] + rectangles[:, 2:]
        overlaps = ((high[:, None] > low[None] + NEAR) & (high[None] > low[:, None] + NEAR)).all(axis=2)
        assert not overlaps[~np.eye(len(rectangles), dtype=bool)].any(), np.argwhere(overlaps)


def assert_everything_in_its_frame(layout: Layout) -> None:
    frames = {group.key: rectangle for group, rectangle in zip(layout.view.groups, layout.groups, strict=True)}
    scene = np.array([0.0, 0.0, *layout.size])
    for box, rectangle in zip(layout.view.boxes, layout.boxes, strict=True):
        assert lies_inside(rectangle, scene if box.group is None else frames[box.group])
    for group, rectangle in zip(layout.view.groups, layout.groups, strict=True):
        assert lies_inside(rectangle, scene if group.parent is None else frames[group.parent])
    if len(layout.points):
        assert (layout.points >= -NEAR).all()
        assert (layout.points <= np.array(layout.size) + NEAR).all()


def assert_edges_end_at_their_boxes(layout: Layout) -> None:
    rows = {box.key: rectangle for box, rectangle in zip(layout.view.boxes, layout.boxes, strict=True)}
    assert len(layout.starts) == len(layout.view.links) + 1
    for number, link in enumerate(layout.view.links):
        line = layout.points[layout.starts[number] : layout.starts[number + 1]]
        source, target = rows[link.source], rows[link.target]
        assert len(line) >= 2
        assert abs(line[0][1] - (source[1] + source[3])) < NEAR
        assert source[0] <= line[0][0] <= source[0] + source[2]
        assert abs(line[-1][1] - target[1]) < NEAR
        assert target[0] <= line[-1][0] <= target[0] + target[2]


def assert_edges_avoid_boxes(layout: Layout) -> None:
    """No edge touches a box, nor a frame that holds neither of its ends; its own boxes it touches at the ends only."""
    inner = np.ones(len(layout.points), bool)
    inner[layout.starts[1:] - 1] = False
    first = np.flatnonzero(inner)
    link = np.searchsorted(layout.starts, first, side="right") - 1
    assert_lines_avoid_boxes(layout, np.hstack([layout.points[first], layout.points[first + 1]]), link)


def assert_lines_avoid_boxes(layout: Layout, lines: np.ndarray, link: np.ndarray) -> None:
    """The same of straight lines x1, y1, x2, y2 (n, 4), which are what is drawn of the links (n,)."""
    into_boxes = entering(lines, layout.boxes)
    assert not into_boxes.any(), _offenders(layout, link, into_boxes)
    into_frames = entering(lines, layout.groups) & ~_frames_of_ends(layout).any(axis=0)[link]
    assert not into_frames.any(), _offenders(layout, link, into_frames)


def assert_edges_leave_and_enter_frames_once(layout: Layout) -> None:
    """A frame that holds both ends of an edge holds all of it; one that holds one end is left or entered once."""
    holds = _frames_of_ends(layout)
    for number, link in enumerate(layout.view.links):
        line = layout.points[layout.starts[number] : layout.starts[number + 1]]
        for at_source, at_target, frame in zip(*holds[:, number], layout.groups, strict=True):
            if at_source or at_target:
                inside = [at_source, *(_is_in(point, frame) for point in line[1:-1]), at_target]
                changes = sum(before != after for before, after in pairwise(inside))
                assert changes == int(at_source != at_target), (link, frame, line)


def _frames_of_ends(layout: Layout) -> np.ndarray:
    """Whether the frames (columns) hold the source and the target of the links (rows), bool (2, k, m)."""
    frames = {group.key: index for index, group in enumerate(layout.view.groups)}
    frame_of = {box.key: box.group for box in layout.view.boxes}
    holds = np.zeros((2, len(layout.view.links), len(frames)), bool)
    for number, link in enumerate(layout.view.links):
        for side, end in enumerate((link.source, link.target)):
            frame = frame_of[end]
            while frame is not None:
                holds[side, number, frames[frame]] = True
                frame = layout.view.groups[frames[frame]].parent
    return holds


def _offenders(layout: Layout, link: np.ndarray, bad: np.ndarray) -> list[object]:
    return [(layout.view.links[link[line]], which) for line, which in np.argwhere(bad)[:3]]


def _is_in(point: np.ndarray, frame: np.ndarray) -> bool:
    """What is on the border is inside."""
    x, y, width, height = frame
    return bool(x - NEAR <= point[0] <= x + width + NEAR and y - NEAR <= point[1] <= y + height + NEAR)


def lies_inside(inner: np.ndarray, outer: np.ndarray) -> bool:
    return bool(
        inner[0] >= outer[0] - NEAR
        and inner[1] >= outer[1] - NEAR
        and inner[0] + inner[2] <= outer[0] + outer[2] + NEAR
        and inner[1] + inner[3] <= outer[1] + outer[3] + NEAR
    )


def crosses(line: np.ndarray, rectangle: np.ndarray) -> bool:
    """Whether a polyline enters the inside of a rectangle."""
    return bool(entering(np.hstack([line[:-1], line[1:]]), rectangle[None]).any())


def entering(lines: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
    """Which straight lines (n, 4) enter the inside of which rectangles (m, 4), bool (n, m) (Liang and Barsky's
    clipping)."""
    first, last = np.zeros((len(lines), len(rectangles))), np.ones((len(lines), len(rectangles)))
    for axis in (0, 1):
        start, step = lines[:, axis, None], (lines[:, axis + 2] - lines[:, axis])[:, None]
        low = rectangles[None, :, axis] + NEAR - start
        high = rectangles[None, :, axis] + rectangles[None, :, axis + 2] - NEAR - start
        steps = np.where(step == 0, 1.0, step)
        near, far = np.minimum(low / steps, high / steps), np.maximum(low / steps, high / steps)
        beside = (low >= 0) | (high <= 0)
        near = np.where(step == 0, np.where(beside, np.inf, -np.inf), near)
        first, last = np.maximum(first, near), np.minimum(last, np.where(step == 0, np.inf, far))
    return first < last


def _siblings(layout: Layout) -> list[np.ndarray]:
    """For each frame and the scene, the rectangles directly inside."""
    inside: dict[str | None, list[np.ndarray]] = {}
    for box, rectangle in zip(layout.view.boxes, layout.boxes, strict=True):
        inside.setdefault(box.group, []).append(rectangle)
    for group, rectangle in zip(layout.view.groups, layout.groups, strict=True):
        inside.setdefault(group.parent, []).append(rectangle)
    return [np.array(rectangles) for rectangles in inside.values()]
