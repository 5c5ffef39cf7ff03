"""Where in a layout's arrays a key stands."""

from gui.canvas.geometry import Area
from tracer.layout.result import Layout


def box_row(layout: Layout, key: str) -> int:
    """The row of a box, -1 where the layout has none of that key."""
    return next((row for row, box in enumerate(layout.view.boxes) if box.key == key), -1)


def group_row(layout: Layout, key: str) -> int:
    """The row of a group, -1 where the layout has none of that key."""
    return next((row for row, group in enumerate(layout.view.groups) if group.key == key), -1)


def rect_of(layout: Layout, key: str) -> Area | None:
    """The rectangle of a box or group; None for a key that is neither."""
    row = box_row(layout, key)
    if row >= 0:
        return _as_area(layout.boxes[row].tolist())
    row = group_row(layout, key)
    return _as_area(layout.groups[row].tolist()) if row >= 0 else None


def start_point(layout: Layout) -> tuple[float, float] | None:
    """Where reading begins: above the first op, as high as what flows into it. Calls beside the graph that made none
    count only where there is nothing else."""
    boxes = layout.view.boxes
    if not boxes:
        return None
    rows = [row for row, box in enumerate(boxes) if box.members] or list(range(len(boxes)))
    ops = [row for row in rows if boxes[row].kind != "parameter"] or rows
    centers = layout.boxes[:, :2] + layout.boxes[:, 2:] / 2
    first = min(ops, key=lambda row: float(layout.boxes[row, 1]))
    top = min(rows, key=lambda row: float(layout.boxes[row, 1]))
    return float(centers[first, 0]), float(centers[top, 1])


def end_row(layout: Layout) -> int:
    """The box where reading begins: the last output, the loss; the last box where there is no output; -1 for none."""
    outputs = [row for row, box in enumerate(layout.view.boxes) if box.kind == "output"]
    return outputs[-1] if outputs else len(layout.view.boxes) - 1


def _as_area(row: list[float]) -> Area:
    x, y, width, height = row
    return x, y, width, height
