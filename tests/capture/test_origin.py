"""Where a NaN or an Inf came from, against an oracle that watches the same computation operator by operator."""

import gc
import weakref
from collections import Counter
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
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from tests.capture.node_hook import HAS_HOOK
from tracer import Tape, record
from tracer.capture.origin import Origin, find_origin

NEXT = torch.autograd._get_sequence_nr
Call = tuple[str, int] | None
X = torch.ones(3, 4)


class FirstBad(TorchDispatchMode):
    """Notes the first operator that takes or makes what is not finite: its name, and the number of the node that
    autograd made for it, counted from the beginning. A mask that is told to fill in -inf does as it is told."""

    def __init__(self, calls: "Calls") -> None:
        super().__init__()
        self.calls = calls
        self.base = NEXT()
        self.operator: str | None = None
        self.number = 0
        self.call: Call = None
        self.taken: torch.Tensor | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        is_told = func in (torch.ops.aten.masked_fill.Scalar, torch.ops.aten.detach.default)
        is_told |= func.__name__.startswith("empty")
        if self.operator is None and not is_told:
            taken = [item for item in tree_leaves(args) if isinstance(item, torch.Tensor) and is_bad(item)]
            if any(isinstance(item, torch.Tensor) and is_bad(item) for item in tree_leaves(output)):
                self.operator, self.number, self.call = func.__name__, NEXT() - 1 - self.base, self.calls.innermost
                self.taken = taken[0] if taken else None
        return output


def is_bad(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and not bool(tensor.isfinite().all())


class Calls:
    """The module calls of a model, by PyTorch's own hooks: which is open, and which numbers each one's nodes have."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.counts: Counter[str] = Counter()
        self.open: list[tuple[str, int, int]] = []
        self.spans: list[tuple[Call, range]] = []

    @contextmanager
    def watch(self) -> Iterator["Calls"]:
        handles = []
        for path, module in self.model.named_modules():
            handles.append(module.register_forward_pre_hook(lambda *_, path=path: self._enter(path)))
            handles.append(module.register_forward_hook(lambda *_: self._leave()))
        yield self
        for handle in handles:
            handle.remove()

    @property
    def innermost(self) -> Call:
        return self.open[-1][:2] if self.open else None

    def of(self, number: int) -> Call:
        """The call that ended first of those around the node."""
        return next((call for call, span in self.spans if number in span), None)

    def _enter(self, path: str) -> None:
        self.open.append((path, self.counts[path], NEXT()))
        self.counts[path] += 1

    def _leave(self) -> None:
        path, number, first = self.open.pop()
        self.spans.append(((path, number), range(first, NEXT())))


def nodes_of(loss: torch.Tensor) -> list[Any]:
    nodes, seen = [loss.grad_fn], {loss.grad_fn}
    for node in nodes:
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                nodes.append(child)
    return nodes


@dataclass
class Found:
    origin: Origin
    op: str
    number: int
    call: Call


def search(model: nn.Module, compute: Callable[[nn.Module], torch.Tensor]) -> tuple[Found, FirstBad]:
    """What the search finds in a fresh run, and what the oracle saw in a run of its own."""
    with Calls(model).watch() as calls, FirstBad(calls) as oracle:
        compute(model)
    with Calls(model).watch() as calls:
        base = NEXT()
        loss = compute(model)
        n_calls = calls.counts.copy()
        nodes = nodes_of(loss)
        origin = find_origin(loss, nodes)
        assert calls.counts == n_calls, "no forward call is repeated"
    assert origin is not None
    op = next(node.name() for node in nodes if node._sequence_nr() == origin.number)
    assert origin.number is not None
    return Found(origin, op, origin.number - base, calls.of(origin.number)), oracle


class Layers(nn.Module):
    """Two linear layers around a function of the test's."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(4, 4)
        self.function = Function(function)
        self.last = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.function(self.first(x)))


class Function(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class Logarithm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.log()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad / ctx.saved_tensors[0]


def attend(h: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
    return (h @ h.T / 2).masked_fill(masked, float("-inf")).softmax(dim=1) @ h


FUNCTIONS: dict[str, tuple[str, str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "log(0)": ("LogBackward0", "inf", lambda h: h.relu().log()),
    "log of a negative": ("LogBackward0", "nan", lambda h: (-1 - h.abs()).log()),
    "0/0": ("DivBackward0", "nan", lambda h: (h - h) / (h - h)),
    "1/0 by a constant": ("DivBackward0", "inf", lambda h: (1 + h.abs()) / torch.zeros(4)),
    "reciprocal": ("ReciprocalBackward0", "inf", lambda h: 1 / h.relu()),
    "sqrt of a negative": ("SqrtBackward0", "nan", lambda h: (-1 - h.abs()).sqrt()),
    "exp": ("ExpBackward0", "inf", lambda h: (1000 * h.abs() + 500).exp()),
    "power": ("PowBackward0", "inf", lambda h: h.relu() ** -2),
    "matrix product": ("MmBackward0", "inf", lambda h: (1e30 * h.abs()) @ (1e30 * h.abs()).T @ h),
    "half precision": ("MmBackward0", "inf", lambda h: ((400 + h).half() @ (400 + h).half().T).float() @ h),
    "masked softmax": ("SoftmaxBackward0", "nan", lambda h: attend(h, torch.ones(3, 3, dtype=torch.bool))),
    "custom function": ("LogarithmBackward", "inf", lambda h: Logarithm.apply(h.relu())),
    "after a healthy mask": (
        "LogBackward0",
        "inf",
        lambda h: attend(h, torch.ones(3, 3, dtype=torch.bool).triu(1)).relu().log(),
    ),
    "log, then sums": ("LogBackward0", "inf", lambda h: -(h.relu().log().sum(dim=0).expand(3, 4) + 1)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_op_that_spoils_the_loss_is_found(name: str) -> None:
    op, value, function = FUNCTIONS[name]
    x = torch.randn(3, 4)

    found, oracle = search(Layers(function), lambda model: model(x).sum())

    assert (found.op, found.origin.kind, found.origin.value) == (op, "op", value)
    assert found.number == oracle.number
    assert found.call == oracle.call == ("function", 0)


def test_a_parameter_that_is_spoilt_already_is_the_origin() -> None:
    x = torch.randn(3, 4)
    for name in ("first.weight", "first.bias", "last.weight", "last.bias"):
        model = Layers(torch.relu)
        spoilt = model.get_parameter(name)
        with torch.no_grad():
            spoilt[-1] = float("nan")

        found, oracle = search(model, lambda model: model(x).sum())

        assert found.origin.kind == "parameter", name
        assert found.origin.leaf is spoilt
        assert found.call == oracle.call == (name.partition(".")[0], 0)
        assert oracle.taken is not None and oracle.taken.data_ptr() == spoilt.data_ptr()


def test_of_several_spoilt_parameters_the_first_used_is_the_origin() -> None:
    model = Layers(torch.relu)
    with torch.no_grad():
        model.last.weight.fill_(float("nan"))
        model.first.bias.fill_(float("inf"))

    found, _ = search(model, lambda model: model(torch.ones(3, 4)).sum())

    assert found.origin.leaf is model.first.bias
    assert found.origin.value == "inf"


def test_data_that_is_spoilt_is_the_input_of_the_op_that_took_it() -> None:
    x = torch.randn(3, 4)
    x[1, 2] = float("nan")

    found, oracle = search(Layers(torch.relu), lambda model: model(x).sum())

    assert (found.origin.kind, found.origin.source, found.op) == ("input", "mat1", "AddmmBackward0")
    assert found.number == oracle.number
    assert found.call == oracle.call == ("first", 0)
    assert oracle.taken is x


def test_a_number_that_is_not_finite_is_the_input_of_the_op_that_took_it() -> None:
    found, oracle = search(Layers(lambda h: F.layer_norm((h + h) * float("inf"), [4])), lambda model: model(X).sum())

    assert (found.origin.kind, found.origin.source, found.op) == ("input", "other", "MulBackward0")
    assert found.number == oracle.number


def test_statistics_that_batch_norm_updates_are_not_the_origin() -> None:
    """They are not finite once it has seen what is not, and it saves them, as if they had been its input."""
    norm = nn.BatchNorm1d(4)

    found, oracle = search(Layers(lambda h: norm((1000 * h.abs() + 500).exp() + h)), lambda model: model(X).sum())
    norm.reset_running_stats()
    assert found.op == "ExpBackward0" and found.number == oracle.number

    norm.running_mean = torch.full((4,), float("nan"))
    norm.eval()
    found, _ = search(Layers(lambda h: norm(h)), lambda model: model(X).sum())
    assert (found.origin.kind, found.origin.source) == ("input", "running_mean")


def test_which_of_many_calls_of_a_module() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.Sequential(nn.Linear(4, 4), Function(lambda h: h - 1), Function(torch.exp))
            nn.init.constant_(self.cell[0].weight, 0.3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for _ in range(6):
                x = self.cell(10 * x)
            return x

    found, oracle = search(Loop(), lambda model: model(torch.full((2, 4), 0.1)).sum())

    assert found.op == "ExpBackward0"
    assert found.number == oracle.number
    assert found.call == oracle.call
    assert found.call is not None and 0 < found.call[1] < 5


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_inside_a_checkpoint_without_running_it_again(use_reentrant: bool) -> None:
    n_runs = 0

    def part(h: torch.Tensor) -> torch.Tensor:
        nonlocal n_runs
        n_runs += 1
        return (h.relu().log() + 1) * 2

    model = Layers(lambda h: checkpoint(part, h, use_reentrant=use_reentrant))
    found, oracle = search(model, lambda model: model(torch.ones(3, 4)).sum())

    assert n_runs == 2, "the oracle's run and ours"
    assert found.op == ("CheckpointFunctionBackward" if use_reentrant else "LogBackward0")
    assert found.number == oracle.number
    assert found.call == oracle.call == ("function", 0)


def test_suspect_calls_decide_where_autograd_kept_nothing() -> None:
    """Of two sums, one after the other, autograd keeps nothing; that the second call put out Inf is known."""
    model = nn.Sequential(nn.Linear(4, 4), Function(lambda h: h + h.detach()), Function(lambda h: h + float("inf")))
    with Calls(model).watch() as calls:
        loss = model(torch.ones(3, 4)).sum()
    spans = {call: span for call, span in calls.spans if call is not None}

    guess = find_origin(loss, nodes_of(loss))
    told = find_origin(loss, nodes_of(loss), [spans["2", 0], spans["", 0]])

    assert guess is not None and guess.number in spans["1", 0]
    assert told is not None and told.number in spans["2", 0]


def test_a_finite_loss_has_no_origin() -> None:
    h = nn.Linear(4, 4)(torch.ones(3, 4))
    assert find_origin(h.sum(), nodes_of(h.sum())) is None


def test_what_was_freed_or_changed_in_place_is_skipped() -> None:
    h = nn.Linear(4, 4)(torch.ones(3, 4))
    freed = h.exp()
    freed.sum().backward(retain_graph=False)
    changed = (2 * torch.ones(4, requires_grad=True)).exp()
    product = changed * 2
    changed.mul_(float("inf"))
    loss = freed.sum() + changed.sum() + product.sum()

    origin = find_origin(loss, nodes_of(loss))

    assert origin is not None and origin.value == "inf"


def test_a_deep_chain_is_searched_without_recursion() -> None:
    x = torch.ones(2, requires_grad=True)
    h = (x - 1).log()
    for _ in range(20_000):
        h = h + 1
    loss = h.sum()
    nodes = nodes_of(loss)

    origin = find_origin(loss, nodes)

    assert origin is not None
    assert next(node.name() for node in nodes if node._sequence_nr() == origin.number) == "LogBackward0"


def test_the_search_keeps_nothing_and_changes_nothing() -> None:
    h = nn.Linear(4, 4)(torch.ones(3, 4)).relu().log()
    kept = weakref.ref(h)
    random = torch.get_rng_state()
    loss = h.sum()
    version = h._version

    find_origin(loss, nodes_of(loss))

    assert h._version == version and torch.equal(torch.get_rng_state(), random)
    del h, loss
    gc.collect()
    assert kept() is None


def test_a_nested_tensor_is_searched_through() -> None:
    nested = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)], layout=torch.jagged, requires_grad=True)
    loss = F.relu(nested - 1).log().values().sum()

    origin = find_origin(loss, nodes_of(loss))

    assert origin is not None and origin.kind == "op"


# on the tape


def record_training(path: Path, model: nn.Module, **options: Any) -> list[dict[str, Any]]:
    """Train four steps and give the data of the "not_finite" events."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(path, strict=True, **options):
        for _ in range(4):
            optimizer.zero_grad()
            model(torch.ones(3, 4)).sum().backward()
            optimizer.step()
    tape = Tape(path)
    for event in tape.events("not_finite"):
        assert event.data.get("node") is None or event.data["node"] in tape.graph(event.step)
    return [event.data for event in tape.events("not_finite")]


@pytest.mark.parametrize("level", ["structure", "statistics"])
def test_the_event_names_op_module_call_and_line(tmp_path: Path, level: str) -> None:
    def spoil(h: torch.Tensor) -> torch.Tensor:
        return h.relu().log()

    events = record_training(tmp_path / "run.tape", Layers(spoil), level=level)

    (event, *_) = events
    assert (event["what"], event["value"], event["origin"]) == ("loss", "inf", "op")
    assert (event["op"], event["module"], event["call"]) == ("LogBackward0", "function", "function#0")
    assert event["node"] == "function#0/LogBackward0:0"
    if HAS_HOOK:  # without it, the first step has no lines yet
        assert event["source"]["function"].endswith("spoil")
        assert event["source"]["line"] == spoil.__code__.co_firstlineno + 1
    assert len([event for event in events if event["what"] == "loss"]) == 1, "one event for a row of bad steps"


def test_the_event_names_the_parameter(tmp_path: Path) -> None:
    model = Layers(torch.relu)
    with torch.no_grad():
        model.last.weight[0, 0] = float("nan")

    event, *_ = record_training(tmp_path / "run.tape", model)

    assert (event["origin"], event["parameter"], event["call"]) == ("parameter", "last.weight", "last#0")


def test_gradients_that_are_not_finite_are_an_event_of_measured_steps(tmp_path: Path) -> None:
    model = Layers(lambda h: (0 * h).sqrt())

    event, *_ = record_training(tmp_path / "run.tape", model, level="statistics")

    assert (event["what"], event["value"]) == ("gradient", "nan")
    assert {event["parameter"], *event["others"]} == {"first.weight", "first.bias"}


@pytest.mark.parametrize("level", ["structure", "statistics", "full"])
def test_a_healthy_training_has_no_such_event(tmp_path: Path, level: str) -> None:
    masked = torch.ones(3, 3, dtype=torch.bool).triu(1)
    assert not record_training(tmp_path / "run.tape", Layers(lambda h: attend(h, masked)), level=level)


def test_a_division_by_a_number_is_no_suspect_at_the_level_full_either(tmp_path: Path) -> None:
    layer = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", level="full", strict=True):
        masked = (layer(torch.randn(3, 4)) / 2).masked_fill(torch.ones(3, 4, dtype=torch.bool), float("-inf"))
        masked.softmax(-1).sum().backward()
        optimizer.step()
    (event,) = Tape(tmp_path / "run.tape").events("not_finite")
    assert event.data["op"] == "SoftmaxBackward0"


def test_a_loss_in_a_step_without_graph_is_told_without_an_origin(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", every=3, strict=True):
        for step in range(7):
            (layer(torch.ones(1, 2)).sum() * (float("nan") if step == 4 else 1.0)).backward()
            optimizer.step()
    (event,) = Tape(tmp_path / "run.tape").events("not_finite")
    assert (event.step, event.data) == (4, {"what": "loss", "value": "nan", "origin": None})
