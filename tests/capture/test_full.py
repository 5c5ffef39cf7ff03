"""What the level "full" measures: operators, node times, saved bytes. Driven as the recorder drives it, and compared
with modes and hooks of the tests' own in twin runs."""

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from tests.capture.node_hook import needs_hook, telling_of_nodes
from tests.capture.ways import WAYS, Way
from tracer import Tape, record
from tracer.capture import hooks
from tracer.capture.calls import NO_BASE, CallLog, module_calls
from tracer.capture.flops import Flops
from tracer.capture.guard import guarded
from tracer.capture.measuring import Measuring
from tracer.capture.names import Names
from tracer.model.statistics import Operator, Statistics

# Dynamo looks at `.grad` of what is no leaf, and says that it is not made for global hooks
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
    pytest.mark.filterwarnings(r"ignore:Using `torch.compile\(module\)` when there are global hooks"),
]


class StepKeys:
    """Keys as the step's graph would give them."""

    def __init__(self, log: CallLog) -> None:
        self._calls, self._innermost = module_calls(log.tokens, log.names)

    def call(self, position: int) -> str | None:
        at = self._innermost[position]
        return None if at is None else self._calls[at].key

    def node(self, number: int) -> str | None:
        return f"node {number}"

    def parameter(self, tensor: torch.Tensor) -> str | None:
        return None


class Measured:
    """Between `begin` and `take` a step is measured."""

    def __init__(self) -> None:
        self.log = CallLog(Names())
        self.measuring = Measuring(self.log, "full")
        self.failures: list[str] = []
        self.n_taken = 0

    def guard(self, hook: Callable[..., None]) -> Callable[..., None]:
        return guarded(hook, lambda name, trace: self.failures.append(trace), strict=True)

    def before_backward(self, roots: Sequence[torch.Tensor], kind: str) -> None:
        nodes = list(dict.fromkeys(root.node if hasattr(root, "node") else root.grad_fn for root in roots))
        if not nodes:
            return
        if self.log.base == NO_BASE:
            self.log.base = nodes[0]._sequence_nr()
        seen = set(nodes)
        for node in nodes:
            fresh = [child for child, _ in node.next_functions if child is not None and child not in seen]
            nodes += dict.fromkeys(fresh)
            seen.update(fresh)
        self.measuring.before_backward(nodes)

    def take(self) -> Statistics:
        self.measuring.take(self.n_taken, StepKeys(self.log))
        self.n_taken += 1
        self.log.clear()
        ((_, statistics),) = self.measuring.arrived(wait=True)
        return statistics


@contextmanager
def measured() -> Iterator[Measured]:
    it = Measured()
    guard, measuring = it.guard, it.measuring
    undo = [
        hooks.hold_module_hooks(),
        hooks.on_module_calls(guard(it.log.enter), guard(it.log.leave)),
        hooks.on_optimizer_steps(
            guard(lambda optimizer, *_: measuring.before_optimizer(optimizer)),
            guard(lambda optimizer, *_: measuring.after_optimizer(optimizer)),
        ),
        hooks.on_backward(guard(it.before_backward), guard(lambda kind: measuring.after_backward()), lambda *_: None),
    ]
    it.log.flow.attach(guard)
    measuring.attach(guard)
    try:
        yield it
    finally:
        measuring.detach()
        for each in reversed(undo):
            each()
        it.log.clear()
        assert not it.failures


def trained(way: Way, measure: bool) -> tuple[list[torch.Tensor], torch.Tensor]:
    torch.manual_seed(11)
    training = way.build()
    try:
        if measure:
            with measured() as it:
                for step in range(way.n_steps):
                    training.step(step)
                    it.take()
                    it.measuring.attach(it.guard)
        else:
            for step in range(way.n_steps):
                training.step(step)
        weights = [value.clone() for model in training.models.values() for value in model.state_dict().values()]
    finally:
        training.close()
    return weights, torch.get_rng_state()


@pytest.mark.parametrize("way", [way for way in WAYS if way.lacks is None], ids=str)
def test_weights_and_random_numbers_are_as_without(way: Way) -> None:
    bare, bare_state = trained(way, measure=False)
    weights, state = trained(way, measure=True)
    for value, expected in zip(weights, bare, strict=True):
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, expected)
    assert torch.equal(state, bare_state)
    assert not _get_current_dispatch_mode_stack()


class Seen(TorchDispatchMode):
    """An oracle: the operators that a mode of the test's own sees."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[tuple[Any, ...]] = []
        self.phase = "forward"

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.namespace == "profiler":  # notes for torch's profiler
            return result
        tensors = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        phase = "backward" if torch._C._current_graph_task_id() != -1 else self.phase
        shapes = tuple(tuple(tensor.shape) for tensor in tensors)
        dtype = str(tensors[0].dtype).removeprefix("torch.") if tensors else ""
        self.operators.append((str(func), phase, torch.is_grad_enabled(), shapes, dtype))
        return result


def plain(operator: Operator) -> tuple[Any, ...]:
    return operator.name, operator.phase, operator.grad_enabled, operator.shapes, operator.dtype


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.mix = nn.MultiheadAttention(4, 2, batch_first=True)
        self.frozen = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.conv(image)).relu_().flatten(2).transpose(1, 2)
        hidden = checkpoint(self._mixed, hidden, use_reentrant=False)
        with torch.no_grad():
            gate = self.frozen(hidden).sigmoid()
        first, second = (hidden * gate).mean(1).split(1, dim=0)
        return F.log_softmax(self.head(torch.cat([first, second])), 1)

    def _mixed(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden + self.mix(hidden, hidden, hidden, need_weights=False)[0]


def net() -> tuple[Net, torch.optim.Optimizer]:
    torch.manual_seed(3)
    model = Net()
    return model, torch.optim.Adam(model.parameters())


def train(model: nn.Module, optimizer: torch.optim.Optimizer, step: Callable[[], object] | None = None) -> None:
    optimizer.zero_grad()
    loss = F.nll_loss(model(torch.ones(2, 1, 5, 5)), torch.tensor([0, 1]))
    loss.backward()
    (step or optimizer.step)()


def test_the_operators_are_those_that_a_mode_of_the_tests_own_sees() -> None:
    model, optimizer = net()
    train(model, optimizer)
    with Seen() as seen:

        def step() -> None:
            seen.phase = "optimizer"
            optimizer.step()

        train(model, optimizer, step)

    model, optimizer = net()
    train(model, optimizer)
    with measured() as it:
        train(model, optimizer)
        statistics = it.take()

    assert [plain(operator) for operator in statistics.operators] == seen.operators
    assert {operator.device for operator in statistics.operators} == {"cpu"}
    assert len(statistics.operator_secs) == len(seen.operators)
    assert np.all(statistics.operator_secs > 0)


def test_an_operator_has_the_module_call_that_it_ran_in_or_whose_backward_it_runs_for() -> None:
    model, optimizer = net()
    with measured() as it:
        train(model, optimizer)
        operators = it.take().operators

    def calls_of(name: str, phase: str) -> list[str | None]:
        return [operator.call for operator in operators if operator.name == name and operator.phase == phase]

    assert calls_of("aten.convolution.default", "forward") == ["conv#0"]
    assert calls_of("aten.convolution_backward.default", "backward") == ["conv#0"]
    assert calls_of("aten.native_batch_norm_backward.default", "backward") == ["norm#0"]
    assert calls_of("aten.sigmoid.default", "forward") == ["#0"]
    assert calls_of("aten.nll_loss_backward.default", "backward") == [None]
    assert calls_of("aten._log_softmax_backward_data.default", "backward") == ["#0"]
    assert set(calls_of("aten.sqrt.default", "optimizer") + calls_of("aten._foreach_sqrt.default", "optimizer")) == {
        None
    }
    frozen = [operator for operator in operators if operator.call == "frozen#0"]
    assert frozen and not any(operator.grad_enabled for operator in frozen)


def test_flops_are_those_that_torch_counts() -> None:
    model, optimizer = net()
    with FlopCounterMode(display=False) as counter:
        train(model, optimizer)
    with measured() as it:
        train(model, optimizer)
        first = it.take().operators
        it.measuring.attach(it.guard)
        train(model, optimizer)
        second = it.take().operators

    assert sum(operator.flops or 0 for operator in first) == counter.get_total_flops() > 0
    assert sum(operator.flops or 0 for operator in second) == counter.get_total_flops()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_flops_of_an_evaluation_are_those_that_torch_counts(mode: Callable[[], Any]) -> None:
    model, _ = net()
    model.eval()
    state = torch.get_rng_state()
    with mode(), FlopCounterMode(display=False) as counter:
        model(torch.ones(2, 1, 5, 5))
    with measured() as it:
        for _ in range(3):
            with mode():
                model(torch.ones(2, 1, 5, 5))
        operators = it.take().operators

    assert sum(operator.flops or 0 for operator in operators) == counter.get_total_flops() > 0
    assert {operator.call for operator in operators if operator.flops} >= {"conv#0", "head#0", "frozen#0"}
    assert torch.equal(torch.get_rng_state(), state)


def test_equal_evaluations_tell_their_operators_once() -> None:
    model, optimizer = net()
    with measured() as it:
        model.eval()
        with torch.no_grad():
            for _ in range(4):
                model(torch.ones(2, 1, 5, 5)).argmax()
        model.train()
        train(model, optimizer)
        operators = it.take().operators

    names = [(operator.name, operator.call) for operator in operators]
    assert names.count(("aten.convolution.default", "conv#0")) == 2  # one evaluated, one trained
    assert names.count(("aten.argmax.default", None)) == 4
    assert [operator.grad_enabled for operator in operators if operator.name == "aten.convolution.default"] == [
        False,
        True,
    ]


def test_modes_of_the_users_leave_the_stack_as_they_expect() -> None:
    model, optimizer = net()
    with measured() as it:
        it.measuring.detach()
        with Seen() as outer:
            it.measuring.attach(it.guard)  # between two steps, inside of the user's mode
            with Seen() as inner:
                train(model, optimizer)
            assert _get_current_dispatch_mode_stack()[-1] is outer
            n_seen = len(inner.operators)
            model(torch.ones(2, 1, 5, 5))
            assert len(inner.operators) == n_seen < len(outer.operators)
            n_seen = len(outer.operators)
            statistics = it.take()
            assert _get_current_dispatch_mode_stack() == [outer]
            it.measuring.attach(it.guard)
        assert outer not in _get_current_dispatch_mode_stack()
    assert not _get_current_dispatch_mode_stack()
    assert len(statistics.operators) == n_seen


def test_an_error_of_the_users_comes_through_and_measuring_goes_on() -> None:
    with measured() as it:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            torch.ones(2, 3) @ torch.ones(2, 3)
        torch.ones(2).sum()
        names = [operator.name for operator in it.take().operators]
    assert names[-1] == "aten.sum.default" and "aten.mm.default" not in names


def test_what_returns_nothing_lists_or_its_own_input_is_told() -> None:
    weights = [torch.ones(2), torch.ones(3, 2)]
    with measured() as it:
        torch._foreach_mul_(weights, 2.0)
        torch._foreach_add(weights, 1.0)
        out = torch.empty(2)
        assert torch.add(weights[0], weights[0], out=out) is out
        weights[0].sum().item()
        operators = {operator.name: operator for operator in it.take().operators}
    assert operators["aten._foreach_mul_.Scalar"].shapes == ()
    assert operators["aten._foreach_mul_.Scalar"].device == "cpu"
    assert operators["aten._foreach_add.Scalar"].shapes == ((2,), (3, 2))
    assert operators["aten.add.out"].shapes == ((2,),)
    assert operators["aten._local_scalar_dense.default"].shapes == ()


def test_compiled_code_is_compiled_once_and_its_results_are_the_same() -> None:
    torch._dynamo.reset()
    compiled: list[Any] = []

    def backend(module: Any, inputs: Any) -> Any:
        compiled.append(module)
        return module

    inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    model = torch.compile(inner, backend=backend)
    data = torch.ones(2, 4)
    with measured() as it:
        results = [model(data)]
        it.take()
        results.append(model(data))
        it.measuring.attach(it.guard)
        results.append(model(data))
        it.take()
    assert len(compiled) == 1
    assert all(torch.equal(result, inner(data)) for result in results)
    torch._dynamo.reset()


def test_tensors_without_data_are_measured() -> None:
    with FakeTensorMode(), measured() as it:
        model = nn.Linear(4, 2)
        model(torch.ones(3, 4)).sum().backward()
        statistics = it.take()
    flops = {operator.name: operator.flops for operator in statistics.operators}
    assert flops["aten.addmm.default"] == 2 * 3 * 4 * 2
    assert statistics.nodes.keys


def test_a_failure_in_the_middle_of_an_operator_takes_the_mode_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(Flops, "count", fail)
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", level="full"):
        for _ in range(3):
            model(torch.ones(3, 4)).sum().backward()
            optimizer.step()
        assert not _get_current_dispatch_mode_stack()
    (event,) = Tape(tmp_path / "run.tape").events("capture_failed")
    assert "a bug of ours" in event.data["traceback"]
    assert len(Tape(tmp_path / "run.tape")) == 3


def test_the_level_full_reaches_the_tape(tmp_path: Path) -> None:
    model, optimizer = net()
    with record(tmp_path / "run.tape", strict=True, level="full"):
        for _ in range(2):
            train(model, optimizer)
    tape = Tape(tmp_path / "run.tape")
    for step in range(2):
        graph, statistics = tape.graph(step), tape.statistics(step)
        ops = {key for key, data in graph.nodes(data=True) if data["kind"] == "op"}
        assert set(statistics.nodes.keys) == ops
        assert set(statistics.nodes.columns) == {"backward_secs", "backward_pass", "backward_order", "saved_bytes"}
        assert np.all(np.nan_to_num(statistics.nodes.column("saved_bytes"), nan=-1) >= 0)
        keys = {call["key"] for call in graph.graph["module_calls"]} | {None}
        assert {operator.call for operator in statistics.operators} <= keys
        assert {operator.phase for operator in statistics.operators} == {"forward", "backward", "optimizer"}


class Sorted(nn.Module):
    """Saves what is made for it alone, one tensor in two places, a list of tensors, a result."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(6, 6)

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        hidden = self.lin(data)
        squared = hidden * hidden
        picked = squared[torch.tensor([0, 1])].exp()
        return Scaled.apply(picked, torch.ones(2, 6)).logsumexp(1).sum()


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, data: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(data, by)
        return data * by

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad * ctx.saved_tensors[1], None


@needs_hook
def test_saved_bytes_are_those_that_autograd_packs() -> None:
    model, data = Sorted(), torch.ones(3, 6)
    packed: dict[Any, dict[int, int]] = {}
    kept, waiting = [], []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        storage = tensor.untyped_storage()
        waiting.append((storage._cdata, storage.nbytes()))
        return tensor

    def made(node: Any) -> None:
        if not hasattr(node, "variable"):
            packed[node._sequence_nr()] = dict(waiting)
            waiting.clear()

    with saved_tensors_hooks(pack, lambda tensor: tensor), telling_of_nodes(made):
        loss = model(data)
    numbers = sorted(packed)
    expected = [sum(packed[number].values()) for number in numbers]
    loss.backward()

    with measured() as it:
        loss = model(data)
        loss.backward()
        nodes = it.take().nodes
    found = dict(zip(nodes.keys, nodes.column("saved_bytes").tolist(), strict=True))
    by_number = sorted(int(key.removeprefix("node ")) for key in found)
    assert [found[f"node {number}"] for number in by_number] == expected
    assert sum(expected) > 0


def test_saved_tensors_are_not_unpacked() -> None:
    calls = []

    def unpack(packed: tuple[torch.Tensor, str]) -> torch.Tensor:
        calls.append(packed)
        return packed[0]

    data = torch.ones(8, requires_grad=True)
    with measured() as it:
        with saved_tensors_hooks(lambda tensor: (tensor.clone(), "away"), unpack):
            loss = data.exp()
        with save_on_cpu():
            loss = loss.sin().sum()
        loss.backward()
        assert len(calls) == 1
        nodes = it.take().nodes
    assert sorted(nodes.column("saved_bytes").tolist()) == [0, 32, 32]


def test_every_node_that_ran_has_its_time() -> None:
    class Slow(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, data: torch.Tensor) -> torch.Tensor:
            return data.clone()

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            for _ in range(300):
                grad = grad + 0
            return grad

    data = torch.ones(4, requires_grad=True)
    with measured() as it:
        first = data.sin()
        slow = Slow.apply(first)
        loss = slow.cos().sum()
        names = {f"node {node._sequence_nr() - first.grad_fn._sequence_nr()}": node.name() for node in walk(loss)}
        base = it.log.base
        loss.backward(retain_graph=True)
        loss.backward()
        nodes = it.take().nodes
        assert base == NO_BASE
    secs = nodes.column("backward_secs")
    assert len(nodes.keys) == len(set(nodes.keys)) == 4
    assert np.all(secs > 0)
    slowest = int(secs.argmax())
    shift = min(int(key.removeprefix("node ")) for key in nodes.keys)
    assert names[f"node {int(nodes.keys[slowest].removeprefix('node ')) - shift}"] == "SlowBackward"


def walk(root: torch.Tensor) -> list[Any]:
    nodes = [root.grad_fn]
    for node in nodes:
        nodes += [child for child, _ in node.next_functions if child is not None and not hasattr(child, "variable")]
    return nodes


def test_the_hooks_of_a_backward_go_with_it() -> None:
    data = torch.ones(4, requires_grad=True)
    loss = data.exp().sum()
    with measured() as it:
        loss.backward(retain_graph=True)
        it.take()
        assert all(not node._register_hook_dict for node in walk(loss) if isinstance(node._register_hook_dict, dict))
    grads = data.grad.clone()
    loss.backward()
    assert torch.equal(data.grad, 2 * grads)


def test_a_backward_that_raises_leaves_no_hooks_that_count() -> None:
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, data: torch.Tensor) -> torch.Tensor:
            return data.clone()

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            raise ValueError("no")

    data = torch.ones(4, requires_grad=True)
    with measured() as it:
        with pytest.raises(ValueError, match="no"):
            Fails.apply(data.exp()).sum().backward()
        data.exp().sum().backward()
        nodes = it.take().nodes
    assert np.nansum(nodes.column("backward_secs")) > 0


def test_nothing_of_a_step_is_alive_after_it() -> None:
    model, optimizer = net()
    with measured() as it:
        train(model, optimizer)
        out = model(torch.ones(2, 1, 5, 5))
        loss = out.sum()
        alive = [weakref.ref(out), weakref.ref(loss)]
        storage = out.untyped_storage()._weak_ref()
        loss.backward()
        del out, loss
        it.take()
        gc.collect()
        assert [reference() for reference in alive] == [None, None]
        assert torch.UntypedStorage._expired(storage)
        torch.UntypedStorage._free_weak_ref(storage)
