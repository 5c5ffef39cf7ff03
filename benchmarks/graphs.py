"""Real graphs to lay out: torchvision's models, unrolled cells and deep transformers, walked here, independently of the
capture."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import networkx as nx
import torch
import torchvision
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

LEAF_NUMBER = 2**63  # an AccumulateGrad's sequence number lies above, an op's below

SIDE_PX = 64  # of an image: the graph does not depend on it, but some models ask for more
_SIDES_PX = {"inception_v3": 299, "alexnet": 224, "squeezenet1_0": 224, "squeezenet1_1": 224, "maxvit_t": 224}
_SIDES_PX |= {f"vit_{name}": 224 for name in ("b_16", "b_32", "l_16", "l_32", "h_14")}


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


class _WithoutInitialValues(TorchFunctionMode):
    """Parameters keep whatever their memory holds; the largest models have 600 million to fill."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def classifiers() -> list[str]:
    """The names of all of torchvision's classification models."""
    names: list[str] = torchvision.models.list_models(torchvision.models)
    return names


def classifier_graph(name: str) -> nx.MultiDiGraph:
    """A training step of a torchvision model, auxiliary heads and all."""
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with _WithoutInitialValues():
        model = torchvision.models.get_model(name, weights=None, **extra)
    side = _SIDES_PX.get(name, SIDE_PX)
    return step_graph(model, torch.zeros(2, 3, side, side))


def lstm_graph(turns: int) -> nx.MultiDiGraph:
    return step_graph(UnrolledCell(turns), torch.randn(2, turns, 8))


def transformer_graph(layers: int) -> nx.MultiDiGraph:
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return step_graph(torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False), torch.randn(2, 4, 16))


def step_graph(model: torch.nn.Module, *inputs: torch.Tensor) -> nx.MultiDiGraph:
    """A step's graph as `Tape.graph` gives it; the loss is the mean of the outputs' squares."""
    with _recorded_calls(model) as calls:
        outputs = model(*inputs)
    tensors = [outputs] if isinstance(outputs, torch.Tensor) else [tensor for tensor in outputs if tensor is not None]
    loss = sum(tensor.square().mean() for tensor in tensors)
    assert isinstance(loss, torch.Tensor)
    return graph_of(loss, model, calls)


def graph_of(loss: torch.Tensor, model: torch.nn.Module, calls: list[dict[str, Any]]) -> nx.MultiDiGraph:
    nodes, edges = _walk(loss.grad_fn)
    nodes.sort(key=lambda node: node._sequence_nr())
    parameters = {id(parameter): name for name, parameter in model.named_parameters()}
    graph = nx.MultiDiGraph(module_calls=calls, unreached=[])
    keys: dict[Any, str] = {}
    counts: dict[str, int] = {}
    for node, call_key in zip(nodes, _innermost_calls(nodes, calls), strict=True):
        keys[node] = _add_node(graph, node, call_key, parameters, counts)
    graph.add_node("loss", kind="output", op="", call_key=None, shapes=[[]], parameter=None)
    graph.add_edge(keys[loss.grad_fn], "loss", output_nr=0, input_nr=0)
    for source, target, output_nr, input_nr in edges:
        graph.add_edge(keys[source], keys[target], output_nr=output_nr, input_nr=input_nr)
    return graph


@contextmanager
def _recorded_calls(model: torch.nn.Module) -> Iterator[list[dict[str, Any]]]:
    """The calls of a forward pass; each notes the sequence numbers at its entry and exit."""
    names = {module: name for name, module in model.named_modules()}
    calls: list[dict[str, Any]] = []
    stack: list[int] = []
    counts: dict[str, int] = {}

    def enter(module: torch.nn.Module, _: Any) -> None:
        path = names[module]
        number = counts[path] = counts.get(path, -1) + 1
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


def _innermost_calls(nodes: list[Any], calls: list[dict[str, Any]]) -> Iterator[str | None]:
    """The key of the call that made each node, the nodes being in the order in which they were made."""
    open_calls: list[dict[str, Any]] = []
    entered = 0
    for node in nodes:
        number = node._sequence_nr()
        while entered < len(calls) and calls[entered]["first"] <= number:
            while open_calls and open_calls[-1]["last"] <= calls[entered]["first"]:
                open_calls.pop()
            open_calls.append(calls[entered])
            entered += 1
        while open_calls and open_calls[-1]["last"] <= number:
            open_calls.pop()
        yield open_calls[-1]["key"] if open_calls else None


def _add_node(
    graph: nx.MultiDiGraph, node: Any, call_key: str | None, parameters: dict[int, str], counts: dict[str, int]
) -> str:
    if node._sequence_nr() >= LEAF_NUMBER:
        key = parameters[id(node.variable)]
        shapes = [list(node.variable.shape)]
        graph.add_node(key, kind="parameter", op=node.name(), call_key=None, shapes=shapes, parameter=key)
        return key
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


class RoutedNet(torch.nn.Module):
    """Residual layers that each send their input through two of many experts; `routes` (layers, 2) says which."""

    def __init__(self, layers: int, experts: int) -> None:
        super().__init__()
        self.embed = torch.nn.Linear(8, 16)
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleList(
                torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.GELU(), torch.nn.Linear(16, 16))
                for _ in range(experts)
            )
            for _ in range(layers)
        )
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(16) for _ in range(layers))
        self.head = torch.nn.Linear(16, 4)

    def forward(self, x: torch.Tensor, routes: torch.Tensor) -> torch.Tensor:
        x = self.embed(x).relu()
        for experts, norm, route in zip(self.layers, self.norms, routes.tolist(), strict=True):
            normed = norm(x)
            x = x + sum(experts[number](normed).sigmoid() for number in sorted(set(route)))
        result: torch.Tensor = self.head(x)
        return result


def routed_graphs(steps: int, changes: float, layers: int = 24, experts: int = 16) -> Iterator[nx.MultiDiGraph]:
    """The graphs of a training in which every way through an expert is taken anew with probability `changes`."""
    generator = torch.Generator().manual_seed(0)
    model = RoutedNet(layers, experts)
    routes = torch.randint(experts, (layers, 2), generator=generator)
    for _ in range(steps):
        yield step_graph(model, torch.randn(2, 8), routes)
        again = torch.rand(routes.shape, generator=generator) < changes
        routes = torch.where(again, torch.randint(experts, routes.shape, generator=generator), routes)


class WiredNet(torch.nn.Module):
    """Units that each add up two of the outputs of the few before, as in a randomly wired network.

    `choices` (units,) says which of a unit's variants runs; each has weights and inputs of its own.
    """

    def __init__(self, units: int, variants: int, reach: int = 8) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.sources = [
            [
                [max(0, unit - int(back)) for back in torch.randint(1, reach, (2,), generator=generator)]
                for _ in range(variants)
            ]
            for unit in range(units)
        ]
        self.embed = torch.nn.Linear(8, 16)
        self.units = torch.nn.ModuleList(
            torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(variants)) for _ in range(units)
        )
        self.head = torch.nn.Linear(16, 4)

    def forward(self, x: torch.Tensor, choices: torch.Tensor) -> torch.Tensor:
        outputs = [self.embed(x)]
        for variants, sources, choice in zip(self.units, self.sources, choices.tolist(), strict=True):
            first, second = sources[choice]
            outputs.append(variants[choice]((outputs[first] + outputs[second]).relu()))
        result: torch.Tensor = self.head(torch.stack(outputs[-4:]).sum(0))
        return result


def wired_graphs(steps: int, changes: float, units: int = 100, variants: int = 4) -> Iterator[nx.MultiDiGraph]:
    """The graphs of a training in which every unit runs in another variant with probability `changes`."""
    generator = torch.Generator().manual_seed(0)
    model = WiredNet(units, variants)
    choices = torch.zeros(units, dtype=torch.int64)
    for _ in range(steps):
        yield step_graph(model, torch.randn(2, 8), choices)
        again = torch.rand(units, generator=generator) < changes
        choices = torch.where(again, torch.randint(variants, (units,), generator=generator), choices)
