"""Small steps sideways vanish, and nothing comes too close for it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tracer.layout.alignment import FURTHEST, align
from tracer.layout.layered import Edge, Layered, Pull, make_layered
from tracer.layout.watch import Watch

GAP = 20.0


def layered(layers: list[int], edges: list[tuple[int, int]]) -> Layered:
    return make_layered(
        [10.0] * len(layers),
        [Edge(source, target, 0.0, 0.0, 1.0) for source, target in edges],
        layers,
        [Pull(1.0, 1.0, 1.0)] * len(edges),
    )


def aligned(graph: Layered, xs: list[float], fixed: frozenset[int] = frozenset()) -> list[float]:
    moved = list(xs)
    align(graph, moved, [[GAP] * (len(row) - 1) for row in graph.rows], [n in fixed for n in range(len(xs))], Watch())
    return moved


def test_a_line_with_a_small_step_becomes_straight() -> None:
    graph = layered([0, 1, 2, 3], [(0, 1), (1, 2), (2, 3)])
    assert len(set(aligned(graph, [0.0, 0.0, 5.0, 5.0]))) == 1


def test_a_large_step_stays() -> None:
    graph = layered([0, 1], [(0, 1)])
    assert aligned(graph, [0.0, FURTHEST + 1]) == [0.0, FURTHEST + 1]


def test_what_is_in_the_way_goes_along() -> None:
    graph = layered([0, 1, 1], [(0, 1)])
    assert aligned(graph, [5.0, 0.0, GAP], fixed=frozenset({0})) == [5.0, 5.0, GAP + 5.0]


def test_what_has_to_stay_stays() -> None:
    graph = layered([0, 1, 1], [(0, 1)])
    assert aligned(graph, [5.0, 0.0, GAP], fixed=frozenset({0, 2})) == [5.0, 0.0, GAP]


@given(st.data())
def test_rows_keep_their_order_and_their_gaps(data: st.DataObject) -> None:
    layers = sorted(data.draw(st.lists(st.integers(0, 3), min_size=2, max_size=12)))
    layers = [sorted(set(layers)).index(layer) for layer in layers]
    numbers = range(len(layers))
    pairs = [(a, b) for a in numbers for b in numbers if layers[b] == layers[a] + 1]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    graph, xs = layered(layers, edges), [0.0] * len(layers)
    for row in graph.rows:
        x = data.draw(st.floats(-50, 50))
        for node in row:
            xs[node] = x
            x += GAP + data.draw(st.floats(0, 30))
    moved = aligned(graph, xs)
    for row in graph.rows:
        assert all(moved[b] - moved[a] >= GAP - 1e-3 for a, b in pairwise(row))
