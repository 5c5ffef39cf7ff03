"""All lengths of a drawing, in scene units (one pixel at 100 %). Text is estimated: a layout knows no fonts."""

from functools import cache

from tracer.model.view import Box, Group

TITLE_CHAR, SUBTITLE_CHAR = 7.2, 6.0
FRAME_CHAR, FRAME_SIGN = 7.8, 18.0  # a frame's title is bolder, and a triangle stands before it
TEXT_PAD = 12.0  # left and right of a text
HEIGHTS = {"op": 36.0, "parameter": 26.0, "input": 30.0, "output": 36.0, "module": 44.0}
MIN_WIDTH, MAX_WIDTH = 56.0, 240.0
WIDTH_STEP = 8.0  # widths are rounded up to it, so that almost equal calls are laid out once

BOX_GAP = 18.0  # between boxes side by side
EDGE_GAP = 10.0  # between a box and an edge that passes it, or two such edges
EDGE_WIDTH = 2.0
PART_GAP = 36.0  # between parts that no edge connects
LAYER_GAP = 28.0  # between layers, where edges bend
MOST_EXTRA_GAP = 36.0  # added where edges run far sideways
PORT_GAP = 16.0  # between a frame's ports and its content
LOOP_GAP = 8.0  # how far an edge that runs upwards dips below its source, and how round its corners are
ARROW_ROOM = 7.0  # straight, above a box that such an edge comes to

TALL = 80.0  # height of what had better stand abreast: frames, not boxes

FRAME_PAD = 12.0
FRAME_HEAD = 26.0  # room for a frame's title


def box_size(box: Box) -> tuple[float, float]:
    """Width and height of a box."""
    return _box_size(box.kind, _title_length(box.title, box.fold), len(box.subtitle))


@cache
def _box_size(kind: str, title_length: int, subtitle_length: int) -> tuple[float, float]:
    text = max(title_length * TITLE_CHAR, subtitle_length * SUBTITLE_CHAR)
    width = -(-(text + 2 * TEXT_PAD) // WIDTH_STEP) * WIDTH_STEP
    return min(max(width, MIN_WIDTH), MAX_WIDTH), HEIGHTS[kind]


def frame_width(group: Group, content_width: float) -> float:
    """Width of a frame around content of that width; never too narrow for its title."""
    title = min(_title_length(group.title, group.fold) * FRAME_CHAR + FRAME_SIGN + 2 * TEXT_PAD, MAX_WIDTH + FRAME_SIGN)
    return max(content_width + 2 * FRAME_PAD, title)


def _title_length(title: str, fold: str) -> int:
    """A fold has room to say that a step has more or fewer copies than the one before: "cell ×198 → ×203"."""
    copies = title.partition(" ×")[2].partition(" · ")[0]
    return len(title) + (len(f" → ×{copies}") if fold else 0)


def layer_gap(least: float, sideways: float) -> float:
    """Height between two layers whose flattest edge runs `sideways` far: flat edges are hard to follow."""
    return least + min(max(sideways - 60.0, 0.0) * 0.07, MOST_EXTRA_GAP)
