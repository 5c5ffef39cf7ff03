"""What holds for every layout, of any view: also with cycles, deep nesting, loose parts."""

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layout.checks import (
    assert_boxes_apart,
    assert_edges_avoid_boxes,
    assert_edges_end_at_their_boxes,
    assert_everything_in_its_frame,
)
from tests.model.calls import graphs
from tracer.layout import Layout, LayoutCache, lay_out
from tracer.model.call_keys import call_keys
from tracer.model.view import Box, Group, Link, View
from tracer.model.view_builder import ViewOptions, build_view, default_open

KINDS = ("op", "parameter", "input", "output", "module")


@st.composite
def views(draw: st.DrawFn) -> View:
    frames = draw(st.integers(0, 6))
    groups = tuple(
        Group(f"g{index}", "t" * draw(st.integers(0, 30)), None if not index else draw(parent_of(index)))
        for index in range(frames)
    )
    count = draw(st.integers(0, 16))
    boxes = tuple(
        Box(f"b{index}", draw(st.sampled_from(KINDS)), "x" * draw(st.integers(0, 24)), "", draw(parent_of(frames)), ())
        for index in range(count)
    )
    ends = st.tuples(st.integers(0, max(count - 1, 0)), st.integers(0, max(count - 1, 0)))
    pairs = draw(st.lists(ends, max_size=30, unique=True)) if count > 1 else []
    if draw(st.booleans()):
        pairs = list(dict.fromkeys((min(pair), max(pair)) for pair in pairs))
    return View(boxes, groups, tuple(Link(f"b{a}", f"b{b}", 1) for a, b in pairs if a != b))


def parent_of(frames: int) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.integers(0, frames - 1).map("g{}".format)) if frames else st.none()


def assert_sound(layout: Layout) -> None:
    assert_boxes_apart(layout)
    assert_everything_in_its_frame(layout)
    assert_edges_end_at_their_boxes(layout)
    assert_edges_avoid_boxes(layout)


@settings(max_examples=150, deadline=None)
@given(views())
def test_any_view_has_a_sound_layout(view: View) -> None:
    layout = lay_out(view)
    assert layout.view is view
    assert_sound(layout)


@settings(max_examples=60, deadline=None)
@given(views(), views())
def test_a_layout_is_sound_whatever_came_before(before: View, after: View) -> None:
    assert_sound(lay_out(after, lay_out(before)))


@settings(max_examples=40, deadline=None)
@given(views())
def test_a_view_has_one_layout(view: View) -> None:
    cache = LayoutCache()
    first, second, third = lay_out(view), lay_out(view, cache=cache), lay_out(view, cache=cache)
    for other in (second, third):
        for name in ("boxes", "groups", "points", "starts"):
            np.testing.assert_array_equal(getattr(first, name), getattr(other, name))
        assert first.size == other.size


@settings(max_examples=40, deadline=None)
@given(views())
def test_without_cycles_data_flows_downwards(view: View) -> None:
    order = {box.key: index for index, box in enumerate(view.boxes)}
    ungrouped = tuple(Box(box.key, box.kind, box.title, "", None, ()) for box in view.boxes)
    links = tuple(link for link in view.links if order[link.source] < order[link.target])
    layout = lay_out(View(ungrouped, (), links))
    for link in links:
        source, target = layout.boxes[order[link.source]], layout.boxes[order[link.target]]
        assert source[1] + source[3] < target[1]


@settings(max_examples=60, deadline=None)
@given(graphs(), st.data())
def test_calls_without_a_graph_have_a_sound_layout(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    keys = sorted(call_keys(graph))
    opened = frozenset(data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else ())
    before = lay_out(build_view(graph, ViewOptions(default_open(graph))))
    assert_sound(before)
    assert_sound(lay_out(build_view(graph, ViewOptions(opened)), before))
