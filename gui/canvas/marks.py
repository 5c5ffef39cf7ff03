"""What is marked over the picture of the graph: what the mouse points at, what is selected, what was searched for;
and the titles that would be out of sight."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QPainter

from gui.canvas.camera import Camera
from gui.canvas.geometry import Area, Ints
from gui.canvas.highlight import Highlight, paint_highlight
from gui.canvas.hit_testing import Hit
from gui.canvas.overlay import (
    paint_box_outline,
    paint_failure,
    paint_group_outline,
    paint_links,
    paint_pinned_titles,
)
from gui.canvas.renderer import Renderer
from gui.canvas.replay import Replay, paint_replay
from gui.canvas.rows import box_row, group_row


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """`links` are drawn in the selection's colour; `selected_key` is "" for a box or frame that is not in sight;
    `failed` are the boxes and frames where an exception was raised."""

    hover: Hit
    selected_key: str
    links: Ints
    highlight: Highlight | None
    replay: Replay | None = None
    failed: tuple[str, ...] = ()


def paint_marks(painter: QPainter, renderer: Renderer, marks: Marks, area: Area, camera: Camera) -> None:
    """Paint them in pixels of the view; the camera says where that is."""
    layout = renderer.scene.layout
    if marks.highlight is not None and marks.highlight.layout is layout:
        paint_highlight(painter, renderer, marks.highlight, area, camera)
    if marks.replay is not None and marks.replay.layout is layout:
        paint_replay(painter, renderer, marks.replay, area, camera)
    hover = marks.hover
    links = np.union1d(marks.links, [hover.index]) if hover.what == "link" else marks.links
    paint_links(painter, renderer, links, area, camera)
    paint_pinned_titles(painter, renderer, area, camera)
    for key in marks.failed:
        paint_failure(painter, renderer, key, camera)
    if hover.what == "box":
        paint_box_outline(painter, renderer, hover.index, camera, is_selected=False)
    elif hover.what == "group":
        paint_group_outline(painter, renderer, hover.index, camera, is_selected=False)
    row, group = box_row(layout, marks.selected_key), group_row(layout, marks.selected_key)
    if row >= 0:
        paint_box_outline(painter, renderer, row, camera, is_selected=True)
    elif group >= 0:
        paint_group_outline(painter, renderer, group, camera, is_selected=True)
