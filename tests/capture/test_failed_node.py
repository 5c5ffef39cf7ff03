"""Which node a backward failed at, against hooks in front of every node, which see each begin."""

import gc
import random
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tracer.capture.failed_node import failed_node, order_of
from tracer.capture.place import EngineRun, place_of
from tracer.capture.walk import AccumulateGrad

N_PROGRAMS = 60

UNARY: list[Callable[[torch.Tensor], torch.Tensor]] = [
    torch.sin,
    torch.exp,
    torch.tanh,
    torch.relu,
    torch.neg,
    lambda x: x.view(4, 2).reshape(8),
    lambda x: x * 2,
    lambda x: x.flip(0),
    lambda x: x.sum() + x,
]
BINARY: list[Callable[..., torch.Tensor]] = [
    torch.add,
    torch.mul,
    torch.sub,
    torch.maximum,
    lambda a, b: a / (2 + b.abs()),
]


class Failing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        raise ValueError("on purpose")


class Program:
    """A random graph of ops on leaves and on each other's outputs."""

    def __init__(self, seed: int) -> None:
        self.choice = random.Random(seed)
        torch.manual_seed(seed)
        self.leaves = [torch.randn(8, requires_grad=True) for _ in range(4)]
        self.tensors = list(self.leaves)

    def grow(self, n_ops: int) -> None:
        for _ in range(n_ops):
            recent = self.tensors[-8:]
            if self.choice.random() < 0.5:
                self.tensors.append(self.choice.choice(UNARY)(self.choice.choice(recent)))
            else:
                self.tensors.append(self.choice.choice(BINARY)(*self.choice.choices(recent, k=2)))

    def loss(self) -> torch.Tensor:
        return sum(tensor.sum() for tensor in self.tensors[-3:])  # type: ignore[return-value]

    @property
    def made(self) -> list[torch.Tensor]:
        return self.tensors[len(self.leaves) :]


def nodes_of(loss: torch.Tensor) -> list[Any]:
    nodes = {loss.grad_fn: None}
    waiting = [loss.grad_fn]
    while waiting:
        for child, _ in waiting.pop().next_functions:
            if child is not None and child not in nodes:
                nodes[child] = None
                waiting.append(child)
    return list(nodes)


def watched(loss: torch.Tensor) -> list[Any]:
    """Filled with the nodes as they begin."""
    begun: list[Any] = []
    for node in nodes_of(loss):
        node.register_prehook(lambda _, node=node: begun.append(node))
    return begun


def failure(run: Callable[[], object]) -> Exception:
    try:
        run()
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


def found(error: Exception, was_run: Callable[[Any], bool] = lambda _: False) -> Any:
    guess = failed_node(place_of(error), str(error), was_run)
    assert guess is None or guess.is_certain
    return None if guess is None else guess.node


@pytest.mark.parametrize("seed", range(N_PROGRAMS))
def test_the_order_is_the_engines(seed: int) -> None:
    program = Program(seed)
    program.grow(30)
    loss = program.loss()
    begun = watched(loss)
    expected = order_of(EngineRun((loss,), (), False))
    loss.backward()
    # all leaves are as good as each other
    assert [n for n in expected if type(n) is not AccumulateGrad] == [n for n in begun if type(n) is not AccumulateGrad]
    assert set(expected) == set(begun)


@pytest.mark.parametrize("seed", range(N_PROGRAMS))
def test_of_wanted_gradients_only_what_leads_to_them_runs(seed: int) -> None:
    program = Program(seed)
    program.grow(30)
    loss = program.loss()
    wanted = program.choice.sample([*program.leaves, *program.made[:20]], 3)
    begun = watched(loss)
    expected = order_of(EngineRun((loss,), tuple(wanted), False))
    torch.autograd.grad(loss, wanted, allow_unused=True)
    leaves = {node for node in expected if type(node) is AccumulateGrad}  # whose gradient is handed over
    assert [node for node in expected if node not in leaves] == [n for n in begun if type(n) is not AccumulateGrad]


def spoil_in_place(program: Program) -> torch.Tensor:
    loss = program.loss()
    with torch.no_grad():
        for tensor in program.choice.sample(program.made, 4):
            tensor.add_(1)
    return loss


def spoil_sizes(program: Program) -> torch.Tensor:
    """What the forward pass saved of a leaf has another size by now, which only the op itself notices."""
    loss = program.loss()
    program.choice.choice(program.leaves).data = torch.ones(5)
    return loss


def insert_failing(program: Program) -> torch.Tensor:
    program.tensors.append(Failing.apply(program.choice.choice(program.made)))
    program.grow(12)
    return program.loss()


@pytest.mark.parametrize("spoil", [spoil_in_place, spoil_sizes, insert_failing])
def test_the_node_is_found_in_random_graphs(spoil: Callable[[Program], torch.Tensor]) -> None:
    rights, failures = 0, 0
    for seed in range(4 * N_PROGRAMS):
        program = Program(seed)
        program.grow(25)
        loss = spoil(program)
        begun = watched(loss)
        try:
            loss.backward()
        except (RuntimeError, ValueError) as error:
            failures += 1
            rights += found(error) is begun[-1]
    print(f"{spoil.__name__}: {rights} of {failures}")
    assert failures > N_PROGRAMS
    assert rights == failures


@pytest.mark.parametrize("is_in_sight", [True, False])
def test_a_hook_on_a_tensor_is_found_where_it_can_be(is_in_sight: bool) -> None:
    rights, certain, failures = 0, 0, 0
    for seed in range(4 * N_PROGRAMS):
        program = Program(seed)
        program.grow(25)
        hooked = program.choice.choice(program.made[:-3])
        loss = program.loss()
        node = hooked.grad_fn
        hooked.register_hook(lambda _: 1 / 0)
        if node not in nodes_of(loss):
            continue
        failures += 1
        error = failure(loss.backward)
        seen = [node] if is_in_sight else []
        guess = failed_node(place_of(error), str(error), lambda _: False, seen)
        assert guess is not None and (guess.node is node or not guess.is_certain)
        rights, certain = rights + (guess.node is node), certain + guess.is_certain
    print(f"hook, in sight {is_in_sight}: {rights} of {failures}, {certain} certain")
    assert failures > N_PROGRAMS
    assert rights == failures if is_in_sight else rights / failures > 0.6


def test_a_hook_on_a_parameter_is_found() -> None:
    for seed in range(N_PROGRAMS):
        program = Program(seed)
        program.grow(25)
        loss = program.loss()
        leaves = [leaf for leaf in program.leaves if any(getattr(n, "variable", None) is leaf for n in nodes_of(loss))]
        hooked = program.choice.choice(leaves)
        hooked.register_hook(lambda _: 1 / 0)
        assert found(failure(loss.backward)).variable is hooked


def test_the_first_freed_node_of_a_second_backward() -> None:
    trunk = torch.ones(3, requires_grad=True).exp()
    first, second = trunk.sin().sum(), trunk.cos().sum()
    first.backward()
    begun = watched(second)
    ran = set(nodes_of(first))
    assert found(failure(second.backward), ran.__contains__) is begun[-1] is trunk.grad_fn


def test_a_wrong_gradient_is_the_fault_of_the_node_that_returned_it() -> None:
    class Wrong(Failing):
        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return gradient[:2]

    hidden = torch.ones(3, requires_grad=True) + 1
    wrong = Wrong.apply(hidden.sin())
    assert found(failure((wrong + 1).exp().sum().backward)) is wrong.grad_fn


def test_where_the_graph_is_kept_nothing_tells() -> None:
    hidden = torch.ones(3, requires_grad=True).exp()
    hidden.register_hook(lambda _: 1 / 0)
    assert found(failure(lambda: (hidden * hidden).sum().backward(retain_graph=True))) is None
    with torch.no_grad():
        other = torch.ones(3, requires_grad=True)
    changed = other.exp()
    loss = (changed * changed).sum()
    changed += 1
    assert found(failure(lambda: loss.backward(retain_graph=True))).name() == "MulBackward0"


def test_anomaly_mode_names_the_same_op() -> None:
    n_compared = 0
    for seed in range(N_PROGRAMS):
        program = Program(seed)
        program.grow(25)
        loss = spoil_in_place(program)
        with warnings.catch_warnings(record=True) as told, torch.autograd.set_detect_anomaly(True):
            warnings.simplefilter("always")
            try:
                loss.backward()
            except RuntimeError as error:
                node = found(error)
            else:
                node = None
        named = [str(warning.message) for warning in told if "Error detected in" in str(warning.message)]
        if node is not None:
            n_compared += 1
            assert named[0].startswith(f"Error detected in {node.name()}.")
    assert n_compared > N_PROGRAMS // 3


def test_the_search_leaves_nothing_alive() -> None:
    hidden = torch.ones(3, requires_grad=True).exp()
    hidden.register_hook(lambda _: 1 / 0)
    loss = hidden.sum()
    error = failure(loss.backward)
    assert failed_node(place_of(error), str(error), lambda _: False) is not None
    reference = weakref.ref(hidden)
    del error, hidden, loss
    gc.collect()
    assert reference() is None
