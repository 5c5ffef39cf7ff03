"""The order in which the engine runs a backward, computed from the tape, against that in which nodes really ran."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from torch import nn

from tests.capture.node_hook import skip_where_threads_are_not_told
from tests.capture.oracle import Oracle, check, edge_of
from tests.capture.test_ways import built, ways
from tests.capture.ways import Way
from tracer import Tape, record
from tracer.model.backward_order import backward_order, passes_of, recorded_order

pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
    pytest.mark.filterwarnings(r"ignore:Using `torch.compile\(module\)` when there are global hooks"),
]

THREADS = ("forward_in_a_thread", "forwards_in_many_threads")
"""Sequence numbers count in each thread for itself."""


@dataclass
class Run:
    """One backward: the oracle's numbers of its nodes as they ran, and whether it was told what to reach."""

    has_inputs: bool
    numbers: list[int] = field(default_factory=list)


class Watch(Oracle):
    """Sees each node of the outermost backwards run, by hooks that the recorder knows nothing of."""

    def __init__(self, models: dict[str, nn.Module]) -> None:
        super().__init__(models)
        self.runs: list[Run] = []
        self._handles: list[Any] = []

    def begin_backward(self, roots: list[Any], accumulates: bool, inputs: Sequence[Any] = ()) -> None:
        super().begin_backward(roots, accumulates, inputs)
        if self._depth == 1:
            run = Run(bool(inputs))
            self._handles = [node.register_prehook(self._noting(run, node)) for node in nodes_below(roots)]
            self.runs += [run] if self._handles else []

    def end_backward(self) -> None:
        super().end_backward()
        if not self._depth:
            while self._handles:
                self._handles.pop().remove()

    def _noting(self, run: Run, node: Any) -> Callable[[Any], None]:
        number = self._number(node)
        return lambda _: run.numbers.append(number)


def nodes_below(roots: list[Any]) -> set[Any]:
    seen = {node for node, _ in map(edge_of, roots) if node is not None}
    pending = list(seen)
    while pending:
        fresh = {child for child, _ in pending.pop().next_functions if child is not None} - seen
        seen |= fresh
        pending += fresh
    return seen


@ways
def test_the_computed_order_is_the_one_in_which_the_nodes_ran(way: Way, tmp_path: Path) -> None:
    skip_where_threads_are_not_told(way.name)
    tape, seen = watched(way, tmp_path, "structure")
    for step, runs in enumerate(seen):
        graph = tape.graph(step)
        kinds = [one.kind for one in tape.step(step).passes if one.kind != "forward"]
        told = passes_of(graph)
        assert told and told[-1] < len(runs)
        for number, (ran, has_inputs) in enumerate(runs):
            order = backward_order(graph, number, accumulates=kinds[number] == "backward")
            if number not in told:  # it began where one before it began
                assert way.name == "retain_graph" and not order
            elif str(way) in THREADS:
                assert set(ran) == set(order) and is_topological(graph, order)
            elif has_inputs:  # what does not lead to them did not run; the tape does not know of them
                assert ran == [node for node in order if node in set(ran)]
            else:
                assert ran == list(order)


@ways
def test_the_order_recorded_at_the_level_full_is_the_one_in_which_the_nodes_ran(way: Way, tmp_path: Path) -> None:
    skip_where_threads_are_not_told(way.name)
    tape, seen = watched(way, tmp_path, "full")
    known = 0
    for step, runs in enumerate(seen):
        graph, measured = tape.graph(step), tape.statistics(step)
        assert measured is not None
        kinds = [one.kind for one in tape.step(step).passes if one.kind != "forward"]
        for number, (ran, has_inputs) in enumerate(runs):
            accumulates = kinds[number] == "backward"
            order = backward_order(graph, number, accumulates=accumulates)
            recorded = recorded_order(graph, number, order, measured.nodes)
            if recorded is None:
                ran_before = any(graph.nodes[node]["pass_index"] < number for node in order)
                assert not order or ran_before or "compiled" in str(way) or str(way) in THREADS
                continue
            known += 1
            ops = [node for node in recorded if graph.nodes[node]["kind"] == "op"]
            assert ops == [node for node in ran if graph.nodes[node]["kind"] == "op"]
            if not has_inputs:
                assert list(recorded) == ran
    assert known or "compiled" in str(way) or str(way) in THREADS


def watched(way: Way, folder: Path, level: str) -> tuple[Tape, list[list[tuple[list[str], bool]]]]:
    """The recorded way, and for each step and pass the keys in the order in which they ran."""
    built_of, runs_of = [], []
    with built(way) as training:
        watch = Watch(training.models)
        with watch.watch(), record(folder / "run.tape", strict=True, level=level):
            for step in range(way.n_steps):
                training.step(step)
                built_of.append(watch.take())
                runs, watch.runs = watch.runs, []
                runs_of.append(runs)
    tape = Tape(folder / "run.tape")
    found = []
    for step, (what, runs) in enumerate(zip(built_of, runs_of, strict=True)):
        keys = check(tape.graph(step), what)
        found.append([([keys[number] for number in run.numbers], run.has_inputs) for run in runs])
    return tape, found


def is_topological(graph: nx.MultiDiGraph, order: Sequence[str]) -> bool:
    """Whether nothing runs before what it waits for."""
    place = {node: at for at, node in enumerate(order)}
    return all(place[target] < place[source] for source, target in graph.subgraph(order).edges())
