"""What a search finds, and in which order."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.graph_maker import GraphMaker, unrolled
from tracer.model.matching import Column
from tracer.model.query import parse
from tracer.model.search import SearchIndex


@pytest.fixture(scope="module")
def graph() -> nx.MultiDiGraph:
    """net > encoder > layers.0, layers.1 (each a linear1 and a ReLU), then an op of the net's own."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    encoder = maker.call("encoder", "Encoder", root)
    above: list[str] = []
    for number in range(2):
        layer = maker.call(f"encoder.layers.{number}", "Layer", encoder)
        linear = maker.call(f"encoder.layers.{number}.linear1", "Linear", layer)
        weight = maker.parameter(f"encoder.layers.{number}.linear1.weight", (64, 128))
        above = [maker.op("AddmmBackward0", [weight, *above], linear, (16, 64))]
        above = [maker.op("ReluBackward0", above, maker.call(f"encoder.layers.{number}.act", "ReLU", layer), (16, 64))]
    maker.loss(maker.op("MeanBackward0", above, root, ()))
    return maker.graph


def found(graph: nx.MultiDiGraph, text: str) -> list[str]:
    return list(SearchIndex(graph).find(parse(text)))


@pytest.mark.parametrize("text", ["addmm", "ADDMM", "AddmmBackward0", "op:addmm", "Addm?"])
def test_ops_are_found_by_name_however_it_is_written(graph: nx.MultiDiGraph, text: str) -> None:
    assert found(graph, text) == [f"encoder.layers.{number}.linear1#0/AddmmBackward0:0" for number in range(2)]


@pytest.mark.parametrize("text", ["encoder.layers.1", "layers.1", "layers.1*", "layers.[1-9]", "layers.?"])
def test_a_module_is_found_by_its_path_and_does_not_bring_its_content_along(graph: nx.MultiDiGraph, text: str) -> None:
    expected = ["encoder.layers.1#0"] if text != "layers.?" else ["encoder.layers.0#0", "encoder.layers.1#0"]
    assert found(graph, text) == expected


def test_a_prefix_brings_everything_of_that_kind(graph: nx.MultiDiGraph) -> None:
    assert found(graph, "module:layers.1") == [f"encoder.layers.1{name}#0" for name in ("", ".linear1", ".act")]
    assert found(graph, "param:layers") == [f"encoder.layers.{number}.linear1.weight" for number in range(2)]
    assert found(graph, "op:linear") == []


def test_modules_are_found_by_class(graph: nx.MultiDiGraph) -> None:
    assert found(graph, "linear") == ["encoder.layers.0.linear1#0", "encoder.layers.1.linear1#0"]


def test_parameters_are_found_by_name(graph: nx.MultiDiGraph) -> None:
    weights = [f"encoder.layers.{number}.linear1.weight" for number in range(2)]
    assert found(graph, "weight") == found(graph, "linear1.weight") == found(graph, "*.weight") == weights


@pytest.mark.parametrize("text", ["64×128", "64x128", "64 x 128", "64X128", "shape:64x128", "64x*8", "shape:64x"])
def test_nodes_are_found_by_shape(graph: nx.MultiDiGraph, text: str) -> None:
    assert found(graph, text) == [f"encoder.layers.{number}.linear1.weight" for number in range(2)]


def test_sizes_are_found_from_their_first_digit(graph: nx.MultiDiGraph) -> None:
    assert found(graph, "4x128") == []
    assert len(found(graph, "16x6")) == 4


def test_a_number_alone_is_no_shape(graph: nx.MultiDiGraph) -> None:
    assert found(graph, "128") == []


@pytest.mark.parametrize("text", ["cell#1", "cell #1"])
def test_a_call_is_found_by_its_number(text: str) -> None:
    assert found(unrolled(3), text) == ["cell#1"]


def test_an_op_in_a_module_of_its_name_is_found_through_the_module(graph: nx.MultiDiGraph) -> None:
    assert found(graph, "relu") == ["encoder.layers.0.act#0", "encoder.layers.1.act#0"]
    assert found(graph, "op:relu") == [f"encoder.layers.{number}.act#0/ReluBackward0:0" for number in range(2)]


def test_a_call_comes_right_before_its_first_node(graph: nx.MultiDiGraph) -> None:
    assert found(graph, "e")[:3] == ["#0", "encoder#0", "encoder.layers.0#0"]
    keys = found(graph, "*0*")
    assert keys.index("encoder.layers.0#0") < keys.index("encoder.layers.1.linear1#0/AddmmBackward0:0")


@pytest.mark.parametrize("text", ["", "   ", "op:", "nowhere", "[", "module:[!"])
def test_nothing_is_found_for_nothing_and_for_nonsense(graph: nx.MultiDiGraph, text: str) -> None:
    assert found(graph, text) == []


def layer_key(number: int, name: str) -> str:
    return f"encoder.layers.{number}.{name}"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("op:relu module:layers.1", [layer_key(1, "act#0/ReluBackward0:0")]),
        ("layers.1 op:relu", [layer_key(1, "act#0/ReluBackward0:0")]),
        ("op:relu -layers.1", [layer_key(0, "act#0/ReluBackward0:0")]),
        ("op:relu class:layer", [layer_key(0, "act#0/ReluBackward0:0"), layer_key(1, "act#0/ReluBackward0:0")]),
        ("param:weight module:layers.1", [layer_key(1, "linear1.weight")]),
        ("layers.1 linear", [layer_key(1, "linear1#0")]),
        ("class:linear -module:layers.0", [layer_key(1, "linear1#0")]),
        ("op:mean or class:layer", ["encoder.layers.0#0", "encoder.layers.1#0", "#0/MeanBackward0:0"]),
        ("kind:op -module:encoder", ["#0/MeanBackward0:0"]),
        ("not (op:addmm or op:relu or kind:parameter)", ["#0/MeanBackward0:0", "loss"]),
        ("shape:[16,*] op:relu layers.0", [layer_key(0, "act#0/ReluBackward0:0")]),
        ("shape:[*,128]", [layer_key(0, "linear1.weight"), layer_key(1, "linear1.weight")]),
        ("shape:[64]", []),
        ("shape:[] kind:op", ["#0/MeanBackward0:0"]),
        ('"layers.*"', []),
        ("call:1", []),
        ("op:relu opaque", []),
    ],
)
def test_terms_have_to_meet_somewhere(graph: nx.MultiDiGraph, text: str, keys: list[str]) -> None:
    assert found(graph, text) == keys


def test_a_module_speaks_for_what_is_in_it_unless_only_nodes_are_asked_for(graph: nx.MultiDiGraph) -> None:
    assert found(graph, "module:layers.1") == [f"encoder.layers.1{name}#0" for name in ("", ".linear1", ".act")]
    assert len(found(graph, "module:layers.1 kind:op")) == 2


def test_an_empty_graph_has_nothing_to_find() -> None:
    assert found(nx.MultiDiGraph(module_calls=[]), "a") == []


@given(st.lists(st.text("abAB", max_size=3)), st.text("ab", min_size=1, max_size=2))
def test_a_column_answers_as_each_of_its_texts_would(texts: list[str], part: str) -> None:
    assert Column(texts).where(lambda text: part in text).tolist() == [part in text.lower() for text in texts]
    assert Column(texts).where(lambda text: part in text).dtype == np.bool_
