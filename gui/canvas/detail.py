"""How much is drawn at which zoom."""

from enum import IntEnum

# On-screen height of a typical box, in pixels, below which it is a flat rectangle.
_FLAT_BELOW_PX = 5.0
_SHAPES_FROM_SCALE = 0.32
_TITLES_FROM_SCALE = 0.42
_SUBTITLES_FROM_SCALE = 0.55
# More labels than this in one frame take too long, and nobody can read them.
MAX_LABELS = 1_500


class Detail(IntEnum):
    """Levels of detail, each drawing what the ones before it draw, better."""

    FLAT = 0
    OUTLINES = 1
    SHAPES = 2
    TITLES = 3
    ALL = 4


def detail_at(scale: float, box_height: float, visible_boxes: int, most_labels: float = MAX_LABELS) -> Detail:
    """The level for a zoom, for the typical height of a box in scene units, and for how many boxes are in sight."""
    if scale * box_height < _FLAT_BELOW_PX:
        return Detail.FLAT
    if scale < _SHAPES_FROM_SCALE or visible_boxes > most_labels:
        return Detail.OUTLINES
    if scale < _TITLES_FROM_SCALE:
        return Detail.SHAPES
    return Detail.TITLES if scale < _SUBTITLES_FROM_SCALE else Detail.ALL
