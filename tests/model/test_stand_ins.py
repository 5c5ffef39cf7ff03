"""What stands for what is not drawn, and what to open until it is."""

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.graph_maker import GraphMaker, everything, perceptron, unrolled
from tracer.model.call_tree import call_tree
from tracer.model.stand_ins import StandIns
from tracer.model.view_builder import ViewOptions, build_view


def nested() -> nx.MultiDiGraph:
    """net > encoder > (a, b), and an op of the net's own."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    encoder = maker.call("encoder", "Encoder", root)
    weight = maker.parameter("encoder.a.weight")
    first = maker.op("AddmmBackward0", [weight], maker.call("encoder.a", "Linear", encoder))
    second = maker.op("ReluBackward0", [first], maker.call("encoder.b", "ReLU", encoder))
    maker.loss(maker.op("MeanBackward0", [second], root))
    return maker.graph


def stand_ins(graph: nx.MultiDiGraph, *opened: str) -> StandIns:
    return StandIns(
        build_view(graph, ViewOptions(frozenset(opened), show_bookkeeping=True, folds_repeats=False)), graph
    )


@pytest.mark.parametrize("key", ["encoder#0", "encoder.a#0", "encoder.a#0/AddmmBackward0:0", "encoder.a.weight"])
def test_a_closed_call_stands_for_all_that_is_in_it(key: str) -> None:
    assert stand_ins(nested(), "#0").of(key) == ("encoder#0",)


def test_an_open_call_stands_for_itself() -> None:
    assert stand_ins(nested(), "#0", "encoder#0").of("encoder#0") == ("encoder#0",)


def test_the_boxes_of_a_frame_are_all_that_are_in_it() -> None:
    boxes = stand_ins(nested(), "#0", "encoder#0").boxes_of("encoder#0")
    assert [box.key for box in boxes] == ["encoder.a#0", "encoder.b#0"]
    assert [box.key for box in stand_ins(nested(), "#0").boxes_of("encoder.a#0")] == ["encoder#0"]


def test_a_parameter_has_a_box_in_every_call_that_uses_it() -> None:
    graph = unrolled(3)
    drawn = stand_ins(graph, *everything(graph)).of("cell.weight")
    assert drawn == ("cell.weight", "cell.weight@cell#1", "cell.weight@cell#2")


def test_the_call_stands_for_a_node_that_is_hidden() -> None:
    graph = nested()
    view = build_view(graph, ViewOptions(everything(graph), show_parameters=False))
    assert StandIns(view, graph).of("encoder.a.weight") == ("encoder.a#0",)


def test_nothing_stands_for_what_the_graph_lacks() -> None:
    assert stand_ins(nested(), "#0").of("decoder#0") == ()
    assert stand_ins(nested(), "#0").to_open("decoder#0") == frozenset()


def test_to_see_a_node_every_call_around_it_is_opened() -> None:
    opened = stand_ins(nested()).to_open("encoder.a#0/AddmmBackward0:0")
    assert opened == {"#0", "encoder#0", "encoder.a#0"}


def test_to_see_a_call_it_stays_closed_itself() -> None:
    assert stand_ins(nested(), "#0").to_open("encoder.a#0") == {"encoder#0"}
    assert stand_ins(nested(), "#0").to_open("encoder#0") == frozenset()


def test_to_see_a_parameter_the_call_that_uses_it_is_opened() -> None:
    assert stand_ins(nested(), "#0").to_open("encoder.a.weight") == {"encoder#0", "encoder.a#0"}


@pytest.mark.parametrize("key", ["fc3#0", "fc3.bias", "fc3#0/AddmmBackward0:0"])
def test_a_closed_fold_stands_for_all_its_copies(key: str) -> None:
    graph = perceptron(5)
    assert StandIns(build_view(graph, ViewOptions(frozenset({"#0"}))), graph).of(key) == ("fc1#0",)


def test_in_an_open_fold_the_copy_drawn_stands_for_the_others() -> None:
    graph = perceptron(5)
    drawn = StandIns(build_view(graph, ViewOptions(everything(graph))), graph)
    assert drawn.of("fc3#0") == ("fc1#0",)
    assert drawn.of("fc3.bias") == ("fc1.bias",)
    assert drawn.to_open("fc3.bias") == drawn.to_open("fc3#0") == frozenset()


def test_to_see_into_a_copy_the_copy_drawn_is_opened() -> None:
    graph = perceptron(5)
    drawn = StandIns(build_view(graph, ViewOptions(frozenset({"#0"}))), graph)
    assert drawn.to_open("fc3#0") == frozenset()
    assert "fc1#0" in drawn.to_open("fc3.bias")


@given(st.sampled_from([nested(), perceptron(), unrolled(3)]), st.data())
def test_opening_what_it_takes_always_shows_it(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    opened = data.draw(st.sets(st.sampled_from(sorted(everything(graph)))))
    key = data.draw(st.sampled_from([*graph, *call_tree(graph)]))
    opened |= stand_ins(graph, *opened).to_open(key)
    assert key in stand_ins(graph, *opened).of(key)
    assert stand_ins(graph, *opened).to_open(key) == frozenset()
