"""Which folds feed the next copy of themselves."""

from collections import Counter, defaultdict

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from tests.model.graph_maker import GraphMaker, unrolled
from tests.model.programs import programs
from tests.model.test_fold import ROOT, looped, routed, stacked
from tracer.model.bookkeeping import BOOKKEEPING_OPS
from tracer.model.content import content_of
from tracer.model.fold import Folds
from tracer.model.view_builder import ViewOptions, build_view


def chained(graph: nx.MultiDiGraph, *opened: str) -> set[str]:
    """The keys of the boxes that feed themselves."""
    return {box.key for box in build_view(graph, ViewOptions(ROOT | set(opened))).boxes if box.is_chained}


def test_a_cell_that_gets_its_own_state_is_chained() -> None:
    assert chained(unrolled(5)) == {"cell#1"}


def test_layers_are_chained_and_experts_are_not() -> None:
    assert chained(stacked(*["Block"] * 12)) == {"layers.0#0"}
    graph = routed(6, 8)
    assert chained(graph) == {"layers.0#0"}
    assert chained(graph, "layers.0#0") == set()


def test_of_a_turn_only_what_feeds_itself_is_chained() -> None:
    assert chained(looped(20)) == {"cell#0", "#0/AddBackward0:0"}


def test_a_link_back_within_an_open_copy_tells_it_instead() -> None:
    assert chained(looped(20), "cell#0") == {"#0/AddBackward0:0"}


def test_a_call_in_an_open_copy_that_gets_its_own_state_is_chained() -> None:
    maker = GraphMaker()
    state = maker.op("ZerosBackward0", [], maker.call("", "Net"))
    for turn in range(6):
        wrapper = maker.call("cell", "Wrapper", "#0", turn)
        inner = maker.call("cell.inner", "Cell", wrapper, turn)
        state = maker.op("TanhBackward0", [maker.op("MmBackward0", [state], inner)], inner)
    maker.loss(state)
    assert chained(maker.graph) == {"cell#0"}
    assert chained(maker.graph, "cell#0") == {"cell.inner#0"}


def test_views_between_the_copies_do_not_break_the_chain() -> None:
    maker = GraphMaker()
    state = maker.op("ZerosBackward0", [], maker.call("", "Net"))
    for turn in range(6):
        cell = maker.call("cell", "Cell", "#0", turn)
        state = maker.op("TanhBackward0", [maker.op("MmBackward0", [state], cell)], cell)
        state = maker.op("ViewBackward0", [state], "#0")
    maker.loss(state)
    assert "cell#0" in chained(maker.graph)


def test_pairs_in_which_one_feeds_the_other_are_no_chain() -> None:
    maker = GraphMaker()
    words = maker.op("EmbeddingBackward0", [], maker.call("", "Net"))
    pairs = [maker.op("SliceBackward0", [maker.op("SliceBackward0", [words], "#0")], "#0") for _ in range(4)]
    maker.loss(maker.op("CatBackward0", pairs, "#0"))
    view = build_view(maker.graph, ViewOptions(ROOT))
    assert [box.title for box in view.boxes if box.fold] == ["Slice ×8"]
    assert not any(box.is_chained for box in view.boxes)


def test_without_folds_nothing_is_chained() -> None:
    options = ViewOptions(ROOT, folds_repeats=False)
    assert not any(box.is_chained for box in build_view(looped(20), options).boxes)


@given(programs(), st.data())
def test_what_is_chained_has_a_way_from_one_copy_to_another_past_nothing_that_is_drawn(
    graph: nx.MultiDiGraph, data: st.DataObject
) -> None:
    whole = content_of(graph)
    folds = Folds(graph, whole)
    unfolded = data.draw(st.sets(st.sampled_from(sorted(folds.keys)))) if folds.keys else set()
    content = folds.folded(frozenset(unfolded))
    first_of = dict(content.stand_ins)
    for number, key in enumerate(content.keys):
        first_of |= dict.fromkeys(content.copies_of(number), key)
    parents = {call.key: call.parent for call in whole.calls}
    copies = Counter(first_of.values())
    copies.update(dict.fromkeys(set(content.stand_ins.values()), 1))
    fed: defaultdict[str, set[str]] = defaultdict(set)
    for source, target in _ways(graph):
        for one in _around(graph, parents, source):
            for other in _around(graph, parents, target):
                if one != other and first_of.get(one, one) == first_of.get(other, other):
                    fed[first_of.get(other, other)].add(other)
    assert content.chained == {key for key, receivers in fed.items() if 2 * len(receivers) > copies[key]}


def _around(graph: nx.MultiDiGraph, parents: dict[str, str | None], node: str) -> list[str]:
    """The node, and the calls it lies in."""
    keys, call = [node], graph.nodes[node]["call_key"]
    while call is not None:
        keys.append(call)
        call = parents[call]
    return keys


def _ways(graph: nx.MultiDiGraph) -> set[tuple[str, str]]:
    """From op to op, directly or through bookkeeping ops."""
    is_quiet = {key: node["op"] in BOOKKEEPING_OPS for key, node in graph.nodes(data=True)}
    ways, waiting = (
        set(),
        [(key, key) for key, node in graph.nodes(data=True) if node["kind"] == "op" and not is_quiet[key]],
    )
    seen = set(waiting)
    while waiting:
        source, at = waiting.pop()
        for target in graph.successors(at):
            if not is_quiet[target]:
                ways.add((source, target))
            elif (source, target) not in seen:  # of views on views there are as many paths as there are subsets
                seen.add((source, target))
                waiting.append((source, target))
    return ways
