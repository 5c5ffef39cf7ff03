"""What holds for every layout, of any view: also with cycles, deep nesting, loose parts."""

import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layout.checks import assert_sound
from tests.layout.view_maker import crowded_views, views
from tests.model.calls import graphs
from tracer.layout import LayoutCache, lay_out
from tracer.model.call_keys import call_keys
from tracer.model.view import Box, View
from tracer.model.view_builder import ViewOptions, build_view, default_open

ROOT = Path(__file__).resolve().parents[2]


@settings(max_examples=150)
@given(views())
def test_any_view_has_a_sound_layout(view: View) -> None:
    layout = lay_out(view)
    assert layout.view is view
    assert_sound(layout)


@settings(max_examples=150)
@given(crowded_views())
def test_a_crowded_view_has_a_sound_layout(view: View) -> None:
    assert_sound(lay_out(view))


@settings(max_examples=60)
@given(views(), views())
def test_a_layout_is_sound_whatever_came_before(before: View, after: View) -> None:
    assert_sound(lay_out(after, lay_out(before)))


@settings(max_examples=40)
@given(crowded_views(), crowded_views())
def test_a_crowded_layout_is_sound_whatever_came_before(before: View, after: View) -> None:
    assert_sound(lay_out(after, lay_out(before)))


@settings(max_examples=40)
@given(st.one_of(views(), crowded_views()))
def test_a_view_has_one_layout(view: View) -> None:
    cache = LayoutCache()
    first, second, third = lay_out(view), lay_out(view, cache=cache), lay_out(view, cache=cache)
    for other in (second, third):
        for name in ("boxes", "groups", "points", "starts"):
            np.testing.assert_array_equal(getattr(first, name), getattr(other, name))
        assert first.size == other.size


def test_a_layout_is_the_same_in_every_process() -> None:
    """Sets of strings have another order in each."""
    code = (
        "from tests.layout.view_maker import crowded_view; from tracer.layout import lay_out\n"
        "layout = lay_out(crowded_view(7)); print(layout.boxes.tolist(), layout.points.tolist())"
    )
    texts = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
        texts.add(done.stdout)
    assert len(texts) == 1
    assert len(texts.pop()) > 10_000


@settings(max_examples=40)
@given(views())
def test_without_cycles_data_flows_downwards(view: View) -> None:
    order = {box.key: index for index, box in enumerate(view.boxes)}
    ungrouped = tuple(Box(box.key, box.kind, box.title, "", None, ()) for box in view.boxes)
    links = tuple(link for link in view.links if order[link.source] < order[link.target])
    layout = lay_out(View(ungrouped, (), links))
    for link in links:
        source, target = layout.boxes[order[link.source]], layout.boxes[order[link.target]]
        assert source[1] + source[3] < target[1]


@settings(max_examples=60)
@given(graphs(), st.data())
def test_calls_without_a_graph_have_a_sound_layout(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    keys = sorted(call_keys(graph))
    opened = frozenset(data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else ())
    before = lay_out(build_view(graph, ViewOptions(default_open(graph))))
    assert_sound(before)
    assert_sound(lay_out(build_view(graph, ViewOptions(opened)), before))
