"""The insides of compiled nodes against what a backend of the test's own was handed, and `torch.compile` with and
without recording."""

import gc
import inspect
import itertools
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo
import torch._functorch.aot_autograd
import torch._inductor.config
from torch import nn
from torch._dynamo.backends.registry import lookup_backend
from torch._dynamo.output_graph import OutputGraph

from tracer import Tape, record
from tracer.capture.compiled import Compilations
from tracer.capture.frames import Frames
from tracer.capture.fx_graph import inside_of_graph
from tracer.capture.guard import guarded
from tracer.model.structure import Inside, SourceLine

# by Dynamo itself, where a graph is broken
GRAD_IS_LOOKED_AT = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def strict_guard(hook: Callable[..., None]) -> Callable[..., None]:
    def failed(name: str, text: str) -> None:
        raise AssertionError(text)

    return guarded(hook, failed, strict=True)


@pytest.fixture
def compilations() -> Iterator[Compilations]:
    before = OutputGraph.call_user_compiler
    compilations = Compilations()
    undo = compilations.attach(strict_guard)
    yield compilations
    undo()
    assert OutputGraph.call_user_compiler is before


class Backend:
    """Compiles as `inner` does, after noting what it was handed."""

    def __init__(self, inner: str = "aot_eager") -> None:
        self.graphs: list[list[tuple[Any, ...]]] = []
        self.alive: list[weakref.ref[Any]] = []
        self._inner = lookup_backend(inner)

    def __call__(self, graph_module: torch.fx.GraphModule, inputs: Any) -> Any:
        self.graphs.append([self._facts(node) for node in graph_module.graph.nodes])
        self.alive.append(weakref.ref(graph_module))
        return self._inner(graph_module, inputs)

    @staticmethod
    def _facts(node: torch.fx.Node) -> tuple[Any, ...]:
        value = node.meta.get("example_value")
        shape = tuple(value.shape) if isinstance(value, torch.Tensor) else None
        return node.name, node.op, {child.name for child in node.all_input_nodes}, shape


def facts_of(inside: Inside | None) -> list[tuple[Any, ...]]:
    assert inside is not None
    names = [node.name for node in inside.nodes]
    return [(node.name, node.op, {names[at] for at in node.inputs}, node.shape) for node in inside.nodes]


def compiled_nodes(loss: torch.Tensor) -> list[Any]:
    """The compiled nodes of a graph, the loss's first."""
    nodes, pending = [], [loss.grad_fn]
    while pending:
        node = pending.pop(0)
        if node is not None and node not in nodes:
            nodes.append(node)
            pending += [child for child, _ in node.next_functions]
    return [node for node in nodes if node.name() == "CompiledFunctionBackward"]


def small_model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 1))


def test_the_inside_is_the_graph_that_the_backend_was_handed(compilations: Compilations) -> None:
    backend = Backend()
    model = torch.compile(small_model(), backend=backend, fullgraph=True)
    (node,) = compiled_nodes(model(torch.randn(3, 4)).sum())
    inside = compilations.inside_of(node)
    assert [facts_of(inside)] == backend.graphs
    assert inside is not None and inside.title == "torch.compile, backend Backend"


def test_its_nodes_say_what_they_do_and_to_what_of_the_users(compilations: Compilations) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleDict({"first": nn.Linear(4, 4)})

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.parts["first"](x).relu() * 2

    (node,) = compiled_nodes(torch.compile(Net(), backend="aot_eager")(torch.randn(3, 4)))
    inside = compilations.inside_of(node)
    assert inside is not None
    assert {item.target for item in inside.nodes if item.op == "placeholder"} == {
        "x",
        "self.parts.first.weight",
        "self.parts.first.bias",
    }
    targets = [item.target for item in inside.nodes if item.op != "placeholder"]
    assert targets == ["torch.nn.functional.linear", "relu", "operator.mul", "output"]
    assert {item.dtype for item in inside.nodes[:-1]} == {"float32"}


def test_inputs_are_in_order_and_as_often_as_they_are_used(compilations: Compilations) -> None:
    @torch.compile(backend="aot_eager")
    def product(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(y, x, x)

    (node,) = compiled_nodes(product(torch.ones(2, requires_grad=True), torch.ones(2)))
    inside = compilations.inside_of(node)
    assert inside is not None and inside.title == "torch.compile, backend aot_eager"
    (call,) = [item for item in inside.nodes if item.op == "call_function"]
    assert call.target == "torch.addcmul"
    assert [inside.nodes[at].target for at in call.inputs] == ["y", "x", "x"]


@GRAD_IS_LOOKED_AT
def test_each_piece_of_a_broken_graph_has_its_own_inside(compilations: Compilations) -> None:
    backend = Backend()

    @torch.compile(backend=backend)
    def broken(x: torch.Tensor) -> torch.Tensor:
        x = x.sin()
        torch._dynamo.graph_break()
        return x.cos().exp()

    last, first = compiled_nodes(broken(torch.ones(2, requires_grad=True)))
    assert [facts_of(compilations.inside_of(node)) for node in (first, last)] == backend.graphs


def test_each_recompilation_has_its_own_inside_and_earlier_ones_stay(compilations: Compilations) -> None:
    backend = Backend()
    model = torch.compile(small_model(), backend=backend, dynamic=False)
    nodes = [compiled_nodes(model(torch.randn(size, 4)).sum())[0] for size in (2, 3, 2)]
    insides = [facts_of(compilations.inside_of(node)) for node in nodes]
    assert len(backend.graphs) == 2
    assert insides == [*backend.graphs, backend.graphs[0]]


def test_symbolic_sizes_are_not_told_and_cause_no_recompilation(compilations: Compilations) -> None:
    backend = Backend()
    model = torch.compile(small_model(), backend=backend, dynamic=True)
    for size in (2, 3, 5):
        (node,) = compiled_nodes(model(torch.randn(size, 4)).sum())
    assert len(backend.graphs) == 1
    inside = compilations.inside_of(node)
    assert inside is not None
    assert [item.shape for item in inside.nodes if item.op == "call_function"] == [None] * 5  # symbolic batch
    assert {(8, 4), (8,), (1,)} <= {item.shape for item in inside.nodes if item.op == "placeholder"}


def test_branches_of_a_condition_are_part_of_the_inside(compilations: Compilations) -> None:
    @torch.compile(backend="aot_eager")
    def branching(x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, lambda y: y.sin(), lambda y: y.cos(), (x,)).exp()

    (node,) = compiled_nodes(branching(torch.ones(2, requires_grad=True)))
    inside = compilations.inside_of(node)
    assert inside is not None
    (condition,) = [item for item in inside.nodes if item.target.endswith("cond")]
    branches = [inside.nodes[at] for at in condition.inputs if inside.nodes[at].op == "get_attr"]
    for branch, op in zip(branches, ("sin", "cos"), strict=True):
        (end,) = [inside.nodes[at] for at in branch.inputs]
        (made_by,) = [inside.nodes[at] for at in end.inputs]
        assert (end.op, made_by.target) == ("output", op)
        assert made_by.name.startswith(f"{branch.name}/")


def test_its_nodes_have_the_users_lines(compilations: Compilations) -> None:
    def lines(x: torch.Tensor) -> torch.Tensor:
        x = x.sin()
        x = nn.functional.softplus(x)
        return x.cos()

    (node,) = compiled_nodes(torch.compile(lines, backend="aot_eager")(torch.ones(2, requires_grad=True)))
    inside = compilations.inside_of(node)
    assert inside is not None
    text, start = inspect.getsourcelines(lines)
    expected = {
        name: next(start + at for at, line in enumerate(text) if f"{name}(" in line)
        for name in ("sin", "softplus", "cos")
    }
    found = {item.target.rpartition(".")[2]: item.source for item in inside.nodes if item.op.startswith("call")}
    assert found == {name: SourceLine(__file__, line, "lines") for name, line in expected.items()}


def test_a_backend_that_rewrites_its_graph_does_not_change_the_inside(compilations: Compilations) -> None:
    def rewriting(graph_module: torch.fx.GraphModule, inputs: Any) -> Any:
        for node in graph_module.graph.nodes:
            if node.target == "sin":
                node.target = "cos"
        graph_module.recompile()
        return lookup_backend("aot_eager")(graph_module, inputs)

    result = torch.compile(lambda x: x.sin(), backend=rewriting)(torch.zeros(1, requires_grad=True))
    assert result.item() == 1
    inside = compilations.inside_of(compiled_nodes(result)[0])
    assert inside is not None and inside.title == "torch.compile, backend rewriting"
    assert [item.target for item in inside.nodes] == ["x", "sin", "output"]


def test_a_backend_that_fails_fails_as_without_us(compilations: Compilations) -> None:
    def failing(graph_module: torch.fx.GraphModule, inputs: Any) -> Any:
        raise ZeroDivisionError("of the backend's own")

    with pytest.raises(Exception, match="of the backend's own"):
        torch.compile(lambda x: x.sin(), backend=failing)(torch.zeros(1, requires_grad=True))
    result = torch.compile(lambda x: x.cos(), backend="aot_eager")(torch.zeros(1, requires_grad=True))
    assert [item.target for item in compilations.inside_of(compiled_nodes(result)[0]).nodes][1] == "cos"  # type: ignore[union-attr]


def test_what_was_compiled_before_stays_closed() -> None:
    model = torch.compile(small_model(), backend="aot_eager")
    model(torch.randn(3, 4))
    compilations = Compilations()
    undo = compilations.attach(strict_guard)
    (node,) = compiled_nodes(model(torch.randn(3, 4)).sum())
    undo()
    assert compilations.inside_of(node) is None


def test_ordinary_nodes_have_no_inside(compilations: Compilations) -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return gradient * 2

    weight = torch.ones(2, requires_grad=True)
    eager = torch.compile(small_model(), backend="eager")(torch.randn(3, 4))
    for tensor in (weight * 2, Double.apply(weight), eager):
        assert compilations.inside_of(tensor.grad_fn) is None


def test_the_graph_is_not_kept_alive(compilations: Compilations) -> None:
    backend = Backend("eager")
    torch.compile(small_model(), backend=backend)(torch.randn(3, 4))
    torch._dynamo.reset()
    gc.collect()
    assert [reference() for reference in backend.alive] == [None]


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_inductor_also_from_its_cache(
    compilations: Compilations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))

    @torch._inductor.config.patch(compile_threads=1)  # no pool that outlives the test
    def compiled(x: torch.Tensor) -> torch.Tensor:
        result = torch.compile(bent)(x)
        insides.append(compilations.inside_of(compiled_nodes(result)[0]))
        result.backward()
        return result

    def bent(x: torch.Tensor) -> torch.Tensor:
        return (x.sin() * x).sum()

    insides = []
    for _ in range(2):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        compiled(torch.ones(5, requires_grad=True))
    assert torch._dynamo.utils.counters["aot_autograd"]["autograd_cache_hit"] == 1
    assert insides[0] is not None and insides[0].title == "torch.compile, backend inductor"
    assert [item.target for item in insides[0].nodes] == ["x", "sin", "operator.mul", "sum", "output"]
    assert insides[1] == insides[0]


def test_graphs_are_bounded() -> None:
    graph = torch.fx.Graph()
    node = graph.placeholder("x")
    for _ in range(30_000):
        node = graph.call_method("sin", (node,))
    graph.output(node)
    inside = inside_of_graph(torch.fx.GraphModule(nn.Module(), graph), "a chain", Frames())
    assert len(inside.nodes) == 20_000
    assert inside.title == "a chain, first 20000 nodes"
    assert all(item.inputs == (at,) for at, item in enumerate(inside.nodes[1:]))


def test_where_a_private_name_is_missing_there_is_no_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.ones(2, requires_grad=True)
    numbers = iter(list(itertools.islice(torch._functorch.aot_autograd.AOT_COUNTER, 8)))
    monkeypatch.setattr(torch._functorch.aot_autograd, "AOT_COUNTER", numbers)
    compilations = Compilations()
    undo = compilations.attach(strict_guard)
    (node,) = compiled_nodes(torch.compile(lambda x: x.sin(), backend="aot_eager")(x))
    undo()
    assert compilations.inside_of(node) is None
    with monkeypatch.context() as patch:
        patch.delattr(OutputGraph, "call_user_compiler")
        Compilations().attach(strict_guard)()


def of_module(model: nn.Module, backend: Backend) -> Callable[..., Any]:
    return torch.compile(model, backend=backend)


def of_method(model: nn.Module, backend: Backend) -> Callable[..., Any]:
    model.compile(backend=backend)
    return model


def of_part(model: nn.Module, backend: Backend) -> Callable[..., Any]:
    model[1].compile(backend=backend)  # type: ignore[index]
    return model


def of_function(model: nn.Module, backend: Backend) -> Callable[..., Any]:
    return torch.compile(lambda x: model(x).tanh(), backend=backend)


def of_broken_function(model: nn.Module, backend: Backend) -> Callable[..., Any]:
    def broken(x: torch.Tensor) -> torch.Tensor:
        x = model[1](model[0](x))  # type: ignore[index]
        torch._dynamo.graph_break()
        return model[3](model[2](x))  # type: ignore[index]

    return torch.compile(broken, backend=backend)


@GRAD_IS_LOOKED_AT
@pytest.mark.parametrize(("inner", "every"), [("aot_eager", 1), ("aot_eager", 2), ("eager", 2)])
@pytest.mark.parametrize("compiled", [of_module, of_method, of_part, of_function, of_broken_function])
def test_recording_compiles_nothing_else_and_changes_no_bit(
    compiled: Callable[..., Any], inner: str, every: int, tmp_path: Path
) -> None:
    def train(path: Path | None) -> tuple[list[torch.Tensor], list[Any]]:
        torch._dynamo.reset()
        torch.manual_seed(0)
        model, backend = small_model(), Backend(inner)
        call = compiled(model, backend)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with nullcontext() if path is None else record(path, strict=True, every=every):
            for _ in range(5):
                optimizer.zero_grad()
                call(torch.randn(3, 4)).square().mean().backward()
                optimizer.step()
        state = [*(parameter.detach() for parameter in model.parameters()), torch.random.get_rng_state()]
        return state, [sorted(map(repr, graph)) for graph in backend.graphs]  # hooks change the order of the inputs

    bare, recorded = train(None), train(tmp_path / "run.tape")
    assert all(map(torch.equal, bare[0], recorded[0]))
    assert recorded[1] == bare[1]
    tape = Tape(tmp_path / "run.tape")
    assert not tape.events("capture_failed")
    ops = [data["op"] for _, data in tape.graph(4).nodes(data=True)]
    assert ops.count("CompiledFunctionBackward") == (len(bare[1]) if inner == "aot_eager" else 0)
    assert not any("GraphModule" in call["class"] for call in tape.graph(4).graph["module_calls"])
    assert not torch.nn.modules.module._has_any_global_hook()


def test_recording_that_begins_and_ends_during_training_compiles_no_more_than_its_own(tmp_path: Path) -> None:
    model, backend = small_model(), Backend()
    call = of_function(model, backend)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        call(torch.randn(3, 4)).sum().backward()
        optimizer.step()

    step()
    with record(tmp_path / "run.tape", strict=True):
        step()
        within = len(backend.graphs)
        step()
        assert len(backend.graphs) == within
    step()
    assert len(backend.graphs) == within <= 2
