"""The curves that are drawn of a layout's edges: they avoid boxes as the edges do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.canvas.geometry import ARROW_LENGTH, TIP_GAP, curves_of, flattened
from tests.layout.checks import NEAR, assert_lines_avoid_boxes
from tests.layout.view_maker import crowded_views, views
from tracer.layout import Layout, lay_out
from tracer.model.view import Box, Link, View

PIECES = 16


@settings(max_examples=80)
@given(st.one_of(views(), crowded_views()))
def test_no_curve_crosses_a_box_or_a_frame_it_does_not_belong_to(view: View) -> None:
    layout = lay_out(view)
    curves = curves_of(layout)
    lines = flattened(curves.control, PIECES).reshape(-1, 4)
    assert_lines_avoid_boxes(layout, lines, np.repeat(curves.link, PIECES))


@settings(max_examples=40)
@given(crowded_views())
def test_no_curve_leaves_the_extent_by_which_it_is_found(view: View) -> None:
    curves = curves_of(lay_out(view))
    lines = flattened(curves.control, PIECES)
    for ends in (lines[:, :, :2], lines[:, :, 2:]):
        assert (ends >= curves.low[:, None] - NEAR).all()
        assert (ends <= curves.high[:, None] + NEAR).all()


@settings(max_examples=40)
@given(st.one_of(views(), crowded_views()))
def test_every_arrow_head_touches_its_box_and_the_curve_ends_behind_it(view: View) -> None:
    layout = lay_out(view)
    curves = curves_of(layout)
    rows = {box.key: row for row, box in enumerate(layout.view.boxes)}
    last = np.searchsorted(curves.link, np.arange(len(curves.tips)), side="right") - 1
    assert (curves.tips[:, 1] == layout.points[layout.starts[1:] - 1, 1]).all()
    for link, (x, y) in zip(layout.view.links, curves.tips.tolist(), strict=True):
        left, top, width, _ = layout.boxes[rows[link.target]].tolist()
        assert abs(y - top) < NEAR and left <= x <= left + width
    ends = curves.control[last, 3]
    assert (ends[:, 0] == curves.tips[:, 0]).all()
    assert ((ends[:, 1] <= curves.tips[:, 1]) & (ends[:, 1] >= curves.tips[:, 1] - ARROW_LENGTH - NEAR)).all()


@pytest.mark.parametrize("width", [200.0, 60.0, 24.0])
def test_links_enter_a_box_in_the_order_in_which_they_come(width: float) -> None:
    """From far left to far right, one straight from above; in a narrow box closer together."""
    starts = (0.0, 150.0, 300.0, 400.0, 600.0)
    boxes = [Box(f"{number}", "op", "", "", None, ()) for number in range(6)]
    rects = [*((x - 30.0, 0.0, 60.0, 30.0) for x in starts), (300.0 - width / 2, 100.0, width, 30.0)]
    points = [point for x in starts for point in ((x, 30.0), (300.0, 94.0), (300.0, 100.0))]
    view = View(tuple(boxes), (), tuple(Link(f"{number}", "5", 1) for number in (0, 1, 2, 3, 4)))
    layout = Layout(view, np.array(rects), np.zeros((0, 4)), np.array(points), np.arange(0, 16, 3), (700.0, 200.0))
    tips = curves_of(layout).tips[:, 0]
    gaps = np.diff(tips)
    assert tips[2] == 300.0 and np.allclose(gaps, TIP_GAP if width == 200.0 else gaps[0]) and gaps[0] > 0
    assert (np.abs(tips - 300.0) < width / 2).all()


def test_the_curves_of_a_link_meet_without_a_corner() -> None:
    """One runs up beside the others: it turns round by level stretches."""
    layout = _loop()
    curves = curves_of(layout)
    for number in range(len(layout.view.links)):
        control = curves.control[curves.link == number]
        control = control[np.abs(control[:, 3] - control[:, 0]).sum(axis=1) > NEAR]
        assert (control[1:, 0] == control[:-1, 3]).all()
        arriving, leaving = control[:-1, 3] - control[:-1, 2], control[1:, 1] - control[1:, 0]
        turns = arriving[:, 0] * leaving[:, 1] - arriving[:, 1] * leaving[:, 0]
        assert np.abs(turns).max(initial=0.0) < NEAR
        assert ((arriving * leaving).sum(axis=1) > 0).all()


def test_an_edge_against_the_flow_turns_round_on_level_curves() -> None:
    control = curves_of(_loop()).control
    is_level = (np.ptp(control[:, :, 1], axis=1) == 0) & (np.ptp(control[:, :, 0], axis=1) > 0)
    assert is_level.sum() == 2


def _loop() -> Layout:
    boxes = tuple(Box(name, "op", name, "", None, ()) for name in "abcd")
    links = tuple(Link(*ends, 1) for ends in ("ab", "bc", "cd", "cb"))
    return lay_out(View(boxes, (), links))
