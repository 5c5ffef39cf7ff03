"""Where things were in the previous layout, so that what stays moves little."""

from collections.abc import Sequence

from tracer.layout.result import Layout
from tracer.model.view import Box

Span = tuple[float, float]  # left side, width


class Homes:
    """The previous places, sideways. Without a previous layout nothing has any."""

    def __init__(self, previous: Layout | None) -> None:
        self._spans: dict[str, Span] = {}  # of boxes and frames: a call keeps its key when it is opened or closed
        self._frames: dict[str | None, float] = {}
        if previous is None:
            return
        self._frames[None] = 0.0
        for box, (x, _, width, _) in zip(previous.view.boxes, previous.boxes.tolist(), strict=True):
            self._spans[box.key] = x, width
        for group, (x, _, width, _) in zip(previous.view.groups, previous.groups.tolist(), strict=True):
            self._spans[group.key] = x, width
            self._frames[group.key] = x

    def centres(self, boxes: Sequence[Box]) -> list[float | None]:
        """`centre` of each box."""
        if not self._spans:
            return [None] * len(boxes)
        return [self.centre(box.key, box.group) for box in boxes]

    def centre(self, key: str, frame: str | None) -> float | None:
        """Centre x of a box or frame, measured from the left side of the frame it lies in; None if either is new."""
        span, left = self._spans.get(key), self._frames.get(frame)
        return None if span is None or left is None else round(span[0] + span[1] / 2 - left, 1)

    def left(self, key: str, frame: str | None) -> float | None:
        """Left side of a frame that was a frame before, measured from that of the frame it lies in."""
        if key not in self._frames or frame not in self._frames:
            return None
        return round(self._frames[key] - self._frames[frame], 1)
