"""Every way in which people build autograd graphs, each as a small training: one step of it is one step of the tape."""

import copy
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.distributed
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint
from torchvision.ops import roi_align


@dataclass(frozen=True)
class Training:
    """`step(i)` trains step i and returns the loss that the tape is to show for it, None where it has none.

    `models` are named by what stands before their names on the tape: "" for the first.
    """

    models: dict[str, nn.Module]
    step: Callable[[int], float | None]
    close: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Way:
    """`n_steps` of the training that `build` begins, from random numbers that are seeded before."""

    name: str
    build: Callable[[], Training]
    n_steps: int
    lacks: str | None

    def __str__(self) -> str:
        return self.name


WAYS: list[Way] = []

Build = Callable[[], Training]


def way(n_steps: int = 3, lacks: str | None = None) -> Callable[[Build], Build]:
    """Put a way into the list; `lacks` says why it cannot run on this machine."""

    def add(build: Build) -> Build:
        WAYS.append(Way(build.__name__, build, n_steps, lacks))
        return build

    return add


def sgd(*models: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([weight for model in models for weight in model.parameters()], lr=0.05, momentum=0.9)


def trained(
    model: nn.Module,
    loss_of: Callable[[int], torch.Tensor],
    optimizer: torch.optim.Optimizer | None = None,
    models: dict[str, nn.Module] | None = None,
    close: Callable[[], object] = lambda: None,
) -> Training:
    """The loop of every tutorial around `loss_of(step)`."""
    optimizer = optimizer or sgd(model)

    def step(i: int) -> float:
        optimizer.zero_grad()
        loss = loss_of(i)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Training(models or {"": model}, step, close)


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))


def x(rows: int = 3, columns: int = 4) -> torch.Tensor:
    return torch.randn(rows, columns)


@contextmanager
def _quiet() -> Iterator[None]:
    """What is deprecated, a prototype or discouraged says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# passes


@way()
def plain() -> Training:
    model = mlp()
    return trained(model, lambda _: model(x()).square().mean())


@way()
def several_backwards() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(_: int) -> float:
        losses = [model(x()).mean(), model(x()).square().sum(), model[0](x()).sum()]
        for loss in losses:
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return sum(loss.item() for loss in losses)

    return Training({"": model}, step)


@way()
def several_roots() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(_: int) -> None:
        out = model(x())
        torch.autograd.backward([out[:, 0].sum(), out[:, 1].mean(), out], [None, None, torch.ones_like(out)])
        optimizer.step()

    return Training({"": model}, step)


@way()
def gradient_edges() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(_: int) -> None:
        edge = torch.autograd.graph.get_gradient_edge(model(x()).sum())
        torch.autograd.backward(edge)
        optimizer.step()

    return Training({"": model}, step)


@way()
def autograd_grad() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(_: int) -> None:
        weights = list(model.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(model(x()).sum(), weights), strict=True):
            weight.grad = gradient
        optimizer.step()

    return Training({"": model}, step)


@way()
def inputs_of_backward() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(_: int) -> float:
        loss = model(x()).sum()
        loss.backward(inputs=[model[0].weight])
        optimizer.step()
        return loss.item()

    return Training({"": model}, step)


@way()
def retain_graph() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(_: int) -> float:
        out = model(x())
        first, second = out[:, 0].sum(), out[:, 1].exp().sum()
        first.backward(retain_graph=True)
        first.backward(retain_graph=True)
        second.backward()
        optimizer.step()
        return 2 * first.item() + second.item()

    return Training({"": model}, step)


@way()
def gradient_penalty() -> Training:
    model = mlp()

    def loss(_: int) -> torch.Tensor:
        data = x().requires_grad_()
        out = model(data).square().sum()
        (slope,) = torch.autograd.grad(out, data, create_graph=True)
        return out + (slope.norm() - 1).square()

    return trained(model, loss)


@way()
def create_graph_in_backward() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(_: int) -> float:
        optimizer.zero_grad(set_to_none=True)
        first = model(x()).square().sum()
        with _quiet():
            first.backward(create_graph=True)
        gradients = [weight.grad for weight in model.parameters()]
        for weight in model.parameters():
            weight.grad = None  # else weight and gradient hold each other
        second = sum(gradient.square().sum() for gradient in gradients)
        second.backward()
        optimizer.step()
        return first.item() + second.item()

    return Training({"": model}, step)


@way()
def a_penalty_within_a_module() -> Training:
    class Energy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.potential = mlp()

        def forward(self, at: torch.Tensor) -> torch.Tensor:
            at = at.detach().requires_grad_()
            energy = self.potential(at).sum()
            return torch.autograd.grad(energy, at, create_graph=True)[0]

    model = Energy()
    return trained(model, lambda _: (model(x()) - 1).square().mean())


@way()
def inner_steps() -> Training:
    model = mlp()

    def loss(i: int) -> torch.Tensor:
        fast = dict(model.named_parameters())
        for _ in range(1 + i % 2):
            inner = functional_call(model, fast, (x(),)).square().mean()
            slopes = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
            fast = {name: value - 0.1 * slope for (name, value), slope in zip(fast.items(), slopes, strict=True)}
        return functional_call(model, fast, (x(),)).square().mean()

    return trained(model, loss)


@way(n_steps=2)
def hessian_vector_product() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(_: int) -> None:
        weights = tuple(model.parameters())
        slopes = torch.autograd.grad(model(x()).square().sum(), weights, create_graph=True)
        along = sum((slope * torch.ones_like(slope)).sum() for slope in slopes)
        for weight, curve in zip(weights, torch.autograd.grad(along, weights, allow_unused=True), strict=True):
            weight.grad = curve
        optimizer.step()

    return Training({"": model}, step)


# steps


@way()
def accumulation() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(i: int) -> float:
        total = 0.0
        for _ in range(2 + i % 2):
            loss = model(x()).square().mean() / 2
            loss.backward()
            total += loss.item()
        optimizer.step()
        optimizer.zero_grad()
        return total

    return Training({"": model}, step)


class Judge(nn.Sequential):
    """The second model of a pair, named by its class on the tape."""


def _pair() -> tuple[nn.Sequential, Judge]:
    return nn.Sequential(nn.Linear(4, 4), nn.Tanh()), Judge(nn.Linear(4, 1))


@way(n_steps=5)
def two_optimizers_in_turn() -> Training:
    maker, judge = _pair()
    judging, making = sgd(judge), sgd(maker)

    def step(i: int) -> float:
        if i % 2:
            judging.zero_grad()
            loss = judge(x()).mean() - judge(maker(x()).detach()).mean()
            loss.backward()
            judging.step()
        else:
            making.zero_grad()
            loss = -judge(maker(x())).mean()
            loss.backward()
            making.step()
        return loss.item()

    return Training({"": maker, "Judge": judge}, step)


@way(n_steps=6)
def a_graph_over_two_steps() -> Training:
    maker, judge = _pair()
    judging, making = sgd(judge), sgd(maker)
    made: list[torch.Tensor] = []

    def step(i: int) -> float:
        if i % 2 == 0:
            judge.requires_grad_(True)
            made.append(maker(x()))
            loss = judge(made[0].detach()).mean()
            loss.backward()
            judging.step()
            judging.zero_grad()
        else:
            judge.requires_grad_(False)
            loss = -judge(made.pop()).mean()
            loss.backward()
            making.step()
            making.zero_grad()
        return loss.item()

    return Training({"": maker, "Judge": judge}, step)


@way()
def lbfgs() -> Training:
    model = mlp()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    data = x()

    def step(_: int) -> float:
        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = model(data).square().mean()
            loss.backward()
            return loss

        return optimizer.step(closure).item()

    return Training({"": model}, step)


@way()
def no_optimizer() -> Training:
    model = mlp()

    def step(_: int) -> float:
        loss = model(x()).square().mean()
        loss.backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= 0.1 * weight.grad
                weight.grad = None
        return loss.item()

    return Training({"": model}, step)


@way(n_steps=8)
def truncated_bptt() -> Training:
    cell, state = nn.RNNCell(2, 3), [torch.zeros(1, 3)]

    def step(i: int) -> float:
        if i % 6 == 0:
            state[0] = state[0].detach()
        state[0] = cell(torch.randn(1, 2), state[0])
        loss = state[0].square().sum()
        loss.backward(retain_graph=True)
        for weight in cell.parameters():
            weight.data -= 0.1 * weight.grad  # past autograd's check that saved weights are unchanged
            weight.grad = None
        return loss.item()

    return Training({"": cell}, step)


@way(n_steps=5)
def weights_replaced_in_the_middle() -> Training:
    model = mlp()
    optimizers = [sgd(model)]

    def step(i: int) -> float:
        if i == 2:
            model[0].weight = nn.Parameter(torch.randn(6, 4))
        if i == 3:
            model[2] = nn.Linear(6, 2)
            model.append(nn.Linear(2, 2))
        if i in (2, 3):
            optimizers.append(sgd(model))
        loss = model(x()).square().mean()
        loss.backward()
        optimizers[-1].step()
        optimizers[-1].zero_grad()
        return loss.item()

    return Training({"": model}, step)


@way(n_steps=4)
def frozen_and_thawed() -> Training:
    model = nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 1), "spare": nn.Linear(4, 1)})
    optimizer = sgd(model)

    def step(i: int) -> float:
        model["body"].requires_grad_(i >= 2)
        model["spare"].requires_grad_(i % 2 == 0)
        optimizer.zero_grad()
        loss = model["head"](model["body"](x()).relu()).sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Training({"": model}, step)


# functions and modules


class Scale(torch.autograd.Function):
    """Saves a tensor."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(value, factor)
        return value * factor

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, factor = ctx.saved_tensors
        return gradient * factor, (gradient * value).sum()


class Both(torch.autograd.Function):
    """Saves nothing, takes a number beside the tensor, and has two outputs, of which one has no gradient."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, factor: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ctx.factor = factor
        order = value.argsort()
        ctx.mark_non_differentiable(order)
        return value * factor, order, -value

    @staticmethod
    def backward(ctx: Any, first: torch.Tensor, _: Any, second: torch.Tensor) -> tuple[torch.Tensor, None]:
        return first * ctx.factor - second, None


@way()
def custom_function() -> Training:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.factor = nn.Linear(4, 3), nn.Parameter(torch.ones(()))

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            first, _, second = Both.apply(Scale.apply(self.body(data), self.factor), 2.0)
            return first.exp() + second

    model = Scaled()
    return trained(model, lambda _: model(x()).mean())


@way()
def cpp_function() -> Training:
    model = nn.Conv2d(1, 2, 3, padding=1)
    boxes = torch.tensor([[0.0, 0, 0, 4, 4]])
    return trained(model, lambda _: roi_align(model(torch.randn(1, 1, 6, 6)), boxes, 2).sum())


class Checkpointed(nn.Module):
    """Two checkpointed halves and a part that is not, with dropout, so that a stray call would show."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.first = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.ReLU())
        self.second = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.head, self.spare = nn.Linear(4, 1), nn.Linear(4, 1)

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        data = data.requires_grad_(self.reentrant)
        hidden = checkpoint(self.first, data, use_reentrant=self.reentrant)
        return self.head(checkpoint(self.second, hidden, use_reentrant=self.reentrant))


@way()
def checkpoint_not_reentrant() -> Training:
    model = Checkpointed(reentrant=False)
    return trained(model, lambda _: model(x()).sum())


@way()
def checkpoint_reentrant() -> Training:
    model = Checkpointed(reentrant=True)
    return trained(model, lambda _: model(x()).sum())


class Nested(nn.Module):
    def __init__(self, outer: bool, inner: bool) -> None:
        super().__init__()
        self.outer, self.inner = outer, inner
        self.deep = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.around, self.head, self.spare = nn.Linear(4, 4), nn.Linear(4, 1), nn.Linear(1, 1)

    def part(self, data: torch.Tensor) -> torch.Tensor:
        return self.around(checkpoint(self.deep, data, use_reentrant=self.inner)).relu()

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        return self.head(checkpoint(self.part, data.requires_grad_(), use_reentrant=self.outer))


@way()
def checkpoints_nested() -> Training:
    model = Nested(outer=False, inner=False)
    return trained(model, lambda _: model(x()).sum())


@way()
def checkpoints_nested_reentrant() -> Training:
    model = Nested(outer=True, inner=True)
    return trained(model, lambda _: model(x()).sum())


@way()
def checkpoints_nested_mixed() -> Training:
    model = Nested(outer=True, inner=False)
    return trained(model, lambda _: model(x()).sum())


@way()
def in_place_and_views() -> Training:
    class Twisted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared, self.act = nn.Linear(4, 4), nn.ReLU(inplace=True)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            z = torch.zeros(3, 4)
            z[:, :2] = self.act(self.shared(data))[:, :2]
            z[:, 2:].copy_(self.shared(z.clone())[:, 2:]).mul_(2)
            z.t()[0].add_(1)
            return z.unbind(1)[1] + z.chunk(2, 1)[1].sum(1)

    model = Twisted()
    return trained(model, lambda _: model(x()).sum())


@way()
def shared_weights() -> Training:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.mix, self.out = nn.Embedding(7, 4), nn.Linear(4, 4), nn.Linear(4, 7, bias=False)
            self.out.weight = self.embed.weight
            self.again = self.mix

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            return self.out(self.again(self.mix(self.mix(self.embed(words)).tanh())))

    model = Tied()
    return trained(model, lambda _: F.cross_entropy(model(torch.randint(7, (5,))), torch.randint(7, (5,))))


@way()
def weight_norm() -> Training:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 1))
    return trained(model, lambda _: model(x()).sum())


@way()
def weight_norm_of_old() -> Training:
    with _quiet():
        model = nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 4)), nn.utils.weight_norm(nn.Linear(4, 1)))
    return trained(model, lambda _: model(x()).sum())


@way()
def spectral_norm() -> Training:
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 4)), nn.Linear(4, 1))
    return trained(model, lambda _: model(x()).sum())


@way()
def spectral_norm_of_old() -> Training:
    model = nn.Sequential(nn.utils.spectral_norm(nn.Linear(4, 4)), nn.Linear(4, 1))
    return trained(model, lambda _: model(x()).sum())


@way(n_steps=5)
def parametrized_in_the_middle() -> Training:
    model = mlp()
    optimizers = [sgd(model)]

    def step(i: int) -> float:
        if i == 2:
            parametrizations.orthogonal(model[0])
            optimizers[0] = sgd(model)
        loss = model(x()).square().mean()
        loss.backward()
        optimizers[0].step()
        optimizers[0].zero_grad()
        return loss.item()

    return Training({"": model}, step)


@way(n_steps=5)
def pruning() -> Training:
    model = mlp()
    optimizer = sgd(model)

    def step(i: int) -> float:
        if i == 2:
            prune.l1_unstructured(model[0], "weight", amount=0.5)
        if i == 4:
            prune.remove(model[0], "weight")
        optimizer.zero_grad()
        loss = model(x()).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Training({"": model}, step)


@way()
def fake_quantized() -> Training:
    from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver

    class Quantized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quantize = FakeQuantize(MovingAverageMinMaxObserver, quant_min=0, quant_max=255)
            self.body = nn.Linear(4, 2)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            return (
                self.body(self.quantize(data))
                + torch.fake_quantize_per_tensor_affine(self.body.weight, 0.1, 0, -128, 127).sum()
            )

    model = Quantized()
    return trained(model, lambda _: model(x()).sum())


@way()
def low_rank_adapter() -> Training:
    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = nn.Linear(4, 4).requires_grad_(False)
            self.down, self.up = nn.Linear(4, 1, bias=False), nn.Linear(1, 4, bias=False)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            return self.base(data) + self.up(self.down(data))

    model = nn.Sequential(nn.Linear(4, 4).requires_grad_(False), Adapted(), nn.Linear(4, 1))
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad])
    return trained(model, lambda _: model(x()).sum(), optimizer)


@way()
def called_through_forward() -> Training:
    class Direct(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            return self.second(self.first.forward(data).relu())

    model = Direct()
    return trained(model, lambda _: model.forward(x()).sum())


# precision


@way()
def autocast() -> Training:
    model = mlp()

    def loss(_: int) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            out = model(x())
        return out.float().square().mean()

    return trained(model, loss)


def _scaled(steps_that_overflow: tuple[int, ...]) -> Training:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=1000.0)

    def step(i: int) -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(x()).float().square().mean()
        if i in steps_that_overflow:
            loss = loss * 3e38
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return Training({"": model}, step)


@way()
def grad_scaler() -> Training:
    return _scaled(())


@way(n_steps=5)
def grad_scaler_that_skips() -> Training:
    return _scaled((0, 2))


@way()
def grad_scaler_with_clipping_and_accumulation() -> Training:
    model = mlp()
    optimizer = sgd(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=1000.0)

    def step(_: int) -> float:
        optimizer.zero_grad()
        losses = [model(x()).square().mean() / 2 for _ in range(2)]
        scaler.scale(losses[0]).backward()
        scaler.scale(losses)[1].backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        scaler.step(optimizer)
        scaler.update()
        return sum(loss.item() for loss in losses)

    return Training({"": model}, step)


@way()
def grad_scaler_switched_off() -> Training:
    model = mlp()
    optimizer = sgd(model)
    scaler = torch.amp.GradScaler("cpu", enabled=False)

    def step(_: int) -> float:
        optimizer.zero_grad()
        loss = model(x()).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return Training({"": model}, step)


# transforms and compilers


@way()
def functional_call_of_copies() -> Training:
    model = mlp()
    weights = {name: weight.detach().clone().requires_grad_() for name, weight in model.named_parameters()}
    optimizer = torch.optim.SGD(weights.values(), lr=0.1)

    def step(_: int) -> float:
        optimizer.zero_grad()
        loss = functional_call(model, weights, (x(),)).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Training({"": model}, step)


@way()
def functional_call_of_its_own() -> Training:
    model = mlp()
    return trained(model, lambda _: functional_call(model, dict(model.named_parameters()), (x(),)).square().mean())


@way()
def vectorized() -> Training:
    model = mlp()
    return trained(model, lambda _: vmap(lambda row: model(row).square().sum())(x()).mean())


@way()
def gradient_as_a_function() -> Training:
    model = mlp()
    return trained(model, lambda _: vmap(grad(lambda row: model(row).square().sum()))(x()).square().mean())


@way()
def ensemble() -> Training:
    models = [mlp() for _ in range(2)]
    stacked = {
        name: torch.stack([dict(model.named_parameters())[name].detach() for model in models]).requires_grad_()
        for name, _ in models[0].named_parameters()
    }
    skeleton = copy.deepcopy(models[0]).requires_grad_(False)
    optimizer = torch.optim.SGD(stacked.values(), lr=0.1)

    def step(_: int) -> float:
        optimizer.zero_grad()
        data = x()
        loss = vmap(lambda weights: functional_call(skeleton, weights, (data,)))(stacked).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Training({"": skeleton}, step)


@way(n_steps=5)
def scripted() -> Training:
    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 4))

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            return torch.tanh(torch.sigmoid(data @ self.weight) * 2 + data)

    with _quiet():
        model = nn.Sequential(nn.Linear(4, 4), torch.jit.script(Body()), nn.Linear(4, 1))
    return trained(model, lambda _: model(x()).sum())


@way(n_steps=4)
def traced() -> Training:
    with _quiet():
        model = nn.Sequential(torch.jit.trace(mlp(), x()), nn.Linear(2, 1))
    return trained(model, lambda _: model(x()).sum())


def _compiled(backend: str) -> Training:
    torch._dynamo.reset()
    model = mlp()
    compiled = torch.compile(model, backend=backend)
    return trained(model, lambda _: compiled(x()).square().mean(), close=torch._dynamo.reset)


@way()
def compiled_aot_eager() -> Training:
    return _compiled("aot_eager")


@way(n_steps=2)
def compiled_inductor() -> Training:
    return _compiled("inductor")


@way()
def compiled_in_part() -> Training:
    torch._dynamo.reset()

    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            hidden = self.first(data).relu()
            torch._dynamo.graph_break()
            return self.second(hidden)

    model = nn.Sequential(nn.Linear(4, 4), Broken())
    model[1].compile(backend="aot_eager")
    return trained(model, lambda _: model(x()).square().mean(), close=torch._dynamo.reset)


@way(n_steps=4)
def conditional() -> Training:
    torch._dynamo.reset()

    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 1), nn.Linear(4, 1)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            return torch.cond(data.sum() > 0, lambda rows: self.left(rows), lambda rows: self.right(rows), (data,))

    model = Branching()
    return trained(model, lambda i: model(x() + (-1) ** i).sum(), close=torch._dynamo.reset)


# several devices, processes, threads


def _distributed(**options: Any) -> Training:
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    inner = nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 1), "spare": nn.Linear(4, 1)})
    if not options:
        del inner["spare"]

    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = inner

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            return self.parts["head"](self.parts["body"](data).relu())

    model = nn.parallel.DistributedDataParallel(Body(), **options)
    return trained(model, lambda _: model(x()).sum(), close=torch.distributed.destroy_process_group)


@way()
def distributed() -> Training:
    return _distributed()


@way()
def distributed_with_unused_parameters() -> Training:
    return _distributed(find_unused_parameters=True)


@way()
def data_parallel() -> Training:
    model = nn.DataParallel(mlp())
    return trained(model, lambda _: model(x()).sum())


def in_a_thread(work: Callable[[], Any]) -> Any:
    """The result of `work`, done by a thread of its own."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


@way(n_steps=4)
def forward_in_a_thread() -> Training:
    model = nn.ModuleDict({"here": mlp(), "there": nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))})
    for _ in range(20):  # numbers of nodes count per thread: let those of the threads meet those of this one
        in_a_thread(lambda: model["there"](x()))

    def loss(i: int) -> torch.Tensor:
        data = model["there"][0](x()) if i % 2 else x()
        there = in_a_thread(lambda: model["there"](data).tanh())
        return model["here"](there).sum()

    return trained(model, loss)


@way(n_steps=4)
def forwards_in_many_threads() -> Training:
    model = nn.ModuleDict({"here": nn.Linear(4, 2), "there": nn.ModuleList(mlp() for _ in range(3))})

    def loss(_: int) -> torch.Tensor:
        data = x()
        outs = [in_a_thread(lambda part=part: part(data)) for part in model["there"]]
        return (model["here"](data) + sum(outs)).sum()

    return trained(model, loss)


@way(n_steps=4)
def training_in_a_thread() -> Training:
    training = several_backwards()
    requests: list[int] = []
    results: list[float | None] = []
    turn, done = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        while True:
            turn.acquire()
            if not requests:
                return
            results.append(training.step(requests.pop()))
            done.release()

    thread = threading.Thread(target=work)

    def step(i: int) -> float | None:
        if not thread.is_alive():
            thread.start()
        requests.append(i)
        turn.release()
        done.acquire()
        return results.pop()

    def close() -> None:
        turn.release()
        thread.join()

    return Training(training.models, step, close)


@way(n_steps=4)
def evaluation_in_a_thread() -> Training:
    model = nn.Sequential(mlp(), nn.Linear(2, 1))

    def evaluate() -> torch.Tensor:
        with torch.no_grad():
            return model[0](x())

    return trained(model, lambda _: (model(x()) + in_a_thread(evaluate).sum()).sum())


# tensors and structures


@way()
def jagged() -> Training:
    model = nn.Linear(4, 2)

    def loss(i: int) -> torch.Tensor:
        rows = torch.nested.nested_tensor([torch.randn(n + i, 4) for n in (2, 3)], layout=torch.jagged)
        return model(rows).relu().values().sum()

    return trained(model, loss)


@way()
def nested_strided() -> Training:
    model = nn.Linear(4, 2)

    def loss(_: int) -> torch.Tensor:
        with _quiet():
            rows = torch.nested.nested_tensor([torch.randn(n, 4) for n in (2, 3)])
        return torch.nested.to_padded_tensor(model(rows), 0.0).sum()

    return trained(model, loss)


@way()
def sparse() -> Training:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.mix = nn.Embedding(9, 4, sparse=True), nn.Linear(4, 4)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            near = torch.eye(3).to_sparse_coo()
            return torch.sparse.mm(near, self.mix(self.embed(words)))

    model = Sparse()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return trained(model, lambda _: model(torch.randint(9, (3,))).sum(), optimizer)


@way()
def complex_numbers() -> Training:
    class Spectral(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filter = nn.Parameter(torch.randn(3, dtype=torch.complex64))

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            return torch.fft.irfft(torch.fft.rfft(data) * self.filter, n=4)

    model = Spectral()
    return trained(model, lambda _: model(x()).square().sum() + model.filter.abs().sum())


@dataclass
class Prediction:
    mean: torch.Tensor
    parts: dict[str, list[torch.Tensor]]


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor | None


@way()
def structured_outputs() -> Training:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, data: torch.Tensor, *, right: bool) -> Pair:
            return Pair(self.left(data), self.right(data) if right else None)

    class Predictor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = Head()

        def forward(self, batch: dict[str, Any]) -> Prediction:
            pairs = [self.head(rows, right=bool(at)) for at, rows in enumerate(batch["rows"])]
            return Prediction(pairs[0].left.mean(), {"pairs": [pairs[0].left, pairs[1].right]})

    model = Predictor()

    def loss(_: int) -> torch.Tensor:
        found = model({"rows": (x(), x()), "name": "nothing"})
        return found.mean + sum(part.sum() for part in found.parts["pairs"])

    return trained(model, loss)


@way()
def empty_batches() -> Training:
    model = mlp()
    return trained(model, lambda i: model(x(3 if i == 1 else 0)).sum())


# graphs that differ from step to step


@way(n_steps=1)
def a_chain_of_20_000() -> Training:
    model = nn.Linear(1, 1)

    def loss(_: int) -> torch.Tensor:
        value = model(torch.ones(1, 1))
        for _ in range(20_000):
            value = value + 1
        return value.sum()

    return trained(model, loss)


@way(n_steps=5)
def unrolled() -> Training:
    model = nn.ModuleDict({"cell": nn.LSTMCell(2, 3), "head": nn.Linear(3, 1)})

    def loss(i: int) -> torch.Tensor:
        state = torch.zeros(2, 3), torch.zeros(2, 3)
        for _ in range([1, 2, 3, 2, 1][i]):
            state = model["cell"](torch.randn(2, 2), state)
        return model["head"](state[0]).sum()

    return trained(model, loss)


@way()
def recurrent() -> Training:
    model = nn.ModuleDict({"body": nn.GRU(2, 3, num_layers=2, bidirectional=True), "head": nn.Linear(6, 1)})
    return trained(model, lambda i: model["head"](model["body"](torch.randn(2 + i, 2, 2))[0]).sum())


@way(n_steps=5)
def mixture_of_experts() -> Training:
    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.experts = nn.Linear(4, 3), nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            weights, chosen = self.gate(data).softmax(-1).max(-1)
            out = torch.zeros_like(data)
            for at, expert in enumerate(self.experts):
                rows = (chosen == at).nonzero()[:, 0]
                if len(rows):
                    out = out.index_add(0, rows, expert(data[rows]) * weights[rows, None])
            return out

    model = Mixture()
    return trained(model, lambda _: model(x(2)).square().sum())


@way(n_steps=5)
def early_exit() -> Training:
    class Exits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
            self.exits = nn.ModuleList(nn.Linear(4, 1) for _ in range(3))

        def forward(self, data: torch.Tensor, depth: int) -> torch.Tensor:
            for block, leave in zip(self.blocks[:depth], self.exits, strict=False):
                data = block(data).relu()
                out = leave(data)
            return out

    model = Exits()
    return trained(model, lambda i: model(x(), 1 + i % 3).sum())


@way()
def detached_branch() -> Training:
    model = nn.ModuleDict({"seen": nn.Linear(4, 4), "cut": nn.Linear(4, 4), "head": nn.Linear(4, 1)})
    return trained(model, lambda _: model["head"](model["seen"](x()) + model["cut"](x()).detach()).sum())


@way()
def without_grad_and_evaluation() -> Training:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen, self.head = mlp(), nn.Linear(2, 1)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                hidden = self.frozen(data)
            return self.head(hidden)

    model = nn.Sequential(nn.Dropout(0.2), Frozen())

    def loss(i: int) -> torch.Tensor:
        model.eval()
        for _ in range(i):
            with torch.inference_mode():
                model(x())
        out = model(x())
        model.train()
        with torch.no_grad():
            model(x())
        return (model(x()) + out).sum()

    return trained(model, loss)


@way()
def forward_that_fails() -> Training:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            raise ValueError(self.inner(data).shape)

    class Catches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bad, self.good = Fails(), nn.Linear(4, 1)

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            try:
                return self.bad(data)
            except ValueError:
                return self.good(data)

    model = Catches()
    return trained(model, lambda _: model(x()).sum())


@way()
def backward_hooks() -> Training:
    model = mlp()
    model[1].register_full_backward_hook(lambda module, inputs, outputs: None)
    model[0].weight.register_post_accumulate_grad_hook(lambda weight: None)
    return trained(model, lambda _: model(x()).sum())
