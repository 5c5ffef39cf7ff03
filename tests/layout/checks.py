"""What a sound layout must satisfy, checked the slow and obvious way."""

from itertools import pairwise

import numpy as np

from tracer.layout import Layout

NEAR = 0.02  # units; far below anything one could see


def assert_boxes_apart(layout: Layout) -> None:
    for rectangles in (layout.boxes, *_siblings(layout)):
        for first in range(len(rectangles)):
            for second in range(first):
                assert not overlap(rectangles[first], rectangles[second]), (rectangles[first], rectangles[second])


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
    frames = {group.key: index for index, group in enumerate(layout.view.groups)}
    parents = [group.parent for group in layout.view.groups]
    boxes = {box.key: index for index, box in enumerate(layout.view.boxes)}
    for number, link in enumerate(layout.view.links):
        line = layout.points[layout.starts[number] : layout.starts[number + 1]]
        own: set[int] = set()
        for end in (link.source, link.target):
            frame = layout.view.boxes[boxes[end]].group
            while frame is not None:
                own.add(frames[frame])
                frame = parents[frames[frame]]
        foreign = [rectangle for index, rectangle in enumerate(layout.groups) if index not in own]
        for rectangle in [*layout.boxes, *foreign]:
            assert not crosses(line, rectangle), (link, rectangle, line)


def overlap(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(
        first[0] + first[2] > second[0] + NEAR
        and second[0] + second[2] > first[0] + NEAR
        and first[1] + first[3] > second[1] + NEAR
        and second[1] + second[3] > first[1] + NEAR
    )


def lies_inside(inner: np.ndarray, outer: np.ndarray) -> bool:
    return bool(
        inner[0] >= outer[0] - NEAR
        and inner[1] >= outer[1] - NEAR
        and inner[0] + inner[2] <= outer[0] + outer[2] + NEAR
        and inner[1] + inner[3] <= outer[1] + outer[3] + NEAR
    )


def crosses(line: np.ndarray, rectangle: np.ndarray) -> bool:
    """Whether a polyline enters the inside of a rectangle (Liang and Barsky's clipping)."""
    x, y, width, height = rectangle
    low, high = np.array([x + NEAR, y + NEAR]), np.array([x + width - NEAR, y + height - NEAR])
    return any(_segment_enters(start, end, low, high) for start, end in pairwise(line))


def _segment_enters(start: np.ndarray, end: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    first, last = 0.0, 1.0
    for axis in (0, 1):
        step = end[axis] - start[axis]
        if step == 0:
            if not low[axis] < start[axis] < high[axis]:
                return False
            continue
        near, far = sorted([(low[axis] - start[axis]) / step, (high[axis] - start[axis]) / step])
        first, last = max(first, near), min(last, far)
    return first < last


def _siblings(layout: Layout) -> list[np.ndarray]:
    """For each frame and the scene, the rectangles directly inside."""
    inside: dict[str | None, list[np.ndarray]] = {}
    for box, rectangle in zip(layout.view.boxes, layout.boxes, strict=True):
        inside.setdefault(box.group, []).append(rectangle)
    for group, rectangle in zip(layout.view.groups, layout.groups, strict=True):
        inside.setdefault(group.parent, []).append(rectangle)
    return [np.array(rectangles) for rectangles in inside.values()]
