import networkx as nx
import pytest

from tests.model.graph_maker import GraphMaker, everything, perceptron, unrolled
from tracer.model.labels import key_label
from tracer.model.union import Union
from tracer.model.view import View
from tracer.model.view_builder import ViewOptions, box_of, build_view, default_open, with_labels_of


def links(view: View) -> dict[tuple[str, str], int]:
    return {(link.source, link.target): link.count for link in view.links}


def test_a_closed_model_is_one_box_beside_the_loss() -> None:
    view = build_view(perceptron(), ViewOptions())
    assert [(box.key, box.kind, box.title, box.subtitle) for box in view.boxes] == [
        ("#0", "module", "Perceptron", "Perceptron · 6 ops"),
        ("NllLossBackward0:0", "op", "NllLoss", "2×3"),
        ("loss", "output", "loss", "scalar"),
    ]
    assert view.groups == ()
    assert links(view) == {("#0", "NllLossBackward0:0"): 1, ("NllLossBackward0:0", "loss"): 1}
    assert set(view.boxes[0].members) == {key for key in perceptron() if key.startswith("fc")}


def test_open_calls_are_frames_around_their_content() -> None:
    view = build_view(perceptron(), ViewOptions(frozenset({"#0", "fc1#0"})))
    assert [(group.key, group.title, group.parent) for group in view.groups] == [
        ("#0", "Perceptron", None),
        ("fc1#0", "fc1 · Linear", "#0"),
    ]
    by_key = {box.key: box for box in view.boxes}
    assert by_key["fc0#0"].group == "#0"
    assert by_key["fc1.weight"].group == "fc1#0"
    assert (by_key["fc1.weight"].title, by_key["fc1.weight"].subtitle) == ("weight", "4×3")
    assert by_key["fc1#0/AddmmBackward0:0"].members == ("fc1#0/AddmmBackward0:0",)


def test_an_open_call_inside_a_closed_one_stays_hidden() -> None:
    assert build_view(perceptron(), ViewOptions(frozenset({"fc1#0"}))) == build_view(perceptron(), ViewOptions())


def test_links_pass_through_hidden_bookkeeping() -> None:
    graph = perceptron()
    hidden = build_view(graph, ViewOptions(everything(graph)))
    assert not any("TBackward0" in box.key for box in hidden.boxes)
    assert links(hidden)["fc0.weight", "fc0#0/AddmmBackward0:0"] == 1
    shown = build_view(graph, ViewOptions(everything(graph), show_bookkeeping=True))
    assert links(shown)["fc0.weight", "fc0#0/TBackward0:0"] == 1
    assert len(shown.boxes) == len(graph)


def test_links_pass_through_chains_and_cycles_of_hidden_ops() -> None:
    maker = GraphMaker()
    first = maker.op("MmBackward0")
    view = maker.op("ViewBackward0", [first])
    turned = maker.op("TBackward0", [view])
    last = maker.op("MulBackward0", [turned, view])
    maker.graph.add_edge(turned, view, output_nr=0, input_nr=0)
    assert links(build_view(maker.graph, ViewOptions())) == {(first, last): 2}


def test_a_call_of_nothing_but_bookkeeping_shows_it_when_opened() -> None:
    maker = GraphMaker()
    root = maker.call("", "Net")
    flatten = maker.call("flatten", "Flatten", root)
    maker.loss(maker.op("ViewBackward0", [maker.op("MmBackward0", call=root)], flatten))
    view = build_view(maker.graph, ViewOptions(frozenset({"#0", "flatten#0"})))
    assert {box.key for box in view.boxes if box.group == "flatten#0"} == {"flatten#0/ViewBackward0:0"}


def test_a_parameter_is_drawn_once_in_every_open_call_that_uses_it() -> None:
    graph = unrolled(3)
    view = build_view(graph, ViewOptions(frozenset({"#0", "cell#0", "cell#2"})))
    drawn = {box.key: box.group for box in view.boxes if "cell.weight" in box.members}
    assert drawn == {"cell.weight": "cell#0", "cell#1": "#0", "cell.weight@cell#2": "cell#2"}
    assert links(view)["cell.weight@cell#2", "cell#2/AddmmBackward0:0"] == 1
    assert box_of(view)["cell.weight"] in drawn


def test_parameters_are_left_out_on_request_but_stay_members() -> None:
    graph = perceptron()
    view = build_view(graph, ViewOptions(frozenset({"#0", "fc1#0"}), show_parameters=False))
    assert not any(box.kind == "parameter" for box in view.boxes)
    assert "fc0.weight" in next(box for box in view.boxes if box.key == "fc0#0").members
    assert "fc1.weight" not in box_of(view)


def test_repeated_calls_bear_their_number() -> None:
    view = build_view(unrolled(2), ViewOptions(frozenset({"#0"})))
    assert [box.title for box in view.boxes if box.kind == "module"] == ["cell #0", "cell #1", "head"]


@pytest.mark.parametrize(
    ("op", "title"),
    [
        ("AddmmBackward0", "Addmm"),
        ("torch::autograd::CopySlices", "CopySlices"),
        ("CppNode<Mine>", "Mine"),
        ("torch::autograd::CppNode<ns::Mine>", "Mine"),
    ],
)
def test_titles_of_ops_are_short(op: str, title: str) -> None:
    maker = GraphMaker()
    maker.op(op)
    assert build_view(maker.graph, ViewOptions()).boxes[0].title == title


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("#0", "Net"),
        ("cell#0", "cell #0"),
        ("head#0", "head"),
        ("head.0#0/AddmmBackward0:2", "head.0 · Addmm #2"),
        ("torch::autograd::CopySlices:0", "CopySlices"),
        ("head.weight", "head.weight"),
        ("loss", "loss"),
    ],
)
def test_keys_have_readable_names(key: str, label: str) -> None:
    assert key_label(key, "Net", {"cell"}) == label


def test_links_and_boxes_agree_whatever_is_open() -> None:
    union = Union()
    for turns in (3, 1, 5):
        union.add(unrolled(turns), str(turns))
    calls = sorted(everything(union.graph))
    for number in range(2 ** len(calls)):
        options = ViewOptions(frozenset(call for bit, call in enumerate(calls) if number >> bit & 1), number % 3 > 0)
        view = build_view(union.graph, options)
        keys = [box.key for box in view.boxes] + [group.key for group in view.groups]
        assert len(keys) == len(set(keys))
        assert {end for link in view.links for end in (link.source, link.target)} <= {box.key for box in view.boxes}
        assert all(link.source != link.target for link in view.links)
        frames = {group.key for group in view.groups}
        assert {box.group for box in view.boxes} <= frames | {None}


def test_a_view_takes_the_shapes_of_one_step() -> None:
    maker = GraphMaker()
    key = maker.op("MmBackward0", shape=(64, 10))
    view = build_view(maker.graph, ViewOptions())
    smaller = GraphMaker()
    smaller.op("MmBackward0", shape=(7, 10))
    assert with_labels_of(view, smaller.graph).boxes[0].subtitle == "7×10"
    assert with_labels_of(view, nx.MultiDiGraph()) == view
    assert view.boxes[0].key == key


def test_a_closed_module_counts_the_ops_of_one_step() -> None:
    union = Union()
    for turns in (1, 4):
        union.add(unrolled(turns), str(turns))
    view = build_view(union.graph, ViewOptions())
    ops = [sum(call is not None for _, call in unrolled(turns).nodes(data="call_key")) for turns in (1, 4)]
    for turns, count in zip((1, 4), ops, strict=True):
        shown = with_labels_of(view, unrolled(turns))
        assert next(box for box in shown.boxes if box.kind == "module").subtitle.endswith(f" · {count} ops")
    assert ops[0] < ops[1]
    assert with_labels_of(view, nx.MultiDiGraph()) == view


def test_small_models_open_all_the_way() -> None:
    assert default_open(perceptron()) == {"#0", "fc0#0", "fc1#0", "fc2#0"}


def test_many_calls_stay_closed_but_the_model_itself_opens() -> None:
    assert default_open(unrolled(200), folds_repeats=False) == {"#0"}


def test_calls_at_the_top_stay_closed_when_they_are_many() -> None:
    maker = GraphMaker()
    for number in range(60):
        call = maker.call("", "LSTMCell", None, number)
        for _ in range(10):
            maker.op("MulBackward0", call=call)
    assert default_open(maker.graph, folds_repeats=False) == frozenset()


def test_a_call_of_one_op_is_not_opened() -> None:
    maker = GraphMaker()
    root = maker.call("", "Net")
    relu = maker.call("relu", "ReLU", root)
    maker.op("ReluBackward0", [maker.op("MmBackward0", call=root)], relu)
    assert default_open(maker.graph) == {"#0"}


def test_nothing_to_open_in_an_empty_graph() -> None:
    assert default_open(nx.MultiDiGraph()) == frozenset()
    assert build_view(nx.MultiDiGraph(), ViewOptions()) == View((), (), ())


def test_a_parameter_drawn_in_a_call_comes_and_goes_with_the_ops_of_that_call() -> None:
    graph = unrolled(3)
    view = build_view(graph, ViewOptions(everything(graph)))
    drawn = [box for box in view.boxes if box.kind == "parameter" and len(box.members) == 1 and "@" in box.key]
    assert drawn
    for box in drawn:
        call = box.key.rpartition("@")[2]
        assert box.lives_with and all(node.startswith(f"{call}/") for node in box.lives_with)


def test_a_closed_call_comes_and_goes_with_its_ops_and_not_with_shared_parameters() -> None:
    graph = unrolled(3)
    view = build_view(graph, ViewOptions(frozenset({"#0"})))
    closed = [box for box in view.boxes if box.kind == "module"]
    assert closed
    assert all(graph.nodes[node]["kind"] == "op" for box in closed for node in box.lives_with)
