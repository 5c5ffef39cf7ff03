"""Which call fed which in a forward-only pass. The oracle is autograd: the graph of the same forward with grad."""

import gc
import weakref
from collections import UserDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from tracer import Tape, record
from tracer.capture.flow import Flow

Links = set[tuple[str, str]]


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (dict, UserDict)):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif hasattr(value, "__dataclass_fields__"):
        yield from tensors_in(list(vars(value).values()))


@contextmanager
def oracle(model: nn.Module) -> Iterator[Links]:
    """Links between the calls of `model`, as path#call, found by walking from each call's inputs back to the nearest
    outputs of other calls."""
    links: Links = set()
    made: dict[Any, str] = {}  # the node of an output -> the call that gave it last
    counts: dict[str, int] = {}
    running: list[str] = []

    def enter(path: str, args: Any, kwargs: Any) -> None:
        key = f"{path}#{counts.get(path, 0)}"
        counts[path] = counts.get(path, 0) + 1
        running.append(key)
        waiting = [tensor.grad_fn for tensor in tensors_in((args, kwargs))]
        seen = set()
        for node in waiting:
            if node is None or node in seen:
                continue
            seen.add(node)
            if node in made:
                links.add((made[node], key))
            else:
                waiting += [child for child, _ in node.next_functions]

    def leave(output: Any) -> None:
        key = running.pop()
        made.update((tensor.grad_fn, key) for tensor in tensors_in(output))

    handles = []
    for path, module in model.named_modules():
        handles.append(
            module.register_forward_pre_hook(
                lambda _, args, kwargs, path=path: enter(path, args, kwargs), with_kwargs=True
            )
        )
        handles.append(module.register_forward_hook(lambda module, args, output: leave(output)))
    try:
        yield links
    finally:
        for handle in handles:
            handle.remove()


def links_of(tape: Tape, step: int = 0) -> Links:
    calls = tape.graph(step).graph["module_calls"]
    return {(calls[at]["key"], call["key"]) for call in calls if not call["grad_enabled"] for at in call["fed_by"]}


def recorded(path: Path, model: nn.Module, forward: Callable[[], object], n: int = 1) -> Tape:
    """A tape of `forward`, run n times without grad, and a step of the model's own."""
    with record(path / "run.tape", strict=True):
        for _ in range(n):
            with torch.no_grad():
                forward()
    tape = Tape(path / "run.tape")
    assert not tape.events("capture_failed")
    assert not _get_current_dispatch_mode_stack()
    return tape


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second, self.last = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.ReLU()

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        hidden = self.second(F.gelu(self.norm(self.first(data))))
        return self.last(hidden + data)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.branches = nn.ModuleList([nn.Linear(4, size) for size in (1, 2, 3)])
        self.join = nn.Linear(6, 4)

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        stem = self.stem(data)
        return self.join(torch.cat([branch(stem) for branch in self.branches], 1))


@dataclass
class Out:
    hidden: torch.Tensor
    more: dict[str, Any]


class Packs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 4)

    def forward(self, batch: Any) -> Out:
        hidden = self.lin(batch["data"])
        return Out(hidden, {"both": [hidden.sin(), (hidden.cos(), None)], "name": "x"})


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.packs, self.heads = Packs(), nn.ModuleList([nn.Linear(4, 2), nn.Bilinear(4, 4, 2)])

    def forward(self, data: torch.Tensor) -> Any:
        out = self.packs(batch=UserDict(data=data))
        sine, (cosine, _) = out.more["both"]
        return {"a": self.heads[0](input=sine), "b": self.heads[1](out.hidden, input2=cosine)}


class InPlace(nn.Module):
    """Writes to views, activates in place, hands views on."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.act, self.three, self.flat = (
            nn.Linear(4, 4),
            nn.Linear(4, 2),
            nn.ReLU(inplace=True),
            nn.Linear(4, 4),
            nn.Flatten(),
        )

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        hidden = self.act(self.one(data) * 1)
        zeros = torch.zeros(data.shape[0], 4)
        zeros[:, :2] = self.two(hidden)
        zeros[:, 2:].add_(1)
        left, right = self.three(zeros).chunk(2, 1)
        left = self.flat(left.unsqueeze(2))
        return self.three(torch.cat([left, right], 1))


class Again(nn.Module):
    """One module many times, through a list and a loop of numbers that nobody can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTMCell(4, 4), nn.Linear(4, 4)

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        state = None
        outs = []
        for row in data.unsqueeze(1):
            state = self.cell(row, state)
            outs.append(state[0])
        return self.head(torch.stack(outs).mean(0))


MODELS = [Residual, Branches, Nested, InPlace, Again, lambda: nn.Sequential(Residual(), Branches(), nn.Identity())]


@pytest.mark.parametrize("build", MODELS)
@pytest.mark.parametrize("without_grad", [torch.no_grad, torch.inference_mode])
def test_links_are_those_of_the_graph_that_autograd_builds_of_the_same_forward(
    build: Callable[[], nn.Module], without_grad: Callable[[], Any], tmp_path: Path
) -> None:
    model, data = build(), torch.randn(3, 4)
    with oracle(model) as expected:
        model(data.clone().requires_grad_())

    def forward() -> None:
        with without_grad():
            model(data)

    assert expected
    assert links_of(recorded(tmp_path, model, forward)) == expected


@pytest.mark.parametrize("build", [torchvision.models.resnet18, torchvision.models.shufflenet_v2_x0_5])
def test_links_of_real_models(build: Callable[[], nn.Module], tmp_path: Path) -> None:
    model, data = build().eval(), torch.randn(1, 3, 32, 32)
    with oracle(model) as expected:
        model(data.clone().requires_grad_())
    assert links_of(recorded(tmp_path, model, lambda: model(data), n=3)) == expected


def test_calls_on_the_top_feed_each_other(tmp_path: Path) -> None:
    encoder, decoder = nn.Linear(4, 4), nn.Bilinear(4, 4, 1)

    def forward() -> None:
        code = encoder(torch.ones(2, 4))
        decoder(code, code.flip(0))

    tape = recorded(tmp_path, encoder, forward, n=2)
    calls = tape.graph(0).graph["module_calls"]
    assert [call["class"] for call in calls] == ["Linear", "Bilinear"]
    assert [call["fed_by"] for call in calls] == [[], [0]]


def test_links_are_known_in_later_steps_and_count_from_the_pass(tmp_path: Path) -> None:
    model, other = Residual(), nn.Linear(4, 1)
    optimizer = torch.optim.SGD([*model.parameters()], lr=0.1)
    data = torch.randn(3, 4)
    with record(tmp_path / "run.tape", strict=True):
        for step in range(4):
            with torch.no_grad():
                other(data)
                for _ in range(step):
                    model(data)
            model(data).sum().backward()
            optimizer.step()
    tape = Tape(tmp_path / "run.tape")
    for step in range(1, 4):
        calls = tape.graph(step).graph["module_calls"]
        links = {(calls[at]["path"], call["path"]) for call in calls for at in call["fed_by"]}
        assert links == {
            ("Residual.first", "Residual.norm"),
            ("Residual.norm", "Residual.second"),
            ("Residual.second", "Residual.last"),
        }
        assert all(calls[at]["count"] == step for call in calls for at in call["fed_by"])
        assert all(not call["fed_by"] for call in calls if call["grad_enabled"])


def test_operators_are_watched_only_until_a_pass_is_known() -> None:
    flow = Flow()
    flow.attach(lambda hook: hook)
    watched = []
    for signature in [(4, -1), (4, -1), (4, -1), (4, 8, -1, -1), (4, 8, -1, -1), (4, -1)]:
        flow.begin(4)
        watched.append(bool(_get_current_dispatch_mode_stack()))
        for token in signature:
            if token == -1:
                flow.leave({}, None)
            else:
                flow.enter(())
        flow.end(signature)
        assert not _get_current_dispatch_mode_stack()
    assert watched == [True, True, False, False, True, False]


def test_a_structure_seen_after_the_watch_gets_its_links_when_it_comes_again(tmp_path: Path) -> None:
    class Changes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.n = nn.Linear(4, 4), nn.Linear(4, 4), 1

        def forward(self, data: torch.Tensor) -> torch.Tensor:
            for _ in range(self.n):
                data = self.two(self.one(data).sin()).cos()
            return data

    model = Changes()

    def forward() -> None:
        model.n = 2 if sum(counts) >= 3 else 1
        counts.append(1)
        model(torch.ones(2, 4))

    counts: list[int] = []
    links = links_of(recorded(tmp_path, model, forward, n=6))
    assert links == {("one#0", "two#0"), ("two#0", "one#1"), ("one#1", "two#1")}


class Counts(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("context", [nullcontext, Counts])
def test_results_and_modes_of_the_users_are_as_without(context: Callable[[], Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, data = nn.Sequential(Residual(), nn.Dropout()), torch.randn(5, 4)

    def run() -> tuple[list[torch.Tensor], int]:
        torch.manual_seed(1)
        results = []
        with torch.no_grad(), context() as mode:
            for _ in range(3):
                with Counts():
                    results.append(model(data))
        return [*results, torch.get_rng_state()], getattr(mode, "n", 0)

    expected, n_expected = run()
    model[0].norm.reset_running_stats()
    with record(tmp_path / "run.tape", strict=True):
        results, n = run()
    assert all(map(torch.equal, results, expected))
    assert n == n_expected


def test_a_forward_that_raises_leaves_no_mode_and_no_link(tmp_path: Path) -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(4, 4)

        def forward(self, data: torch.Tensor) -> None:
            self.lin(data)
            raise ValueError("no")

    model, other = Fails(), nn.Linear(4, 4)
    with record(tmp_path / "run.tape", strict=True), torch.no_grad():
        with pytest.raises(ValueError, match="no"):
            model(torch.ones(1, 4))
        assert not _get_current_dispatch_mode_stack()
        other(torch.ones(1, 4))
    assert not links_of(Tape(tmp_path / "run.tape"))


def test_no_tensor_is_held(tmp_path: Path) -> None:
    encoder = nn.Linear(4, 4)
    with record(tmp_path / "run.tape", strict=True), torch.no_grad():
        code = encoder(torch.ones(2, 4))
        view, storage = weakref.ref(code), code.untyped_storage()._weak_ref()
        del code
        gc.collect()
        assert view() is None
        assert torch.UntypedStorage._expired(storage)
        torch.UntypedStorage._free_weak_ref(storage)


@pytest.mark.filterwarnings(r"ignore:Using `torch.compile\(module\)` when there are global hooks")
def test_compiled_modules_are_compiled_once_and_their_results_are_the_same(tmp_path: Path) -> None:
    torch._dynamo.reset()
    compiled: list[Any] = []

    def backend(module: Any, inputs: Any) -> Any:
        compiled.append(module)
        return module

    first, second = nn.Linear(4, 4), nn.Linear(4, 2)
    model = nn.Sequential(torch.compile(first, backend=backend), second)
    data = torch.ones(2, 4)
    with record(tmp_path / "run.tape", strict=True), torch.no_grad():
        results = [model(data) for _ in range(4)]
    assert len(compiled) == 1
    with torch.no_grad():
        assert all(torch.equal(result, second(first(data))) for result in results)
    torch._dynamo.reset()


def test_links_to_and_of_what_comes_after_many_equal_passes(tmp_path: Path) -> None:
    encoder, decoder, late = nn.Linear(4, 4), Residual(), Branches()

    def forward() -> None:
        code = encoder(torch.ones(2, 4))
        (decoder if len(passes) < 10 else late)(code)
        passes.append(1)

    passes: list[int] = []
    tape = recorded(tmp_path, encoder, forward, n=14)
    calls = tape.graph(0).graph["module_calls"]
    fed = {(calls[at]["path"], call["path"]) for call in calls for at in call["fed_by"] if call["parent"] is None}
    assert fed == {("", "Residual"), ("", "Branches")}
    assert ("Branches.branches.1", "Branches.join") in {
        (calls[at]["path"], call["path"]) for call in calls for at in call["fed_by"]
    }
    assert [call["count"] for call in calls if call["parent"] is None] == [14, 10, 4]
