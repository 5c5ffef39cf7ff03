"""What is drawn of calls that made no graph."""

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from tests.model.calls import graph_of, graphs, record
from tracer.model.union import Union
from tracer.model.view import DETACHED, NO_GRAD, OPAQUE, Box, View
from tracer.model.view_builder import ViewOptions, build_view, default_open, with_labels_of


def boxes(view: View) -> dict[str, Box]:
    return {box.key: box for box in view.boxes}


def trained_with_validation(count: int = 5) -> nx.MultiDiGraph:
    records = [record("", grad=False, count=count), record("a", 0, False, count=count), record("b", 0, False, 0, (1,))]
    return graph_of([*records, record(""), record("a", 3), record("aux", 3), record("aux.fc", 5)], "a#0")


def test_a_pass_is_one_closed_box_beside_an_open_graph() -> None:
    graph = trained_with_validation()
    view = build_view(graph, ViewOptions(default_open(graph)))
    assert [group.key for group in view.groups] == ["#0"]
    drawn = boxes(view)
    assert (drawn["#0~"].subtitle, drawn["#0~"].trait, drawn["#0~"].group) == ("Net · no grad ×5", NO_GRAD, None)
    assert (drawn["aux#0"].subtitle, drawn["aux#0"].trait, drawn["aux#0"].group) == ("Aux · detached", DETACHED, "#0")
    assert view.boxes[0].key == "#0~"
    assert all(drawn[key].can_open for key in ("#0~", "aux#0"))


def test_an_open_pass_shows_its_calls_and_says_once_why_they_made_no_graph() -> None:
    graph = trained_with_validation()
    view = build_view(graph, ViewOptions(frozenset({"#0~", "a#0~"})))
    assert [(group.key, group.title, group.trait) for group in view.groups] == [("#0~", "Net · no grad ×5", NO_GRAD)]
    drawn = boxes(view)
    assert (drawn["a#0~"].group, drawn["a#0~"].subtitle, drawn["a#0~"].can_open) == ("#0~", "A", False)
    assert [(link.source, link.target) for link in view.links] == [("a#0~", "b#0~")]


def test_forward_only_calls_can_be_left_out_and_detached_ones_stay() -> None:
    graph = trained_with_validation()
    view = build_view(graph, ViewOptions(frozenset({"#0"}), show_forward_only=False))
    assert "#0~" not in boxes(view)
    assert boxes(view)["aux#0"].trait == DETACHED


def test_a_pure_inference_opens_like_a_graph_and_cannot_be_left_out() -> None:
    names = [("", None, ()), ("stem", 0, ()), ("body", 0, (1,)), ("body.0", 2, (1,)), ("body.1", 2, (3,))]
    graph = graph_of([record(path, parent, False, fed_by=fed_by) for path, parent, fed_by in names])
    assert default_open(graph) == {"#0~", "body#0~"}
    view = build_view(graph, ViewOptions(default_open(graph), show_forward_only=False))
    assert set(boxes(view)) == {"stem#0~", "body.0#0~", "body.1#0~"}
    assert {(link.source, link.target) for link in view.links} == {("stem#0~", "body.0#0~"), ("body.0#0~", "body.1#0~")}


def test_many_forward_only_calls_do_not_close_the_graph() -> None:
    step = [record(""), *(record(f"layer{number}", 0) for number in range(5))]
    passes = [record(f"eval{number}", grad=False) for number in range(300)]
    keys = [f"layer{number}#0" for number in range(5)]
    assert default_open(graph_of([*step, *passes], *keys)) == default_open(graph_of(step, *keys))


def test_a_call_that_is_live_elsewhere_says_in_this_step_that_it_is_detached() -> None:
    union = Union()
    records = [record("g"), record("g.fc", 0), record("d")]
    learning, detached = graph_of(records, "g.fc#0", "d#0"), graph_of(records, "d#0")
    for number, graph in enumerate((learning, detached)):
        union.add(graph, str(number))
    closed = build_view(union.graph, ViewOptions())
    assert boxes(with_labels_of(closed, learning))["g#0"].subtitle == "G · 1 op"
    shown = boxes(with_labels_of(closed, detached))["g#0"]
    assert (shown.subtitle, shown.trait) == ("detached", DETACHED)
    opened = build_view(union.graph, ViewOptions(frozenset({"g#0"})))
    assert [group.title for group in with_labels_of(opened, detached).groups] == ["g · G · detached"]
    assert with_labels_of(opened, learning).groups == opened.groups


def test_opaque_nodes_are_marked_and_open_where_their_inside_is_known() -> None:
    graph = graph_of([record("")], "#0", "#0", "#0")
    plain, sealed, compiled = graph
    graph.nodes[sealed]["opaque"] = graph.nodes[compiled]["opaque"] = True
    graph.nodes[compiled]["inside"] = nx.MultiDiGraph(title="empty, and still an inside")
    drawn = boxes(build_view(graph, ViewOptions(frozenset({"#0"}))))
    assert [drawn[key].trait for key in (plain, sealed, compiled)] == ["", OPAQUE, OPAQUE]
    assert [drawn[key].can_open for key in (plain, sealed, compiled)] == [False, False, True]


@given(st.lists(graphs(), min_size=1, max_size=3), st.booleans(), st.data())
def test_any_calls_give_a_sound_view(steps: list[nx.MultiDiGraph], shows: bool, data: st.DataObject) -> None:
    union = Union()
    for number, graph in enumerate(steps):
        union.add(graph, str(number))
    every = sorted(call["key"] for call in union.graph.graph["module_calls"])
    opened = frozenset(data.draw(st.lists(st.sampled_from(every), unique=True)) if every else ())
    for options in (ViewOptions(opened, show_forward_only=shows), ViewOptions(default_open(union.graph))):
        view = build_view(union.graph, options)
        keys = [box.key for box in view.boxes] + [group.key for group in view.groups]
        assert len(keys) == len(set(keys))
        frames = [group.key for group in view.groups]
        assert all(group.parent in {None, *frames[:number]} for number, group in enumerate(view.groups))
        assert {box.group for box in view.boxes} <= {None, *frames}
        assert set(frames) <= {box.group for box in view.boxes} | {group.parent for group in view.groups}
        ends = {end for link in view.links for end in (link.source, link.target)}
        assert ends <= {box.key for box in view.boxes}
        assert len({(link.source, link.target) for link in view.links}) == len(view.links)
        assert {node for box in view.boxes for node in box.members} == set(union.graph)
        for graph in steps:
            shown = with_labels_of(view, graph)
            assert [box.key for box in shown.boxes] == [box.key for box in view.boxes]
            assert [group.key for group in shown.groups] == frames
