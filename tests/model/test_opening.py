import networkx as nx
import pytest
from hypothesis import given

from tests.model.graph_maker import GraphMaker, everything, unrolled
from tests.model.programs import programs
from tracer.model.call_tree import call_tree
from tracer.model.opening import (
    FEW_BOXES,
    MOST_BOXES,
    default_open,
    opened_below,
    opened_further,
    opened_to_depth,
)
from tracer.model.union import Union
from tracer.model.view_builder import ViewOptions, build_view


def tower(*widths: int) -> nx.MultiDiGraph:
    """A model of stages with so many blocks each, of five different ops; no block is like another."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    above = [maker.op("EmbeddingBackward0", [maker.parameter("words")], root)]
    for stage, width in enumerate(widths):
        around = maker.call(f"stage{stage}", "Stage", root)
        for block in range(width):
            call = maker.call(f"stage{stage}.block{block}", "Block", around)
            weight = maker.parameter(f"stage{stage}.block{block}.weight", (stage + 1, block + 1))
            for op in ("Mm", "Relu", "Mul", "Add", "Sum"):
                above = [maker.op(f"{op}Backward0", [*above, weight] if op == "Mm" else above, call)]
    maker.loss(above[0])
    return maker.graph


def boxes_at_first(graph: nx.MultiDiGraph) -> int:
    return len(build_view(graph, ViewOptions(default_open(graph))).boxes)


@pytest.mark.parametrize(
    "widths", [(3, 3), (2, 4, 8), (30, 30), (70, 70), (200, 4), (140, 140), (1, 1, 1, 40), (5,) * 12, (9,) * 60]
)
def test_a_first_drawing_has_neither_few_boxes_nor_many(widths: tuple[int, ...]) -> None:
    assert FEW_BOXES <= boxes_at_first(tower(*widths)) <= MOST_BOXES


def test_of_a_level_with_too_many_boxes_only_some_calls_are_open() -> None:
    """All stages would be 280 boxes and none four."""
    assert default_open(tower(140, 140)) == {"#0", "stage0#0"}
    assert default_open(tower(200, 40, 4)) == {"#0", "stage1#0", "stage2#0"}


def test_a_model_within_wrappers_is_opened_through_them() -> None:
    maker = GraphMaker()
    outer = maker.call("", "Parallel")
    inner = maker.call("module", "Compiled", outer)
    model = maker.call("module.model", "Net", inner)
    maker.op("AddBackward0", [maker.op("MmBackward0", call=model)], model)
    assert default_open(maker.graph) == {"#0", "module#0", "module.model#0"}


def test_a_fold_is_opened_like_a_single_call() -> None:
    assert "cell#1" in default_open(unrolled(200))


def test_what_is_open_stays_so_while_the_graph_grows() -> None:
    """From six blocks a stage on they would be closed, had they not been open before."""
    union, opened = Union(), None
    for width in range(5, 12):
        union.add(tower(width, width), str(width))
        opened = default_open(union.graph, before=opened)
        assert opened == everything(union.graph)
    assert default_open(union.graph) == {"#0", "stage0#0", "stage1#0"}


def test_calls_that_come_beside_open_ones_of_their_kind_are_open_too() -> None:
    before = default_open(tower(3, 3))
    assert "stage0.block2#0" in before
    grown = default_open(tower(3, 4), before=before)
    assert grown == before | {"stage1.block3#0"}


def test_what_is_open_is_chosen_anew_once_it_draws_too_many_boxes() -> None:
    graph = tower(30, 30)
    assert default_open(graph, before=everything(graph)) == default_open(graph)
    assert default_open(graph, before=frozenset()) == default_open(graph)


@given(programs())
def test_no_call_is_opened_to_show_a_single_box(graph: nx.MultiDiGraph) -> None:
    opened = default_open(graph)
    view = build_view(graph, ViewOptions(opened))
    parents = [box.group for box in view.boxes] + [group.parent for group in view.groups]
    for group in view.groups:
        is_outermost = group.parent is None
        holds_a_frame = any(other.parent == group.key for other in view.groups)
        assert parents.count(group.key) > 1 or holds_a_frame or is_outermost
    assert len(view.boxes) <= MOST_BOXES or opened == {"#0"}


@given(programs())
def test_a_first_drawing_is_the_same_each_time_and_full_if_there_is_little(graph: nx.MultiDiGraph) -> None:
    opened = default_open(graph)
    assert default_open(graph.copy()) == opened
    assert default_open(graph, before=opened) == opened
    everything_open = len(build_view(graph, ViewOptions(everything(graph))).boxes)
    if everything_open <= FEW_BOXES:
        assert boxes_at_first(graph) == everything_open


def perceptron(layers: int) -> nx.MultiDiGraph:
    """A block with two layers of one op each, so many times; no two are alike."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    above = maker.op("EmbeddingBackward0", [maker.parameter("words")], root)
    for number in range(layers):
        block = maker.call(f"block{number}", "Block", root)
        for name in ("up", "down"):
            layer = maker.call(f"block{number}.{name}", "Linear", block)
            weight = maker.parameter(f"block{number}.{name}.weight", (number + 1, len(name)))
            above = maker.op("MmBackward0", [above, weight], layer)
    maker.loss(above)
    return maker.graph


def test_layers_with_a_single_op_are_opened_only_where_there_is_little_else() -> None:
    layers = {f"block{block}.{name}#0" for block in range(12) for name in ("up", "down")}
    assert default_open(perceptron(12)).isdisjoint(layers)
    assert default_open(perceptron(4)) >= {key for key in layers if key in everything(perceptron(4))}


def test_calls_are_opened_to_a_depth() -> None:
    calls = call_tree(tower(2, 1))
    assert opened_to_depth(calls, 0) == frozenset()
    assert opened_to_depth(calls, 1) == {"#0"}
    assert opened_to_depth(calls, 2) == {"#0", "stage0#0", "stage1#0"}
    assert opened_to_depth(calls, 6) == calls.keys()


def test_a_call_is_opened_with_all_that_is_in_it() -> None:
    calls = call_tree(tower(2, 1))
    assert opened_below(calls, "stage0#0") == {"stage0#0", "stage0.block0#0", "stage0.block1#0"}
    assert opened_below(calls, "gone#0") == frozenset()


def test_a_call_is_opened_one_level_further() -> None:
    calls = call_tree(tower(2, 1))
    assert opened_further(calls, frozenset(), "stage0#0") == {"stage0#0"}
    assert opened_further(calls, {"stage0#0"}, "stage0#0") == {"stage0.block0#0", "stage0.block1#0"}
    assert opened_further(calls, {"#0", "stage0#0"}, "#0") == {"stage0.block0#0", "stage0.block1#0", "stage1#0"}
    assert opened_further(calls, calls.keys(), "#0") == frozenset()
