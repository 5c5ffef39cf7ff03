from dataclasses import replace

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.graph_maker import GraphMaker, everything, unrolled
from tests.model.programs import programs
from tracer.model.content import content_of
from tracer.model.fold import Folds
from tracer.model.union import Union
from tracer.model.view import Box, View
from tracer.model.view_builder import ViewOptions, box_of, build_view, with_labels_of

ROOT = frozenset({"#0"})


def stacked(*kinds: str, shape: tuple[int, ...] = (3, 3)) -> nx.MultiDiGraph:
    """Blocks `layers.0`, `layers.1`, … of two linear layers each, their classes as given."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    above = maker.op("EmbeddingBackward0", [maker.parameter("words.weight")], root)
    for number, kind in enumerate(kinds):
        block = maker.call(f"layers.{number}", kind, root)
        for name in ("up", "down"):
            linear = maker.call(f"layers.{number}.{name}", "Linear", block)
            weight = maker.parameter(f"layers.{number}.{name}.weight", shape)
            above = maker.op("MmBackward0", [above, maker.op("TBackward0", [weight], linear)], linear)
    maker.loss(maker.op("NllLossBackward0", [above]))
    return maker.graph


def looped(turns: int) -> nx.MultiDiGraph:
    """A loop that selects, calls a cell and a head, and adds up losses; each turn gets the state of the one before."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    words = maker.op("EmbeddingBackward0", [maker.parameter("words.weight")], root)
    state = total = maker.op("ZerosBackward0", [], root)
    for turn in range(turns):
        word = maker.op("SelectBackward0", [words], root)
        cell, head = maker.call("cell", "Cell", root, turn), maker.call("head", "Linear", root, turn)
        state = maker.op("TanhBackward0", [maker.op("MmBackward0", [word, state], cell)], cell)
        guess = maker.op("AddmmBackward0", [state, maker.parameter("head.weight")], head)
        total = maker.op("AddBackward0", [total, maker.op("NllLossBackward0", [guess], root)], root)
    maker.loss(total)
    return maker.graph


def routed(layers: int, experts: int) -> nx.MultiDiGraph:
    """Layers with experts in each, all fed by the layer's gate."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    above = maker.op("EmbeddingBackward0", [maker.parameter("words.weight")], root)
    for layer in range(layers):
        around = maker.call(f"layers.{layer}", "Layer", root)
        gate = maker.op("SoftmaxBackward0", [above], around)
        outs = []
        for expert in range(experts):
            call = maker.call(f"layers.{layer}.experts.{expert}", "Expert", around)
            weight = maker.parameter(f"layers.{layer}.experts.{expert}.weight")
            outs.append(maker.op("ReluBackward0", [maker.op("MmBackward0", [gate, weight], call)], call))
        above = maker.op("SumBackward0", outs, around)
    maker.loss(above)
    return maker.graph


def fold_keys(graph: nx.MultiDiGraph) -> frozenset[str]:
    return Folds(graph, content_of(graph)).keys


def titles(view: View) -> list[str]:
    return [box.title for box in view.boxes]


def by_key(view: View) -> dict[str, Box]:
    return {box.key: box for box in view.boxes}


def ends(view: View) -> set[tuple[str, str]]:
    return {(link.source, link.target) for link in view.links}


def test_equal_layers_are_one_box_that_names_them_all() -> None:
    view = build_view(stacked(*["Block"] * 12), ViewOptions(ROOT))
    box = by_key(view)["layers.0#0"]
    assert (box.title, box.subtitle) == ("layers.0–11 ×12", "Block · 4 ops")
    assert box.fold == "layers.0#0"
    assert [fold.key for fold in view.folds] == ["layers.0#0"]
    assert len(view.folds[0].anchors) == 12
    assert len(box.anchors) == 12 * 4
    assert len(box.members) == 12 * 6
    assert view.stand_ins["layers.7.up#0"] == "layers.0.up#0"


def test_an_open_copy_stands_for_all_of_them() -> None:
    view = build_view(stacked(*["Block"] * 12), ViewOptions(ROOT | {"layers.0#0", "layers.0.up#0"}))
    assert [(group.title, group.fold) for group in view.groups] == [
        ("Net", ""),
        ("layers.0–11 ×12 · Block", "layers.0#0"),
        ("up · Linear", ""),
    ]
    drawn = by_key(view)
    assert drawn["layers.0.up#0/MmBackward0:0"].members[5] == "layers.5.up#0/MmBackward0:0"
    assert drawn["layers.0.up.weight"].members[11] == "layers.11.up.weight"
    assert drawn["layers.0.down#0"].subtitle == "Linear · 2 ops"
    assert not any(box.fold for box in view.boxes)
    assert ("layers.0.down#0", "layers.0.up#0/MmBackward0:0") in ends(view)


def test_calls_of_one_module_in_a_row_are_named_once() -> None:
    assert "cell ×4" in titles(build_view(unrolled(5), ViewOptions(ROOT)))


def test_layers_that_differ_in_shape_or_class_or_inside_are_not_folded() -> None:
    assert not build_view(stacked("Block", "Norm", "Block", "Norm", "Block"), ViewOptions(ROOT)).folds
    maker = GraphMaker()
    root = maker.call("", "Net")
    for number in range(4):
        call = maker.call(f"convs.{number}", "Conv2d", root)
        maker.op("ConvolutionBackward0", [maker.parameter(f"convs.{number}.weight", (64 * number, 64))], call)
    assert not build_view(maker.graph, ViewOptions(ROOT)).folds


def test_query_key_and_value_are_no_repeat() -> None:
    maker = GraphMaker()
    root = maker.call("", "Attention")
    above = maker.op("EmbeddingBackward0", [], root)
    for name in ("query", "key", "value"):
        maker.op("MmBackward0", [above, maker.parameter(f"{name}.weight")], maker.call(name, "Linear", root))
    assert not build_view(maker.graph, ViewOptions(ROOT)).folds


def test_calls_wired_differently_inside_are_not_folded() -> None:
    maker = GraphMaker()
    root = maker.call("", "Net")
    for number in range(6):
        call = maker.call(f"cells.{number}", "Cell", root)
        first, second = maker.op("MulBackward0", [], call), maker.op("AddBackward0", [], call)
        maker.op("TanhBackward0", [first if number < 3 else second], call)
    view = build_view(maker.graph, ViewOptions(ROOT))
    assert titles(view) == ["cells.0–2 ×3", "cells.3–5 ×3"]


def test_each_thing_a_turn_makes_is_drawn_once_for_all_turns() -> None:
    view = build_view(looped(200), ViewOptions(ROOT))
    turn = {"Select ×200", "cell ×200", "head ×200", "NllLoss ×200", "Add ×200"}
    assert sorted(titles(view)) == sorted({"words.weight", "Embedding", "Zeros", "loss"} | turn)
    assert {box.fold for box in view.boxes} == {"", "#0/SelectBackward0:0"}
    counts = {(link.source, link.target): link.count for link in view.links}
    assert counts["#0/SelectBackward0:0", "cell#0"] == 200
    assert ("cell#0", "cell#0") not in counts


def test_a_loop_over_a_list_of_parameters_has_one_box_for_them() -> None:
    maker = GraphMaker()
    root = maker.call("", "Net")
    above = maker.op("EmbeddingBackward0", [maker.parameter("words")], root)
    for number in range(8):
        above = maker.op("MmBackward0", [above, maker.parameter(f"weights.{number}"), maker.parameter("shared")], root)
    view = build_view(maker.graph, ViewOptions(ROOT))
    assert sorted(titles(view)) == ["Embedding", "Mm ×8", "shared", "weights.0–7 ×8", "words"]
    assert by_key(view)["weights.0"].fold == by_key(view)["#0/MmBackward0:0"].fold


def test_a_parameter_that_something_else_uses_too_stays_itself() -> None:
    graph = stacked(*["Block"] * 4)
    graph.add_edge("layers.2.up.weight", "NllLossBackward0:0", output_nr=0, input_nr=1)
    view = build_view(graph, ViewOptions(ROOT))
    assert by_key(view)["layers.2.up.weight@"].members == ("layers.2.up.weight",)
    assert ("layers.2.up.weight@", "NllLossBackward0:0") in ends(view)
    assert "layers.2.up.weight" in by_key(view)["layers.0#0"].members


def test_folds_lie_within_folds() -> None:
    graph = routed(6, 8)
    view = build_view(graph, ViewOptions(ROOT | {"layers.0#0"}))
    assert "experts.0–7 ×8" in titles(view)
    assert [len(fold.anchors) for fold in view.folds] == [6, 8]
    assert len(by_key(view)["layers.0.experts.0#0"].anchors) == 6 * 8 * 2
    apart = build_view(graph, ViewOptions(ROOT | {"layers.4#0"}, unfolded=frozenset({"layers.0#0"})))
    assert by_key(apart)["layers.4.experts.0#0"].fold == "layers.4.experts.0#0"
    assert titles(apart).count("experts.0–7 ×8") == 1


def test_a_closed_layer_counts_all_ops_of_one_copy_its_folds_included() -> None:
    assert by_key(build_view(routed(6, 8), ViewOptions(ROOT)))["layers.0#0"].subtitle == "Layer · 18 ops"
    assert by_key(build_view(routed(6, 8), ViewOptions()))["#0"].subtitle == "Net · 109 ops"


def test_a_loop_within_a_loop_counts_all_its_turns() -> None:
    maker = GraphMaker()
    root = maker.call("", "Net")
    for outer in range(4):
        for inner in range(3):
            maker.op("MmBackward0", [], maker.call("cell", "Cell", root, 3 * outer + inner))
        maker.op("ReluBackward0", [], maker.call("head", "Head", root, outer))
    view = build_view(maker.graph, ViewOptions(ROOT))
    assert titles(view) == ["cell ×12", "head ×4"]
    apart = build_view(maker.graph, ViewOptions(ROOT, unfolded=frozenset({"cell#0"})))
    assert titles(apart) == ["cell ×3", "head #0", "cell ×3", "head #1", "cell ×3", "head #2", "cell ×3", "head #3"]


def test_a_fold_taken_apart_shows_its_copies_and_knows_them() -> None:
    graph = looped(30)
    key = build_view(graph, ViewOptions(ROOT)).folds[0].key
    apart = build_view(graph, ViewOptions(ROOT, unfolded=frozenset({key})))
    assert titles(apart).count("Select") == 30
    assert apart.folds == ()
    assert apart.apart["cell#17"] == key


def test_nothing_is_folded_on_request() -> None:
    view = build_view(looped(30), ViewOptions(ROOT, folds_repeats=False))
    assert titles(view).count("Select") == 30
    assert view.folds == ()


def test_every_node_of_a_copy_is_owned_by_the_fold() -> None:
    owner = box_of(build_view(looped(200), ViewOptions(ROOT)))
    assert owner["cell#57/TanhBackward0:0"] == "cell#0"
    assert owner["#0/SelectBackward0:199"] == "#0/SelectBackward0:0"


def test_a_fold_says_how_many_copies_a_step_has_and_the_compared_one_had() -> None:
    union = Union()
    for turns in (198, 203):
        union.add(looped(turns), str(turns))
    view = build_view(union.graph, ViewOptions(ROOT | {"cell#0"}))
    fewer, more = looped(198), looped(203)
    assert "head ×198" in titles(with_labels_of(view, fewer))
    assert "head ×203" in titles(with_labels_of(view, more, before=set(more)))
    shown = with_labels_of(view, more, before=set(fewer))
    assert "head ×198 → ×203" in titles(shown)
    assert [group.title for group in shown.groups] == ["Net", "cell ×198 → ×203 · Cell"]
    assert by_key(shown)["head#0"].subtitle == "Linear · 1 op"
    assert "head ×198 → ×0" in titles(with_labels_of(view, nx.MultiDiGraph(), before=set(fewer)))
    assert titles(with_labels_of(view, nx.MultiDiGraph())) == titles(view)


def test_a_grown_loop_keeps_its_fold() -> None:
    union = Union()
    keys = []
    for turns in (5, 9, 7):
        union.add(looped(turns), str(turns))
        keys.append([fold.key for fold in build_view(union.graph, ViewOptions(ROOT)).folds])
    assert keys == [["#0/SelectBackward0:0"]] * 3


def test_calls_nested_as_deep_as_a_path_of_a_graph_can_be() -> None:
    maker = GraphMaker()
    call, above = None, []
    for depth in range(20_000):
        call = maker.call("tree" if depth else "", "Tree", call, depth)
        above = [maker.op("MmBackward0", above, call)]
    maker.loss(above[0])
    assert build_view(maker.graph, ViewOptions()).boxes[0].subtitle == "Tree · 20000 ops"


@given(programs(), st.data())
def test_a_view_with_every_fold_taken_apart_is_that_without_folds(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    opened = data.draw(st.frozensets(st.sampled_from(sorted(everything(graph)))))
    options = ViewOptions(opened, data.draw(st.booleans()), data.draw(st.booleans()))
    plain = build_view(graph, replace(options, folds_repeats=False))
    assert build_view(graph, replace(options, unfolded=fold_keys(graph))) == plain


@given(programs(), st.data())
def test_a_folded_view_stands_for_every_node_and_edge(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    opened = data.draw(st.frozensets(st.sampled_from(sorted(everything(graph)))))
    unfolded = data.draw(st.frozensets(st.sampled_from(sorted(fold_keys(graph)) or ["none"])))
    view = build_view(graph, ViewOptions(opened, show_bookkeeping=True, unfolded=unfolded))
    keys = [box.key for box in view.boxes] + [group.key for group in view.groups]
    assert len(keys) == len(set(keys))
    boxes_of: dict[str, set[str]] = {}
    for box in view.boxes:
        for member in box.members:
            boxes_of.setdefault(member, set()).add(box.key)
    assert boxes_of.keys() == set(graph)
    linked = ends(view)
    for source, target in graph.edges():
        (end,) = boxes_of[target]
        assert any(start == end or (start, end) in linked for start in boxes_of[source])


@given(programs())
def test_copies_have_the_same_ops_inside(graph: nx.MultiDiGraph) -> None:
    view = build_view(graph, ViewOptions(everything(graph), show_bookkeeping=True))
    anchors = {fold.key: fold.anchors for fold in view.folds}
    for box in view.boxes:
        if box.kind == "op":
            assert len({graph.nodes[member]["op"] for member in box.members}) == 1
            if box.fold:
                assert len(box.members) % len(anchors[box.fold]) == 0
        elif box.kind == "parameter":
            assert len({tuple(graph.nodes[member]["shapes"][0]) for member in box.members}) == 1


@pytest.mark.parametrize("turns", [3, 4, 17])
def test_loops_of_any_length_have_one_picture(turns: int) -> None:
    view, other = (build_view(looped(each), ViewOptions(ROOT)) for each in (turns, 200))
    assert ends(view) == ends(other)
    assert [box.key for box in view.boxes] == [box.key for box in other.boxes]
