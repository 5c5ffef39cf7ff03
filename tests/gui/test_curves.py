"""The curves that are drawn of a layout's edges: they avoid boxes as the edges do."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.canvas.geometry import curves_of, flattened
from tests.layout.checks import NEAR, assert_lines_avoid_boxes
from tests.layout.view_maker import crowded_views, views
from tracer.layout import Layout, lay_out
from tracer.model.view import Box, Link, View

PIECES = 16


@settings(max_examples=80, deadline=None)
@given(st.one_of(views(), crowded_views()))
def test_no_curve_crosses_a_box_or_a_frame_it_does_not_belong_to(view: View) -> None:
    layout = lay_out(view)
    curves = curves_of(layout)
    lines = flattened(curves.control, PIECES).reshape(-1, 4)
    assert_lines_avoid_boxes(layout, lines, np.repeat(curves.link, PIECES))


@settings(max_examples=40, deadline=None)
@given(crowded_views())
def test_no_curve_leaves_the_extent_by_which_it_is_found(view: View) -> None:
    curves = curves_of(lay_out(view))
    lines = flattened(curves.control, PIECES)
    for ends in (lines[:, :, :2], lines[:, :, 2:]):
        assert (ends >= curves.low[:, None] - NEAR).all()
        assert (ends <= curves.high[:, None] + NEAR).all()


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
