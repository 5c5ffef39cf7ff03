"""Which numbers of edges a drawing of folds still has to say."""

import networkx as nx

from gui.canvas.fit import fit
from tests.model.test_fold import ROOT, looped, routed
from tracer.layout import lay_out
from tracer.model.view_builder import ViewOptions, build_view


def counts(graph: nx.MultiDiGraph, *opened: str) -> dict[tuple[str, str], int]:
    layout = lay_out(build_view(graph, ViewOptions(ROOT | set(opened))))
    ends = [(link.source, link.target) for link in layout.view.links]
    return dict(zip(ends, fit(layout, graph).link_counts.tolist(), strict=True))


def test_one_edge_in_each_copy_and_from_each_to_the_next_is_no_news() -> None:
    drawn = counts(looped(20), "cell#0")
    assert drawn["#0/SelectBackward0:0", "cell#0/MmBackward0:0"] == 1
    assert drawn["cell#0/TanhBackward0:0", "cell#0/MmBackward0:0"] == 1


def test_folds_within_folds_have_as_many_edges_as_copies_in_all() -> None:
    drawn = counts(routed(6, 8), "layers.0#0", "layers.0.experts.0#0")
    assert drawn["layers.0#0/SoftmaxBackward0:0", "layers.0.experts.0#0/MmBackward0:0"] == 1
    assert drawn["layers.0.experts.0#0/ReluBackward0:0", "layers.0#0/SumBackward0:0"] == 1


def test_several_edges_from_one_thing_to_each_copy_are_told() -> None:
    graph = looped(20)
    for turn in range(20):
        graph.add_edge(f"#0/SelectBackward0:{turn}", f"cell#{turn}/MmBackward0:0", output_nr=0, input_nr=3)
    assert counts(graph)["#0/SelectBackward0:0", "cell#0"] == 40
