"""The order of a backward on graphs made by hand; that it is the engine's is shown in tests/capture."""

import networkx as nx
import numpy as np

from tracer.model.backward_order import backward_order, passes_of, recorded_order
from tracer.model.statistics import EMPTY, Table


def graph_of(ops: str, edges: str, parameters: str = "", passes: int = 1) -> nx.MultiDiGraph:
    """Ops in the order they were made; `edges` as "ab", data flow; the last op of each pass is its root."""
    graph = nx.MultiDiGraph()
    for at, op in enumerate(ops):
        graph.add_node(op, kind="op", pass_index=min(at * passes // len(ops), passes - 1))
    for parameter in parameters:
        graph.add_node(parameter, kind="parameter", pass_index=0)
    for at in range(passes):
        graph.add_node(f"loss{at}", kind="output", pass_index=at)
    slots: dict[str, int] = {}
    for source, target in edges.split():
        graph.add_edge(source, target, output_nr=0, input_nr=slots.setdefault(target, 0))
        slots[target] += 1
    for at in range(passes):
        graph.add_edge(ops[(at + 1) * len(ops) // passes - 1], f"loss{at}", output_nr=0, input_nr=0)
    return graph


def test_of_two_branches_the_later_made_runs_first() -> None:
    assert backward_order(graph_of("abcd", "ab ac bd cd"), 0) == ("d", "c", "b", "a")
    assert backward_order(graph_of("abcd", "ab bd cd"), 0) == ("d", "c", "b", "a")


def test_a_node_waits_for_every_edge_that_leads_to_it() -> None:
    assert backward_order(graph_of("cabd", "ca cb ad bd cd"), 0) == ("d", "b", "a", "c")
    assert backward_order(graph_of("ab", "ab ab"), 0) == ("b", "a")


def test_a_parameter_accumulates_as_soon_as_its_last_use_has_run() -> None:
    graph = graph_of("abc", "ab bc Wa Wc Vb", parameters="WV")
    assert backward_order(graph, 0) == ("c", "b", "V", "a", "W")
    assert backward_order(graph, 0, accumulates=False) == ("c", "b", "a")


def test_a_second_pass_runs_what_it_shares_with_the_first_again() -> None:
    graph = graph_of("abcd", "ab ac cd Wa", parameters="W", passes=2)
    assert passes_of(graph) == (0, 1)
    assert backward_order(graph, 0) == ("b", "a", "W")
    assert backward_order(graph, 1) == ("d", "c", "a", "W")


def test_a_pass_whose_beginning_is_not_told_has_no_order() -> None:
    graph = graph_of("ab", "ab")
    assert passes_of(graph) == (0,) and backward_order(graph, 1) == ()


def test_a_graph_without_a_backward_has_no_pass() -> None:
    assert passes_of(nx.MultiDiGraph()) == () and backward_order(nx.MultiDiGraph(), 0) == ()


def measured(places: str, run: int = 0) -> Table:
    values = np.array([[run, at] for at in range(len(places))], np.float64).reshape(-1, 2)
    return Table(tuple(places), ("backward_pass", "backward_order"), values)


def test_what_was_seen_to_run_says_in_which_order_and_what_did_not() -> None:
    graph = graph_of("abcd", "ab ac bd cd Wa Vb", parameters="WV")
    order = backward_order(graph, 0)
    assert recorded_order(graph, 0, order, measured("dbca")) == ("d", "b", "V", "c", "a", "W")
    assert recorded_order(graph, 0, order, measured("dc")) == ("d", "c")


def test_without_places_of_this_pass_nothing_is_known_of_how_it_ran() -> None:
    graph = graph_of("abcd", "ab ac cd", passes=2)
    assert recorded_order(graph, 0, backward_order(graph, 0), EMPTY) is None
    assert recorded_order(graph, 0, backward_order(graph, 0), measured("ba", run=1)) is None
    assert recorded_order(graph, 1, backward_order(graph, 1), measured("dc", run=1)) is None
