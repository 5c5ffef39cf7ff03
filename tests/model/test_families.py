import networkx as nx
import pytest

from tests.model.graph_maker import GraphMaker
from tracer.model.union import Union
from tracer.model.view_builder import ViewOptions, build_view, with_labels_of

INSIDE = frozenset({"#0"})


def routed(*experts: int, size: int = 3) -> nx.MultiDiGraph:
    """Experts in their order, each with an op that picks its tokens, one that weighs them and one that adds them up."""
    maker = GraphMaker()
    root = maker.call("", "Mixture")
    words = maker.op("EmbeddingBackward0", [maker.parameter("words")], root)
    total = maker.op("SoftmaxBackward0", [words], root)
    for expert in experts:
        picked = maker.op("IndexBackward0", [words], root)
        call = maker.call(f"experts.{expert}", "Expert", root)
        weight = maker.parameter(f"experts.{expert}.weight", (size, size))
        made = maker.op("MmBackward0", [picked, weight], call)
        total = maker.op("IndexAddBackward0", [total, maker.op("MulBackward0", [made], root)], root)
    maker.loss(total)
    return maker.graph


def united(*graphs: nx.MultiDiGraph) -> nx.MultiDiGraph:
    union = Union()
    for number, graph in enumerate(graphs):
        union.add(graph, str(number))
    return union.graph


def test_experts_that_different_steps_called_are_one_fold_in_order_of_their_numbers() -> None:
    graph = united(routed(1, 3, 5), routed(0, 2, 4), routed(4, 0))
    view = build_view(graph, ViewOptions(INSIDE))
    box = next(box for box in view.boxes if box.kind == "module")
    assert (box.key, box.title, box.fold) == ("experts.0#0", "experts.0–5 ×6", "experts.0#0")
    fold = next(fold for fold in view.folds if fold.key == box.fold)
    assert fold.anchors == tuple(f"experts.{number}#0/MmBackward0:0" for number in range(6))


def test_experts_of_one_step_stay_in_the_turns_of_their_loop() -> None:
    view = build_view(routed(1, 3, 5, 6), ViewOptions(INSIDE))
    turns = [box.title for box in view.boxes if box.fold]
    assert turns == ["Index ×4", "experts.1,3,5,6 ×4", "Mul ×4", "IndexAdd ×4"]


def test_a_family_taken_apart_has_all_its_members() -> None:
    graph = united(routed(1, 3, 5), routed(0, 2, 4))
    whole = build_view(graph, ViewOptions(INSIDE, folds_repeats=False))
    folds = frozenset(fold.key for fold in build_view(graph, ViewOptions(INSIDE)).folds)
    apart = build_view(graph, ViewOptions(INSIDE, unfolded=folds))
    assert {box.key for box in apart.boxes} == {box.key for box in whole.boxes}


@pytest.mark.parametrize("is_list", [True, False], ids=["layers of a list", "one module called again"])
def test_calls_that_lead_to_each_other_or_are_of_one_module_are_no_family(is_list: bool) -> None:
    maker = GraphMaker()
    root = maker.call("", "Net")
    words = above = maker.op("EmbeddingBackward0", [maker.parameter("words")], root)
    ops = ("AddBackward0", "MulBackward0", "SubBackward0", "DivBackward0")
    made = []
    for number, op in enumerate(ops):
        call = maker.call(f"layers.{number}", "Layer", root) if is_list else maker.call("layer", "Layer", root, number)
        inside = maker.op("TanhBackward0", [above if is_list else words], call)
        above = maker.op(op, [inside], root)
        made.append(above)
    maker.loss(maker.op("StackBackward0", made, root))
    view = build_view(maker.graph, ViewOptions(INSIDE))
    assert sum(box.kind == "module" for box in view.boxes) == len(ops)


def test_a_step_says_which_experts_ran() -> None:
    steps = routed(1, 3, 5), routed(0, 2, 4), routed(4, 0)
    view = build_view(united(*steps), ViewOptions(INSIDE))
    titles = []
    for before, step in zip((None, *steps), steps, strict=False):
        labelled = with_labels_of(view, step, before=None if before is None else set(before))
        titles.append(next(box.title for box in labelled.boxes if box.kind == "module"))
    assert titles == ["experts.1,3,5 ×3", "experts.0,2,4 ×3", "experts.0,4 ×3 → ×2"]
