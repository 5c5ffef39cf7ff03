import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from tests.model.graph_maker import GraphMaker, perceptron, unrolled
from tracer.model.union import Union, merge_order


def call_keys(graph: nx.MultiDiGraph) -> list[str]:
    return [call["key"] for call in graph.graph["module_calls"]]


def edges(graph: nx.MultiDiGraph) -> set[tuple[str, str, int, int]]:
    return {(a, b, data["output_nr"], data["input_nr"]) for a, b, data in graph.edges(data=True)}


def test_the_union_of_one_graph_is_that_graph() -> None:
    graph, union = perceptron(), Union()
    assert union.add(graph, "a")
    assert list(union.graph) == list(graph)
    assert union.graph.nodes["fc0.weight"] == graph.nodes["fc0.weight"]
    assert edges(union.graph) == edges(graph)
    assert call_keys(union.graph) == call_keys(graph)
    assert len(union) == len(graph)
    assert "loss" in union


def test_the_union_of_one_graph_leaves_it_as_it_is() -> None:
    graph, union = perceptron(), Union()
    before = {name: repr(value) for name, value in graph.graph.items()}
    union.add(graph, "a")
    assert "call_tree" in union.graph.graph
    assert {name: repr(value) for name, value in graph.graph.items()} == before


def test_a_second_graph_joins_the_first_wherever_that_was_asked_for() -> None:
    asked, unasked = Union(), Union()
    for union in (asked, unasked):
        union.add(unrolled(2), "two")
        if union is asked:
            assert len(union.graph) == len(unrolled(2))
        union.add(unrolled(3), "three")
        assert not union.add(unrolled(2), "two")
    assert list(asked.graph) == list(unasked.graph)
    assert edges(asked.graph) == edges(unasked.graph) == edges(unrolled(2)) | edges(unrolled(3))


def test_a_topology_seen_before_changes_nothing() -> None:
    union = Union()
    union.add(unrolled(3), "three")
    graph = union.graph
    assert not union.add(unrolled(3), "three")
    assert not union.add(unrolled(2).subgraph(["cell.weight", "cell.bias"]).copy(), "a part of it")
    assert union.graph is graph
    assert union.topology_ids == {"three", "a part of it"}


def test_a_longer_loop_grows_the_union_after_the_last_call_known() -> None:
    union = Union()
    union.add(unrolled(2), "two")
    assert union.add(unrolled(4), "four")
    assert call_keys(union.graph) == ["#0", "cell#0", "cell#1", "cell#2", "cell#3", "head#0"]
    order = list(union.graph)
    assert order.index("cell#1/TanhBackward0:0") < order.index("cell#2/AddmmBackward0:0")
    assert order.index("cell#3/TanhBackward0:0") < order.index("head#0/AddmmBackward0:0")
    assert edges(union.graph) == edges(unrolled(2)) | edges(unrolled(4))


def test_a_new_edge_between_known_nodes_grows_the_union() -> None:
    union, graph = Union(), perceptron()
    union.add(graph, "a")
    graph = graph.copy()
    graph.add_edge("fc0#0/AddmmBackward0:0", "fc2#0/AddmmBackward0:0", output_nr=0, input_nr=7)
    assert union.add(graph, "b")


def test_a_graph_handed_out_never_changes() -> None:
    union = Union()
    union.add(unrolled(2), "two")
    graph = union.graph
    nodes = list(graph)
    union.add(unrolled(3), "three")
    assert list(graph) == nodes
    assert union.graph is not graph


def test_the_union_of_opposite_orders_is_cyclic_and_keeps_both() -> None:
    union = Union()
    for order in (("a", "b"), ("b", "a")):
        maker = GraphMaker()
        root = maker.call("", "Net")
        first, second = (maker.call(path, "Linear", root) for path in order)
        maker.loss(maker.op("MmBackward0", [maker.op("MmBackward0", call=first)], second))
        union.add(maker.graph, "".join(order))
    assert not nx.is_directed_acyclic_graph(union.graph)
    assert {"a#0/MmBackward0:0", "b#0/MmBackward0:0", "loss"} == set(union.graph)


def test_forward_only_calls_have_keys_of_their_own_and_come_last() -> None:
    maker = GraphMaker()
    maker.call("", "Net", grad_enabled=False)
    root = maker.call("", "Net")
    maker.call("unused", "Dropout", root)
    maker.loss(maker.op("MmBackward0", call=root))
    union = Union()
    union.add(maker.graph, "a")
    assert call_keys(union.graph) == ["#0", "#0~"]


def test_parents_come_first_even_if_the_order_of_calls_differs() -> None:
    union = Union()
    for order in (("a", "b"), ("b", "a")):
        maker = GraphMaker()
        root = maker.call("", "Net")
        for path in order:
            call = maker.call(path, "Block", root)
            inner = maker.call(f"{path}.{order[0]}", "Linear", call)
            maker.op("MmBackward0", call=inner)
        union.add(maker.graph, "".join(order))
    for position, call in enumerate(union.graph.graph["module_calls"]):
        assert call["parent"] is None or call["parent"] < position


def test_unreached_parameters_are_those_no_step_reached() -> None:
    union = Union()
    for name, missing in (("a", ["x", "fc0.weight"]), ("b", ["x"])):
        graph = perceptron() if name == "b" else unrolled(1)
        graph.graph["unreached"] = missing
        union.add(graph, name)
    assert union.graph.graph["unreached"] == ["x"]


@given(st.lists(st.text("abcdef", max_size=1), unique=True), st.lists(st.text("abcdefgh", max_size=1), unique=True))
def test_merging_keeps_the_known_order_and_loses_nothing(known: list[str], incoming: list[str]) -> None:
    merged = merge_order(known, incoming)
    assert sorted(merged) == sorted({*known, *incoming})
    assert [key for key in merged if key in known] == known
