"""Upstream, downstream and between, against networkx's own answers on random graphs."""

from itertools import chain

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from tests.model.graph_maker import unrolled
from tracer.model.reach import ancestors, between, descendants, reached


@st.composite
def dags(draw: st.DrawFn) -> nx.MultiDiGraph:
    """Edges lead from lower numbers to higher ones, some twice."""
    count = draw(st.integers(1, 9))
    numbers = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(numbers, numbers).filter(lambda pair: pair[0] < pair[1]), max_size=20))
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(pairs)
    return graph


@given(dags(), st.data())
def test_upstream_and_downstream_are_those_of_networkx(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    node = data.draw(st.sampled_from(sorted(graph)))
    assert ancestors(graph, [node]) == nx.ancestors(graph, node)
    assert descendants(graph, [node]) == nx.descendants(graph, node)


@given(dags(), st.data())
def test_of_several_nodes_it_is_the_union_without_them(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    nodes = data.draw(st.sets(st.sampled_from(sorted(graph))))
    every = set(chain.from_iterable(nx.descendants(graph, node) for node in nodes))
    assert descendants(graph, nodes) == every - nodes


@given(dags(), st.data())
def test_between_are_the_nodes_of_all_simple_paths(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    source, target = data.draw(st.tuples(st.sampled_from(sorted(graph)), st.sampled_from(sorted(graph))))
    paths = nx.all_simple_paths(graph, source, target) if source != target else [[source]]
    assert between(graph, [source], [target]) == set(chain.from_iterable(paths))


def test_what_the_graph_lacks_leads_nowhere() -> None:
    graph = unrolled(2)
    assert ancestors(graph, ["nothing"]) == set()
    assert between(graph, ["nothing"], ["loss"]) == set()


def test_a_path_of_twenty_thousand_edges_is_walked() -> None:
    graph = nx.path_graph(20_001, create_using=nx.MultiDiGraph)
    assert len(ancestors(graph, [20_000])) == 20_000
    assert len(between(graph, [0], [20_000])) == 20_001


def test_a_circle_ends() -> None:
    assert reached({1: [2], 2: [1]}, [1]) == {1, 2}
