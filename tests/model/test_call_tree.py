import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.calls import graph_of, graphs, record
from tracer.model.call_flow import flow_links
from tracer.model.call_keys import call_keys, unmarked
from tracer.model.call_tree import DETACHED, LIVE, NO_GRAD, call_tree
from tracer.model.diff import diff, diff_of_calls
from tracer.model.labels import key_label
from tracer.model.union import Union


def states(graph: nx.MultiDiGraph) -> dict[str, str]:
    return {key: call.state for key, call in call_tree(graph).items()}


# -- keys


def test_calls_of_a_forward_only_pass_are_told_from_those_of_the_graph() -> None:
    records = [record("", grad=False), record("a", 0, grad=False), record(""), record("a", 2)]
    assert call_keys(graph_of(records, "a#0")) == ("#0~", "a#0~", "#0", "a#0")


def test_calls_without_grad_inside_the_graph_are_told_from_those_of_a_pass() -> None:
    records = [record("a", grad=False), record(""), record("a", 1, grad=False), record("a", 1)]
    assert call_keys(graph_of(records, "a#0")) == ("a#0~", "#0", "a#0~~", "a#0")


def test_passes_of_the_same_module_are_numbered() -> None:
    records = [record("", grad=False), record("", grad=False), record("", grad=False)]
    assert call_keys(graph_of(records)) == ("#0~", "#0~2", "#0~3")


def test_a_pass_before_a_step_renames_nothing_in_it() -> None:
    step = [record(""), record("a", 0), record("b", 0)]
    evaluated = [record("", grad=False), record("a", 0, grad=False)]
    both = evaluated + [{**each, "parent": None if each["parent"] is None else each["parent"] + 2} for each in step]
    assert call_keys(graph_of(both, "a#0"))[2:] == call_keys(graph_of(step, "a#0"))


def test_what_grad_is_switched_on_for_inside_a_pass_keeps_its_nodes() -> None:
    """A force field evaluated under no_grad takes a gradient inside."""
    graph = graph_of([record("", grad=False), record("energy", 0, grad=True)], "energy#0")
    assert states(graph) == {"#0~": LIVE, "energy#0": LIVE}


@given(graphs())
def test_keys_are_unique_and_those_of_nodes_stay(graph: nx.MultiDiGraph) -> None:
    keys = call_keys(graph)
    assert len(set(keys)) == len(keys) == len(graph.graph["module_calls"])
    assert {call for _, call in graph.nodes(data="call_key")} <= set(keys)
    for key, each in zip(keys, graph.graph["module_calls"], strict=True):
        assert unmarked(key)[0] == each["key"]


@pytest.mark.parametrize(
    ("key", "label"), [("#0~", "Net (no grad)"), ("a.b#3~2", "a.b #3 (no grad)"), ("we~ird#0", "we~ird")]
)
def test_marked_keys_have_readable_names(key: str, label: str) -> None:
    assert key_label(key, "Net", set()) == label


# -- tree


def test_a_call_that_no_backward_reached_is_detached() -> None:
    records = [record(""), record("a", 0), record("aux", 0), record("aux.fc", 2)]
    assert states(graph_of(records, "a#0")) == {"#0": LIVE, "a#0": LIVE, "aux#0": DETACHED, "aux.fc#0": DETACHED}


def test_a_call_that_may_hand_on_its_input_is_not_said_to_be_detached() -> None:
    records = [record(""), record("a", 0), record("dropout", 0), record("sequential", 0), record("identity", 3)]
    assert states(graph_of(records, "a#0")) == {"#0": LIVE, "a#0": LIVE}
    records = [record("sequential"), record("linear", 0), record("dropout", 0)]
    assert states(graph_of(records)) == {"sequential#0": DETACHED, "linear#0": DETACHED, "dropout#0": DETACHED}


def test_forward_only_calls_come_after_the_graph_with_their_count_and_flow() -> None:
    records = [
        record("", grad=False, count=5),
        record("a", 0, grad=False),
        record("b", 0, grad=False, fed_by=(1,)),
        record(""),
    ]
    calls = call_tree(graph_of(records, "#0"))
    assert list(calls) == ["#0", "#0~", "a#0~", "b#0~"]
    assert (calls["#0~"].state, calls["#0~"].count, calls["b#0~"].fed_by) == (NO_GRAD, 5, ("a#0~",))


def test_equal_calls_without_nodes_are_one_with_a_count() -> None:
    """A policy that is called with grad, and not learned from in this step."""
    records = [each for turn in range(3) for each in (record("policy", call=turn), record("fc", 2 * turn, call=turn))]
    calls = call_tree(graph_of(records))
    assert {key: (call.state, call.count) for key, call in calls.items()} == {
        "policy#0": (DETACHED, 3),
        "fc#0": (DETACHED, 1),
    }


def test_calls_between_which_something_flowed_stay_apart() -> None:
    records = [record("relu", grad=False), record("relu", grad=False, call=1, fed_by=(0,))]
    assert list(call_tree(graph_of(records))) == ["relu#0~", "relu#1~"]


@given(graphs())
def test_any_tree_has_its_parents_first_and_flow_between_its_own(graph: nx.MultiDiGraph) -> None:
    calls = call_tree(graph)
    met: set[str | None] = {None}
    for key, call in calls.items():
        assert call.key == key
        assert call.parent in met
        assert key not in call.fed_by
        assert call.state != LIVE or calls[call.parent].state == LIVE if call.parent else True
        met.add(key)
    named = {call for _, call in graph.nodes(data="call_key")}
    assert named <= {key for key, call in calls.items() if call.state == LIVE}
    total = sum(each["count"] for each in graph.graph["module_calls"])
    assert sum(call.count for call in calls.values()) <= total


# -- flow


def residual() -> nx.MultiDiGraph:
    """A pass over stem, a block whose second half is added to its input, and a head."""
    names = [("", None, ()), ("stem", 0, ()), ("block", 0, (1,)), ("block.a", 2, (1,)), ("block.b", 2, (1, 3))]
    records = [record(path, parent, False, fed_by=fed_by) for path, parent, fed_by in names]
    return graph_of([*records, record("head", 0, False, fed_by=(2,))])


@pytest.mark.parametrize(
    ("frames", "links"),
    [
        ((), set()),
        (("#0~",), {("stem", "block"), ("block", "head")}),
        (
            ("#0~", "block#0~"),
            {("stem", "block.a"), ("stem", "block.b"), ("block.a", "block.b"), ("block.b", "head")},
        ),
    ],
)
def test_flow_is_drawn_between_what_is_closed(frames: tuple[str, ...], links: set[tuple[str, str]]) -> None:
    calls = call_tree(residual())
    closed = {
        key for key, call in calls.items() if key not in frames and (call.parent is None or call.parent in frames)
    }
    drawn = flow_links(calls, closed, set(frames))
    assert {(source.removesuffix("#0~"), target.removesuffix("#0~")) for source, target in drawn} == links


def test_what_flows_out_of_an_open_call_comes_from_its_last_calls() -> None:
    """Branches that are joined without a module leave side by side."""
    records = [record("branches", grad=False), record("l", 0, False), record("r", 0, False)]
    graph = graph_of([*records, record("head", None, False, fed_by=(0,))])
    links = flow_links(call_tree(graph), {"l#0~", "r#0~", "head#0~"}, {"branches#0~"})
    assert set(links) == {("l#0~", "head#0~"), ("r#0~", "head#0~")}


@given(graphs(), st.data())
def test_any_flow_ends_at_boxes_and_never_at_its_start(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    calls = call_tree(graph)
    frames = set(data.draw(st.lists(st.sampled_from(sorted(calls)), unique=True)) if calls else [])
    boxes = set(calls) - frames
    for source, target in flow_links(calls, boxes, frames):
        assert {source, target} <= boxes
        assert source != target


# -- union and diff


def test_a_call_that_ever_made_nodes_is_live_in_the_union() -> None:
    union = Union()
    records = [record(""), record("g", 0), record("d", 0)]
    assert union.add(graph_of(records, "d#0"), "detached")
    assert states(union.graph)["g#0"] == DETACHED
    assert union.add(graph_of(records, "g#0", "d#0"), "learning")
    assert states(union.graph) == {"#0": LIVE, "g#0": LIVE, "d#0": LIVE}
    assert not union.add(graph_of(records, "d#0"), "detached")


def test_a_pass_beside_a_known_graph_grows_the_union_once() -> None:
    union = Union()
    step = [record(""), record("a", 0)]
    union.add(graph_of(step, "a#0"), "same")
    with_pass = [*step, record("", grad=False), record("a", 2, grad=False)]
    assert union.add(graph_of(with_pass, "a#0"), "same")
    assert not union.add(graph_of(with_pass, "a#0"), "same")
    assert not union.add(graph_of(step, "a#0"), "same")
    assert list(call_tree(union.graph)) == ["#0", "a#0", "#0~", "a#0~"]


@given(st.lists(graphs(), max_size=4))
def test_a_union_has_the_calls_of_all_its_graphs(steps: list[nx.MultiDiGraph]) -> None:
    union = Union()
    for number, graph in enumerate(steps):
        union.add(graph, str(number))
    calls = call_tree(union.graph)
    assert call_keys(union.graph) == tuple(calls)
    every = [call_tree(graph) for graph in steps]
    assert set(calls) == {key for tree in every for key in tree}
    for tree in every:
        for key, call in tree.items():
            assert set(call.fed_by) <= set(calls[key].fed_by)
    live = {key for key, call in calls.items() if call.state == LIVE}
    expected = {call for _, call in union.graph.nodes(data="call_key")}
    for key, call in reversed(calls.items()):
        if key in expected and call.parent is not None:
            expected.add(call.parent)
    assert live == expected


def test_a_call_that_is_called_by_another_in_another_step_leaves_no_empty_frame() -> None:
    """A shared module is called at the top, then in a detached call around it."""
    union = Union()
    union.add(graph_of([record("g"), record("fc", 0)]), "detached")
    union.add(graph_of([record("g"), record("fc")], "fc#0"), "at the top")
    assert states(union.graph) == {"g#0": LIVE, "fc#0": LIVE}
    union = Union()
    union.add(graph_of([record("fc")], "fc#0"), "at the top")
    union.add(graph_of([record("g"), record("fc", 0)], "fc#0"), "inside")
    assert states(union.graph) == {"fc#0": LIVE, "g#0": DETACHED}


def test_a_diff_names_the_calls_that_come_and_go() -> None:
    before = graph_of([record(""), record("a", 0)], "a#0")
    after = graph_of([record("", grad=False), record(""), record("a", 1)], "a#0")
    for compared in (diff(before, after), diff_of_calls(before, after)):
        assert (compared.calls_added, compared.calls_removed) == ({"#0~"}, frozenset())
        assert not compared
    assert diff(after, before).calls_removed == {"#0~"}
