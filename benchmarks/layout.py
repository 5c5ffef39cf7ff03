"""Milliseconds from a graph to a drawing's positions, beside a bare topological sort of the same graph.

    python -m benchmarks.layout

The graphs are real: torchvision models and an unrolled LSTMCell, walked here, independently of the capture.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import networkx as nx
import torch
import torchvision
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from tracer.layout import lay_out
from tracer.model.view_builder import ViewOptions, build_view, default_open

REPEATS = 5
LEAF_NUMBER = 2**63  # an AccumulateGrad's sequence number lies above, an op's below


class UnrolledCell(torch.nn.Module):
    """An LSTMCell stepped in Python, as in a text classifier."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns
        self.cell = torch.nn.LSTMCell(8, 16)
        self.head = torch.nn.Linear(16, 4)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        state = None
        for turn in range(self.turns):
            state = self.cell(words[:, turn], state)
        assert state is not None
        result: torch.Tensor = self.head(state[0])
        return result


@contextmanager
def _recorded_calls(model: torch.nn.Module) -> Iterator[list[dict[str, Any]]]:
    """The calls of a forward pass; each notes the sequence numbers at its entry and exit."""
    names = {module: name for name, module in model.named_modules()}
    calls: list[dict[str, Any]] = []
    stack: list[int] = []

    def enter(module: torch.nn.Module, _: Any) -> None:
        path = names[module]
        number = sum(call["path"] == path for call in calls)
        parent = stack[-1] if stack else None
        stack.append(len(calls))
        calls.append({"path": path, "class": type(module).__name__, "call": number, "key": f"{path}#{number}"})
        calls[-1].update(parent=parent, training=True, grad_enabled=True, first=torch._C._autograd._get_sequence_nr())

    def leave(_: torch.nn.Module, __: Any, ___: Any) -> None:
        calls[stack.pop()]["last"] = torch._C._autograd._get_sequence_nr()

    handles = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def step_graph(model: torch.nn.Module, *inputs: torch.Tensor) -> nx.MultiDiGraph:
    """A step's graph as `Tape.graph` gives it; the loss is the mean of the output's squares."""
    with _recorded_calls(model) as calls:
        loss = model(*inputs).square().mean()
    nodes, edges = _walk(loss.grad_fn)
    parameters = {id(parameter): name for name, parameter in model.named_parameters()}
    graph = nx.MultiDiGraph(module_calls=calls, unreached=[])
    keys: dict[Any, str] = {}
    counts: dict[str, int] = {}
    for node in sorted(nodes, key=lambda node: node._sequence_nr()):
        keys[node] = _add_node(graph, node, calls, parameters, counts)
    graph.add_node("loss", kind="output", op="", call_key=None, shapes=[[]], parameter=None)
    graph.add_edge(keys[loss.grad_fn], "loss", output_nr=0, input_nr=0)
    for source, target, output_nr, input_nr in edges:
        graph.add_edge(keys[source], keys[target], output_nr=output_nr, input_nr=input_nr)
    return graph


def _add_node(
    graph: nx.MultiDiGraph, node: Any, calls: list[dict[str, Any]], parameters: dict[int, str], counts: dict[str, int]
) -> str:
    number = node._sequence_nr()
    if number >= LEAF_NUMBER:
        key = parameters[id(node.variable)]
        shapes = [list(node.variable.shape)]
        graph.add_node(key, kind="parameter", op=node.name(), call_key=None, shapes=shapes, parameter=key)
        return key
    inside = [call for call in calls if call["first"] <= number < call["last"]]
    call_key = inside[-1]["key"] if inside else None
    stem = f"{call_key}/{node.name()}" if call_key else node.name()
    counts[stem] = counts.get(stem, -1) + 1
    key = f"{stem}:{counts[stem]}"
    shapes = [list(metadata.shape) for metadata in node._input_metadata]
    graph.add_node(key, kind="op", op=node.name(), call_key=call_key, shapes=shapes, parameter=None)
    return key


def _walk(root: Any) -> tuple[list[Any], list[tuple[Any, Any, int, int]]]:
    nodes, edges = [root], []
    seen = {root}
    for node in nodes:  # grows while it is read
        for input_nr, (source, output_nr) in enumerate(node.next_functions):
            if source is not None:
                edges.append((source, node, output_nr, input_nr))
                if source not in seen:
                    seen.add(source)
                    nodes.append(source)
    return nodes, edges


def graphs() -> dict[str, nx.MultiDiGraph]:
    images = torch.randn(2, 3, 224, 224)
    return {
        "resnet18": step_graph(torchvision.models.resnet18(), images),
        "vit_b_16": step_graph(torchvision.models.vit_b_16(), images),
        "densenet121": step_graph(torchvision.models.densenet121(), images),
        "LSTMCell ×100": step_graph(UnrolledCell(100), torch.randn(2, 100, 8)),
    }


def fastest_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times) * 1000


def report(name: str, graph: nx.MultiDiGraph) -> None:
    floor = fastest_ms(lambda: list(nx.topological_sort(graph)))
    print(f"{name}: {len(graph)} nodes, {graph.number_of_edges()} edges; topological sort {floor:.1f} ms")
    everything = frozenset(call["key"] for call in graph.graph["module_calls"])
    for what, open_groups in (("default", default_open(graph)), ("expanded", everything)):
        options = ViewOptions(open_groups, show_bookkeeping=what == "expanded")
        view = build_view(graph, options)
        building = fastest_ms(partial(build_view, graph, options))
        placing = fastest_ms(partial(lay_out, view))
        width, height = lay_out(view).size
        print(
            f"  {what:9} {len(view.boxes):5} boxes {len(view.links):5} links   view {building:7.1f} ms   "
            f"layout {placing:7.1f} ms = {placing / floor:5.1f} × the sort   {width:.0f} × {height:.0f}"
        )


def main() -> None:
    for name, graph in graphs().items():
        report(name, graph)


if __name__ == "__main__":
    main()
