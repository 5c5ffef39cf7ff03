"""Views reduced to the surroundings of what is looked at, against networkx's own distances."""

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.graph_maker import everything, perceptron, unrolled
from tracer.layout import lay_out
from tracer.model.focus import BOTH, DIRECTIONS, DOWNSTREAM, MOST_HOPS, UPSTREAM, Focus, focused, focused_on
from tracer.model.view import View
from tracer.model.view_builder import ViewOptions, build_view


def view_of(graph: nx.MultiDiGraph, opened: frozenset[str] | None = None) -> View:
    return build_view(graph, ViewOptions(everything(graph) if opened is None else opened, folds_repeats=False))


def keys(view: View) -> set[str]:
    return {box.key for box in view.boxes}


def as_graph(view: View) -> nx.DiGraph:
    graph = nx.DiGraph([(link.source, link.target) for link in view.links])
    graph.add_nodes_from(box.key for box in view.boxes)
    return graph


@given(st.integers(1, 5), st.booleans(), st.integers(0, 9), st.sampled_from(DIRECTIONS), st.integers(1, 4), st.data())
def test_it_keeps_just_what_is_within_the_hops(
    size: int, is_loop: bool, extra: int, direction: str, hops: int, data: st.DataObject
) -> None:
    graph = unrolled(size) if is_loop else perceptron(size)
    view = view_of(graph, frozenset(data.draw(st.sets(st.sampled_from(sorted(everything(graph)))))))
    start = data.draw(st.sampled_from(sorted(keys(view))))
    drawn = as_graph(view)
    down = nx.single_source_shortest_path_length(drawn, start, hops)
    up = nx.single_source_shortest_path_length(drawn.reverse(), start, hops)
    expected = {UPSTREAM: set(up), DOWNSTREAM: set(down), BOTH: set(up) | set(down)}[direction]
    assert keys(focused(view, [start], hops, direction)) == expected


@given(st.integers(1, 5), st.integers(1, 3), st.data())
def test_what_is_left_is_a_view_that_can_be_laid_out(turns: int, hops: int, data: st.DataObject) -> None:
    view = view_of(unrolled(turns))
    part = focused(view, [data.draw(st.sampled_from(sorted(keys(view))))], hops)
    frames = {group.key for group in part.groups}
    assert {box.group for box in part.boxes} - {None} <= frames
    assert {group.parent for group in part.groups} - {None} <= frames
    assert {box.group for box in part.boxes} | {group.parent for group in part.groups} >= frames
    assert set(part.links) == {link for link in view.links if {link.source, link.target} <= keys(part)}
    assert len(lay_out(part, lay_out(view)).boxes) == len(part.boxes)


def test_a_frame_is_all_that_is_in_it() -> None:
    view = view_of(perceptron(3))
    assert {box.key for box in view.boxes if box.group == "fc1#0"} <= keys(focused(view, ["fc1#0"], 1, UPSTREAM))
    assert keys(focused(view, ["#0"], 2)) == keys(view)


def test_what_is_not_there_leaves_the_view_as_it_is() -> None:
    view = view_of(perceptron(3))
    assert focused(view, ["nothing"], 1) is view


def test_a_focus_in_a_closed_module_is_on_the_module() -> None:
    graph = perceptron(4)
    view = view_of(graph, frozenset({"#0"}))
    part = focused_on(view, graph, Focus("fc1#0/AddmmBackward0:0", 1, DOWNSTREAM))
    assert keys(part) == {"fc1#0", "fc2#0"}


def test_without_a_focus_the_view_is_whole() -> None:
    graph = perceptron(2)
    view = view_of(graph)
    assert focused_on(view, graph, None) is view


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (3, 3), (1000, MOST_HOPS)])
def test_hops_stay_within_reason(asked: int, given: int) -> None:
    assert Focus("loss").with_hops(asked).hops == given
