"""Measurements against PyTorch's own functions, applied by hooks and on copies of the tests' own."""

import gc
import math
import weakref
from collections import Counter, namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from tests.capture.measured import Measured
from tracer import Tape, record
from tracer.capture import moments
from tracer.capture.aside import aside
from tracer.capture.measuring import probes_of
from tracer.capture.origin import bad_gradients
from tracer.capture.probe import Probe
from tracer.capture.probes.module_outputs import ModuleOutputs
from tracer.capture.probes.parameters import Parameters
from tracer.model.statistics import Statistics
from tracer.options import LEVELS
from tracer.plugins import load, names

CLOSE = {"rel_tol": 2e-5, "abs_tol": 1e-6}


def same(value: float, expected: float, **tolerance: float) -> bool:
    return math.isclose(value, expected, **{**CLOSE, **tolerance}) or (math.isnan(value) and math.isnan(expected))


class Outputs:
    """What each module call of a model put out: statistics by torch's functions over a double copy of all of it."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.calls: dict[str, dict[str, float]] = {}
        self._counts: Counter[str] = Counter()

    @contextmanager
    def watch(self) -> Iterator[None]:
        handles = []
        for path, module in self.model.named_modules():
            handles.append(module.register_forward_pre_hook(lambda *_, path=path: self._enter(path)))
            handles.append(module.register_forward_hook(lambda *args, path=path: self._leave(path, args[-1])))
        self._open: list[str] = []
        yield
        for handle in handles:
            handle.remove()

    def _enter(self, path: str) -> None:
        self._open.append(f"{path}#{self._counts[path]}")
        self._counts[path] += 1

    def _leave(self, path: str, output: torch.Tensor) -> None:
        key = self._open.pop()
        if torch.is_grad_enabled():
            self.calls[key] = by_torch(output)


def by_torch(output: torch.Tensor) -> dict[str, float]:
    values = output.detach().double()
    return {
        "mean": values.mean().item(),
        "std": values.std().item() if values.numel() > 1 else math.nan,
        "min": values.min().item(),
        "max": values.max().item(),
        "zeros": (values == 0).double().mean().item(),
        "nans": values.isnan().sum().item(),
        "infs": values.isinf().sum().item(),
    }


def check_call(statistics: Statistics, key: str, expected: dict[str, float], **tolerance: float) -> None:
    row = statistics.calls.row(key)
    for name, value in expected.items():
        assert same(row[name], value, **tolerance), (key, name, row[name], value)
    assert row["forward_secs"] >= 0


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.norm(self.conv(x)) + x)


class Convolutions(nn.Module):
    """A block called twice, a transposed output, a large mean, an output of one element."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.block = Block(8)
        self.far = Shift(1e4)
        self.head = nn.Linear(8, 5)
        self.one = nn.Flatten(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.block(self.block(self.stem(x).to(memory_format=torch.channels_last)))
        h = self.head(self.far(h).transpose(1, 3)[:, ::2] - 1e4)
        return self.one(h.sum())


class Shift(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.by


def test_outputs_of_every_call() -> None:
    torch.manual_seed(0)
    model = Convolutions()
    outputs = Outputs(model)
    with Measured() as measured, outputs.watch():
        model(torch.randn(2, 3, 12, 12)).sum()
        statistics = measured.close()

    assert set(statistics.calls.keys) == set(outputs.calls)
    assert {"", "block", "block.conv", "far"} <= {key.rpartition("#")[0] for key in statistics.calls.keys}
    assert "block#1" in outputs.calls
    for key, expected in outputs.calls.items():
        # a large mean leaves few digits of single precision for the spread
        check_call(statistics, key, expected, rel_tol=1e-3 if key == "far#0" else 2e-5)


def test_an_output_longer_than_one_piece() -> None:
    model = nn.Linear(8, 1 << 18)
    outputs = Outputs(model)
    with Measured() as measured, outputs.watch(), torch.no_grad():
        model.weight[:1000] = 0
        model.bias[:1000] = 0
        with torch.enable_grad():
            model(torch.randn(9, 8))
        statistics = measured.close()

    check_call(statistics, "#0", outputs.calls["#0"], rel_tol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    model = nn.Linear(4, 4).to(dtype)
    outputs = Outputs(model)
    with Measured() as measured, outputs.watch():
        model(10_000 * torch.ones(300, 4, dtype=dtype))
        statistics = measured.close()

    check_call(statistics, "#0", outputs.calls["#0"])


@pytest.mark.parametrize(
    "spoilt", [(math.nan,), (math.inf,), (math.inf, -math.inf), (math.nan, math.inf, 0.0)], ids=str
)
def test_nan_and_inf_are_counted(spoilt: tuple[float, ...]) -> None:
    values = torch.arange(12.0)
    values[: len(spoilt)] = torch.tensor(spoilt)
    model = Shift(0.0)
    outputs = Outputs(model)
    with Measured() as measured, outputs.watch():
        model(values)
        statistics = measured.close()

    check_call(statistics, "Shift#0", outputs.calls["#0"])


Pair = namedtuple("Pair", ["left", "right"])


@dataclass
class Answer:
    logits: torch.Tensor
    others: list[Any]
    note: str = "kept"


class Give(nn.Module):
    def __init__(self, give: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.give = give

    def forward(self, x: torch.Tensor) -> Any:
        return self.give(x)


CONTAINERS: dict[str, Callable[[torch.Tensor], Any]] = {
    "dict": lambda x: {"a": x, "b": {"c": 2 * x, "d": 3}},
    "tuple": lambda x: (x, (2 * x, None)),
    "list": lambda x: [x, [2 * x]],
    "namedtuple": lambda x: Pair(x, 2 * x),
    "dataclass": lambda x: Answer(x, [2 * x, torch.arange(3)]),
    "the same twice": lambda x: (x, [y := 2 * x, y, x]),
    "integers beside": lambda x: (x, 2 * x, torch.ones(5, dtype=torch.long), torch.tensor(True)),
    "empty beside": lambda x: (x, 2 * x, torch.empty(0, 3)),
    "packed": lambda x: nn.utils.rnn.pack_padded_sequence(torch.stack([x, 2 * x])[:, :, None], [7, 7], True),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_all_tensors_of_an_output_count_together(name: str) -> None:
    x = torch.randn(7, requires_grad=True)
    with Measured() as measured:
        Give(CONTAINERS[name])(x)
        statistics = measured.close()

    check_call(statistics, "Give#0", by_torch(torch.cat([x, 2 * x])))


def test_an_output_that_contains_itself_ends() -> None:
    loop: list[Any] = [torch.ones(2)]
    loop.append(loop)
    with Measured() as measured:
        Give(lambda _: loop)(torch.ones(1))
        statistics = measured.close()

    check_call(statistics, "Give#0", {"mean": 1.0, "std": 0.0})


UNUSUAL: dict[str, tuple[Callable[[torch.Tensor], Any], dict[str, float]]] = {
    "nothing": (lambda x: None, {"mean": math.nan, "zeros": math.nan, "nans": math.nan}),
    "integers": (lambda x: torch.arange(3), {"mean": math.nan, "std": math.nan, "infs": math.nan}),
    "empty": (lambda x: x[:0], {"mean": math.nan, "min": math.nan, "zeros": math.nan, "nans": 0, "infs": 0}),
    "complex": (
        lambda x: torch.complex(x, torch.tensor([0.0, math.nan, 0.0, math.inf])),
        {"mean": math.nan, "max": math.nan, "zeros": 0.25, "nans": 1, "infs": 1},
    ),
    "sparse": (
        lambda x: torch.tensor([[math.nan, 0.0], [1.0, 0.0]]).to_sparse(),
        {"mean": math.nan, "zeros": math.nan, "nans": 1, "infs": 0},
    ),
    "nested": (
        lambda x: torch.nested.nested_tensor([torch.ones(2, 3), 3 * torch.ones(2, 3)], layout=torch.jagged),
        {"mean": 2.0, "min": 1.0, "max": 3.0, "nans": 0},
    ),
    "expanded": (lambda x: x[:1].expand(5, 1), {"mean": 0.0, "zeros": 1.0}),
    "meta": (lambda x: torch.ones(3, device="meta"), {"mean": math.nan, "nans": math.nan}),
    "mapped": (lambda x: torch.func.vmap(Give(lambda row: row + 1))(x), {"mean": 2.0}),
    "parameter": (lambda x: nn.Parameter(x), {"mean": 1.0, "zeros": 0.25}),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_outputs_are_measured_as_far_as_that_has_a_meaning(name: str) -> None:
    give, expected = UNUSUAL[name]
    x = torch.tensor([0.0, 1.0, -1.0, 4.0])
    with Measured() as measured:
        Give(give)(x)
        statistics = measured.close()

    check_call(statistics, "Give#0", expected)


@pytest.mark.parametrize("transform", [torch.func.vmap, lambda f: torch.func.grad(lambda x: f(x).sum())])
def test_inside_transforms_the_values_are_seen(transform: Callable[..., Any]) -> None:
    module = Give(lambda row: 2 * row)
    x = torch.randn(4, 3)
    with Measured() as measured:
        torch.func.vmap(transform(lambda row: module(row)))(x[None]) if transform is torch.func.vmap else transform(
            lambda row: module(row)
        )(x)
        statistics = measured.close()

    check_call(statistics, "Give#0", by_torch(2 * x))


def test_under_autocast_and_inference_mode() -> None:
    model = nn.Linear(4, 4)
    outputs = Outputs(model)
    with Measured() as measured, outputs.watch():
        with torch.inference_mode():
            model(torch.ones(2, 4))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            model(torch.ones(2, 4))
        statistics = measured.close()

    assert statistics.calls.keys == ("#0",)
    check_call(statistics, "#0", outputs.calls["#1"])


def test_evaluations_recomputations_and_calls_that_raise_leave_no_row() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), Give(lambda x: checkpoint(part, x, use_reentrant=False)))
    part = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    broken = Give(lambda x: x @ torch.ones(99))
    with Measured() as measured:
        with torch.no_grad():
            model(torch.ones(2, 4))
            part(torch.ones(2, 4))
        with pytest.raises(RuntimeError):
            broken(torch.ones(2, 4))
        measured.backward(model(torch.ones(2, 4)).sum())
        statistics = measured.close()

    counts = Counter(key.rpartition("#")[0].partition(".")[0] for key in statistics.calls.keys)
    assert counts["Sequential"] + counts["Sequential_2"] >= 3
    assert len(statistics.calls.keys) == len(set(statistics.calls.keys)) == 8
    assert math.isnan(statistics.calls.row("Give#0")["mean"])


def test_times_of_inner_calls_lie_within_those_of_outer_ones() -> None:
    model = nn.Sequential(nn.Linear(300, 300), nn.Sequential(nn.Linear(300, 300), nn.Linear(300, 300)))
    with Measured() as measured:
        model(torch.randn(300, 300))
        secs = {
            key: statistics.row(key)["forward_secs"]
            for statistics in [measured.close().calls]
            for key in statistics.keys
        }

    assert secs["#0"] >= secs["0#0"] + secs["1#0"] > 0
    assert secs["1#0"] >= secs["1.0#0"] + secs["1.1#0"]


# parameters


def by_copies(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone().to_dense() for name, parameter in model.named_parameters()}


def norm(values: torch.Tensor) -> float:
    return torch.linalg.vector_norm(values.flatten().to(torch.complex128)).item()


def ratio(update: float, value: float) -> float:
    return update / value if value else math.inf if update else math.nan


def check_parameters(
    statistics: Statistics,
    before: dict[str, torch.Tensor],
    gradients: dict[str, torch.Tensor],
    after: dict[str, torch.Tensor],
) -> None:
    assert set(statistics.parameters.keys) == set(after)
    for name, value in before.items():
        row = statistics.parameters.row(name)
        update = norm(after[name].to(torch.complex128) - value.to(torch.complex128))
        assert same(row["value_norm"], norm(value)), name
        assert same(row["update_norm"], update, rel_tol=2e-3), name
        assert same(row["update_ratio"], ratio(update, norm(value)), rel_tol=2e-3), name
        assert row["has_grad"] == (name in gradients)
        assert same(row["grad_norm"], norm(gradients[name]) if name in gradients else math.nan), name


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.01),
    "Adam, fused": lambda parameters: torch.optim.Adam(parameters, lr=0.01, fused=True),
    "Adam, foreach": lambda parameters: torch.optim.Adam(parameters, lr=0.01, foreach=True),
}


class Mixed(nn.Module):
    """Parameters of several precisions, an empty one, one that takes no part."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(6, 6)
        self.short = nn.Linear(6, 6, dtype=torch.bfloat16)
        self.wide = nn.Linear(6, 6, dtype=torch.float64)
        self.empty = nn.Parameter(torch.empty(0, 3))
        self.idle = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.short(self.body(x).relu().bfloat16()).double()
        return self.wide(h).sum() + self.empty.sum()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_norms_of_values_gradients_and_updates(name: str) -> None:
    model = Mixed()
    optimizer = OPTIMIZERS[name](model.parameters())
    with Measured() as measured:
        for step in range(3):
            optimizer.zero_grad()
            before = by_copies(model)
            measured.backward(model(torch.randn(5, 6)))
            gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            optimizer.step()
            statistics = measured.close()
            check_parameters(statistics, before, gradients, by_copies(model))
            assert step == 2 or "idle.weight" in statistics.parameters.keys


def test_a_closure_that_runs_backward_several_times() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    x, y = torch.randn(9, 4), torch.randn(9, 1)
    with Measured() as measured:

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            measured.backward(loss)
            return loss

        before = by_copies(model)
        optimizer.step(closure)
        statistics = measured.close()

    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    check_parameters(statistics, before, gradients, by_copies(model))


def test_several_optimizers_and_several_steps_of_one() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    first = torch.optim.SGD(model[0].parameters(), lr=0.1)
    second = torch.optim.Adam(model[1].parameters(), lr=0.1)
    with Measured() as measured:
        before = by_copies(model)
        for _ in range(2):
            measured.backward(model(torch.ones(2, 3)).pow(2).sum())
            gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            first.step()
            second.step()
        statistics = measured.close()

    check_parameters(statistics, before, gradients, by_copies(model))


def test_a_parameter_shared_by_two_optimizers_has_one_row() -> None:
    model = nn.Linear(3, 3)
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for _ in range(2)]
    with Measured() as measured:
        before = by_copies(model)
        measured.backward(model(torch.ones(2, 3)).pow(2).sum())
        gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        for optimizer in optimizers:
            optimizer.step()
        statistics = measured.close()

    check_parameters(statistics, before, gradients, by_copies(model))


def test_complex_parameters_and_sparse_gradients() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 3, sparse=True)
            self.spin = nn.Parameter(torch.randn(3, dtype=torch.complex64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.table(x) * self.spin).abs().sum()

    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Measured() as measured:
        before = by_copies(model)
        measured.backward(model(torch.tensor([1, 1, 4])))
        gradients = {name: p.grad.to_dense() for name, p in model.named_parameters() if p.grad is not None}
        optimizer.step()
        statistics = measured.close()

    check_parameters(statistics, before, gradients, by_copies(model))


@pytest.mark.parametrize("fused", [False, True])
def test_gradients_are_those_of_the_true_loss_under_a_scaler(fused: bool) -> None:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    x = torch.ones(2, 4)
    expected = torch.autograd.grad(model(x).pow(2).sum(), list(model.parameters()))
    with Measured() as measured:
        before = by_copies(model)
        measured.backward(scaler.scale(model(x).pow(2).sum()))
        scaler.step(optimizer)
        scaler.update()
        statistics = measured.close()

    gradients = dict(zip(before, expected, strict=True))
    check_parameters(statistics, before, gradients, by_copies(model))


def test_without_an_optimizer_values_and_gradients_are_known() -> None:
    model = nn.Linear(4, 4)
    with Measured() as measured:
        measured.backward(model(torch.ones(2, 4)).pow(2).sum())
        statistics = measured.close()

    row = statistics.parameters.row("weight")
    assert same(row["value_norm"], norm(model.weight.detach()))
    assert model.weight.grad is not None and same(row["grad_norm"], norm(model.weight.grad))
    assert math.isnan(row["update_norm"])


def test_the_parameter_closest_to_the_loss_leads_those_with_bad_gradients() -> None:
    """The root of zero is finite, its slope is not."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), Give(lambda h: (0 * h).sqrt()), nn.Linear(4, 1))
    model.append(nn.Linear(1, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Measured() as measured:
        loss = model(torch.ones(2, 4)).sum()
        measured.backward(loss)
        optimizer.step()
        found = bad_gradients(measured.close())
        optimizer.zero_grad()
        for parameter in model.parameters():
            nn.init.ones_(parameter)
        measured.backward(model[0](torch.ones(2, 4)).sum())
        healthy = bad_gradients(measured.close())

    assert loss.isfinite() and healthy is None
    assert found is not None and found.value == "nan"
    assert set(found.parameters) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert set(found.parameters[:2]) == {"2.weight", "2.bias"}


# invisible


def train(n_steps: int = 3) -> tuple[list[torch.Tensor], list[float], torch.Tensor, nn.Module]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Tanh(), nn.Linear(6, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    losses = []
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(torch.randn(8, 6)), torch.randint(2, (8,)))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [value.clone() for value in model.state_dict().values()], losses, torch.get_rng_state(), model


@pytest.mark.parametrize("level", ["statistics", "full"])
def test_measuring_changes_no_bit(level: str) -> None:
    weights, losses, random, _ = train()
    with Measured(level):
        measured_weights, measured_losses, measured_random, _ = train()

    assert measured_losses == losses
    assert torch.equal(measured_random, random)
    assert all(torch.equal(a, b) for a, b in zip(measured_weights, weights, strict=True))


def test_nothing_of_a_measured_step_is_kept_alive() -> None:
    made: list[weakref.ref[Any]] = []
    give = Give(lambda h: made.append(weakref.ref(h)) or h * 2)
    model = nn.Sequential(nn.Linear(4, 4), give, nn.Linear(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Measured() as measured:
        loss = model(torch.ones(2, 4)).sum()
        made.append(weakref.ref(loss))
        measured.backward(loss)
        del loss
        made += [weakref.ref(parameter.grad) for parameter in model.parameters()]
        optimizer.step()
        optimizer.zero_grad()
        measured.close()
        gc.collect()
        assert all(reference() is None for reference in made)
        made = [weakref.ref(parameter) for parameter in model.parameters()]
        model(torch.ones(2, 4))
        measured.close()
        del model, optimizer, give
        gc.collect()
        assert all(reference() is None for reference in made)


def test_what_is_not_attached_measures_nothing() -> None:
    model = nn.Linear(4, 4)
    with Measured() as measured:
        measured.measuring.detach()
        model(torch.ones(2, 4))
        measured.measuring.take(0, None)  # type: ignore[arg-type]
        assert not list(measured.measuring.arrived(wait=True))
        assert not measured.measuring.is_attached


@pytest.mark.parametrize("name", names("tracer.capture.probes"))
def test_every_file_of_the_folder_is_one_probe(name: str) -> None:
    file = load(names("tracer.capture.probes")[name])
    probes = [thing for thing in vars(file).values() if isinstance(thing, type) and thing.__module__ == file.__name__]

    assert file.__doc__ and set(file.LEVELS) <= set(LEVELS) - {"structure"}
    assert len([probe for probe in probes if issubclass(probe, Probe)]) == 1
    assert "full" in file.LEVELS, "the last level measures all"


def test_full_measures_what_statistics_does() -> None:
    statistics = {type(probe) for probe in probes_of("statistics")}
    full = {type(probe) for probe in probes_of("full")}

    assert {probe.__name__ for probe in statistics} == {"ModuleOutputs", "Parameters"}
    assert statistics < full
    assert probes_of("structure") == []


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_tracing_does_not_see_the_measuring() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    x = torch.ones(2, 4)

    def traced() -> list[str]:
        kinds = [node.kind() for node in torch.jit.trace(model, x).inlined_graph.nodes()]
        return [*kinds, torch.fx.experimental.proxy_tensor.make_fx(lambda x: model(x))(x).code]

    bare = traced()
    with Measured() as measured:
        assert traced() == bare
        measured.close()


def test_modes_of_the_user_do_not_see_the_measuring() -> None:
    model, seen = nn.Linear(4, 4), []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    def watched() -> list[str]:
        seen.clear()
        with Watch():
            model(torch.ones(2, 4))
        return seen.copy()

    bare = watched()
    with Measured() as measured:
        assert watched() == bare
        measured.close()


# on the tape


def test_the_tape_holds_the_statistics_of_every_kth_step(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Convolutions()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    expected = []
    with record(tmp_path / "run.tape", strict=True, level="statistics", every=2):
        for _ in range(5):
            optimizer.zero_grad()
            outputs, before = Outputs(model), by_copies(model)
            with outputs.watch():
                loss = model(torch.randn(2, 3, 12, 12)).sum()
            loss.backward()
            gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            optimizer.step()
            expected.append((outputs.calls, before, gradients, by_copies(model)))

    tape = Tape(tmp_path / "run.tape")
    assert [step.level for step in tape.steps] == ["statistics", "structure"] * 2 + ["statistics"]
    for step, (calls, before, gradients, after) in enumerate(expected):
        statistics = tape.statistics(step)
        if step % 2:
            assert statistics is None
            continue
        assert statistics is not None
        assert set(statistics.calls.keys) == set(calls)
        assert set(calls) == {call["key"] for call in tape.graph(step).graph["module_calls"]}
        for key, row in calls.items():
            check_call(statistics, key, row, rel_tol=1e-3 if key == "far#0" else 2e-5)
        check_parameters(statistics, before, gradients, after)


def test_calls_of_an_evaluation_before_the_step_do_not_shift_the_rows(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", strict=True, level="statistics"):
        for _ in range(2):
            with torch.no_grad():
                model(1000 * torch.ones(3, 4))
            outputs = Outputs(model)
            with outputs.watch():
                loss = model(torch.ones(3, 4)).sum()
            loss.backward()
            optimizer.step()

    statistics = Tape(tmp_path / "run.tape").statistics(1)
    assert statistics is not None and set(statistics.calls.keys) == set(outputs.calls)
    for key, row in outputs.calls.items():
        check_call(statistics, key, row)


def test_a_call_without_grad_does_not_take_the_row_of_one_with(tmp_path: Path) -> None:
    class Student(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.teacher = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.body(x)
            with torch.no_grad():
                self.body(100 * x)
                wanted = self.teacher(x)
            return (h - wanted).pow(2).sum()

    model = Student()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.ones(3, 4)
    body, teacher = by_torch(model.body(x)), by_torch(model.teacher(x))
    with record(tmp_path / "run.tape", strict=True, level="statistics"):
        model(x).backward()
        optimizer.step()

    statistics = Tape(tmp_path / "run.tape").statistics(0)
    assert statistics is not None
    check_call(statistics, "body#0", body)
    check_call(statistics, "teacher#0", teacher)


@pytest.mark.parametrize(
    ("probe", "hook"),
    [(ModuleOutputs, "enter"), (ModuleOutputs, "leave"), (ModuleOutputs, "take")]
    + [(Parameters, hook) for hook in ("before_backward", "before_optimizer", "after_optimizer", "take")],
)
def test_a_probe_that_fails_is_noted_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: type, hook: str
) -> None:
    weights, losses, random, _ = train()

    def fail(*args: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(probe, hook, fail)
    with record(tmp_path / "run.tape", level="statistics"):
        measured_weights, measured_losses, measured_random, _ = train()

    assert measured_losses == losses and torch.equal(measured_random, random)
    assert all(torch.equal(a, b) for a, b in zip(measured_weights, weights, strict=True))
    tape = Tape(tmp_path / "run.tape")
    assert len(tape) == 3
    (event,) = tape.events("capture_failed")
    assert "on purpose" in event.data["traceback"]


# on an accelerator


def test_rows_queued_on_an_accelerator_are_those_of_the_cpu() -> None:
    for values in (torch.randn(100), torch.tensor([0.0, math.nan, math.inf, 1.0]), torch.ones(3).half()):
        with aside():
            ((*sizes, queued),) = [(values.numel(), values.numel(), moments._queued(values))]
            ((*expected_sizes, row),) = moments.measure(values, moments.Scratch())
        assert sizes == expected_sizes
        assert all(same(a, b) for a, b in zip(queued.tolist(), row, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_on_cuda_nothing_waits_for_the_device(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Convolutions().cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x = torch.randn(2, 3, 12, 12, device="cuda")
    expected = []
    with record(tmp_path / "run.tape", strict=True, level="statistics"):
        for _ in range(3):
            optimizer.zero_grad()
            outputs, before = Outputs(model), by_copies(model)
            with outputs.watch():
                loss = model(x).sum()
            torch.cuda.set_sync_debug_mode("error")
            try:
                model(x).sum().backward()
                optimizer.step()
            finally:
                torch.cuda.set_sync_debug_mode("default")
            del loss
            expected.append((outputs.calls, before, by_copies(model)))

    tape = Tape(tmp_path / "run.tape")
    for step, (calls, before, after) in enumerate(expected):
        statistics = tape.statistics(step)
        assert statistics is not None
        for key, row in calls.items():
            check_call(statistics, key, row, rel_tol=1e-3)
            assert statistics.calls.row(key)["forward_secs"] < 60
        for name, value in before.items():
            assert same(statistics.parameters.row(name)["value_norm"], norm(value), rel_tol=1e-4)
            update = norm(after[name] - value)
            assert same(statistics.parameters.row(name)["update_norm"], update, rel_tol=1e-2, abs_tol=1e-5)
