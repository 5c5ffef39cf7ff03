"""The steps of a layout, each against a slow and simple check."""

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from tracer.layout.cycles import feedback_edges
from tracer.layout.layering import assign_layers
from tracer.layout.ordering import count_crossings
from tracer.layout.projection import project
from tracer.layout.watch import Watch

NODES = st.integers(0, 7)
EDGES = st.lists(st.tuples(NODES, NODES), max_size=20)


@given(EDGES)
def test_turning_feedback_edges_round_leaves_no_cycle(edges: list[tuple[int, int]]) -> None:
    feedback = feedback_edges(8, edges)
    graph = nx.DiGraph((b, a) if index in feedback else (a, b) for index, (a, b) in enumerate(edges) if a != b)
    assert nx.is_directed_acyclic_graph(graph)
    if nx.is_directed_acyclic_graph(nx.DiGraph(edges)):
        assert not feedback


@given(EDGES)
def test_every_edge_runs_to_a_later_layer(edges: list[tuple[int, int]]) -> None:
    graph = nx.Graph((min(edge), max(edge)) for edge in edges if edge[0] != edge[1])
    for part in nx.connected_components(graph):
        number = {node: index for index, node in enumerate(sorted(part))}
        inner = [(number[min(edge)], number[max(edge)]) for edge in graph.subgraph(part).edges]
        layers = assign_layers(len(part), inner, range(0), range(0))
        assert min(layers) == 0
        assert set(layers) == set(range(max(layers) + 1))
        assert all(layers[source] < layers[target] for source, target in inner)


def test_sources_stand_right_above_their_use_and_dead_ends_right_below_theirs() -> None:
    chain = [(0, 1), (1, 2), (2, 3)]
    layers = assign_layers(7, [*chain, (4, 3), (0, 5), (6, 5)], range(0), range(0))
    assert layers == [0, 1, 2, 3, 2, 1, 0]


def test_ports_have_the_first_and_the_last_layer() -> None:
    layers = assign_layers(4, [(2, 0), (0, 1), (0, 3)], range(2, 3), range(3, 4))
    assert layers == [1, 2, 0, 3]


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 9), st.floats(0, 20)), min_size=1, max_size=8))
def test_projection_keeps_distances_and_the_weighted_mean(rows: list[tuple[float, float, float]]) -> None:
    wanted, weights, distances = (list(column) for column in zip(*rows, strict=True))
    places = project(wanted, weights, distances[1:])
    assert all(b - a >= gap - 1e-9 for a, b, gap in zip(places, places[1:], distances[1:], strict=False))
    pulls = sum(weight * (place - wish) for place, weight, wish in zip(places, weights, wanted, strict=True))
    assert abs(pulls) < 1e-6


def test_projection_moves_nothing_that_fits() -> None:
    assert project([0.0, 10.0, 30.0], [1.0, 2.0, 3.0], [10.0, 15.0]) == [0.0, 10.0, 30.0]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(5, 9)), max_size=15, unique=True))
def test_crossings_are_counted_right(edges: list[tuple[int, int]]) -> None:
    above: list[list[int]] = [[] for _ in range(10)]
    for source, target in edges:
        above[target].append(source)
    counted = count_crossings([list(range(5)), list(range(5, 10))], above, [0, 1, 2, 3, 4] * 2, Watch())
    assert counted == sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(edges) for c, d in edges[:i])
