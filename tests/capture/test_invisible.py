"""Recording changes nothing: weights, losses, random numbers, calls; and what fails in it never reaches the
training."""

import gc
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from tracer import Tape, record
from tracer.capture.calls import CallLog
from tracer.capture.passes import Passes
from tracer.options import LEVELS


class Net(nn.Module):
    """Dropout, batch norm, a checkpointed part and an evaluation under no_grad: whatever a stray call would disturb."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3))
        self.tail = nn.Linear(16, 3)
        self.n_calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.n_calls += 1
        return self.tail(checkpoint(self.body, x, use_reentrant=False))


def train(make_optimizer: Callable[[nn.Module], torch.optim.Optimizer], n_steps: int = 6) -> dict[str, object]:
    torch.manual_seed(3)
    model = Net()
    optimizer = make_optimizer(model)
    losses = []
    for _ in range(n_steps):
        x, y = torch.randn(5, 8), torch.randint(3, (5,))

        def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).item())
    with torch.no_grad():
        model.eval()
        final = model(torch.ones(2, 8))
    return {
        "losses": losses,
        "weights": [parameter.detach().clone() for parameter in model.state_dict().values()],
        "final": final,
        "random": torch.get_rng_state(),
        "calls": model.n_calls,
    }


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        lambda model: torch.optim.AdamW(model.parameters()),
        lambda model: torch.optim.LBFGS(model.parameters(), max_iter=3),
    ],
    ids=["SGD", "AdamW", "LBFGS"],
)
def test_training_is_bit_equal_with_and_without_recording(
    tmp_path: Path, make_optimizer: Callable[[nn.Module], torch.optim.Optimizer]
) -> None:
    bare = train(make_optimizer)
    with record(tmp_path / "run.tape", strict=True):
        recorded = train(make_optimizer)

    assert recorded["losses"] == bare["losses"]
    assert recorded["calls"] == bare["calls"]
    assert torch.equal(recorded["random"], bare["random"])
    assert torch.equal(recorded["final"], bare["final"])
    assert all(torch.equal(a, b) for a, b in zip(recorded["weights"], bare["weights"], strict=True))
    tape = Tape(tmp_path / "run.tape")
    assert tape.series("loss")[1].tolist() == bare["losses"]
    assert [step.optimizer for step in tape.steps] == [make_optimizer(Net()).__class__.__name__] * 6


@pytest.mark.parametrize(
    ("name", "options"), [("resnet18", {}), ("densenet121", {}), ("vit_b_16", {"image_size": 32, "dropout": 0.1})]
)
def test_torchvision_models_train_to_the_same_bits(tmp_path: Path, name: str, options: dict[str, float]) -> None:
    def run() -> tuple[list[float], list[torch.Tensor]]:
        torch.manual_seed(1)
        model = torchvision.models.get_model(name, num_classes=4, **options)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        images, labels = torch.randn(2, 3, 32, 32), torch.tensor([0, 3])
        losses = []
        for _ in range(2):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, list(model.state_dict().values())

    losses, weights = run()
    with record(tmp_path / "run.tape", strict=True):
        recorded_losses, recorded_weights = run()

    assert recorded_losses == losses
    assert all(torch.equal(a, b) for a, b in zip(recorded_weights, weights, strict=True))


def test_nothing_of_a_step_is_kept_alive(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    made: list[weakref.ref[object]] = []
    with record(tmp_path / "run.tape", strict=True):
        for _ in range(4):
            hidden = model[0](torch.randn(2, 4))
            out = model[1](hidden).exp()
            made += [weakref.ref(hidden), weakref.ref(out)]
            out.sum().backward()
            optimizer.step()
            del hidden, out
        gc.collect()
        assert [reference() for reference in made] == [None] * len(made)


def test_a_model_is_not_kept_alive_by_its_names(tmp_path: Path) -> None:
    with record(tmp_path / "run.tape", strict=True):
        model = nn.Linear(4, 4)
        model(torch.ones(1, 4)).sum().backward()
        reference = weakref.ref(model)
        del model
        gc.collect()
        assert reference() is None


@pytest.mark.parametrize(
    ("where", "name"), [(CallLog, "enter"), (CallLog, "leave"), (Passes, "record")], ids=["enter", "leave", "walk"]
)
def test_a_failing_hook_is_recorded_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: type, name: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug of ours")

    bare = train(lambda model: torch.optim.SGD(model.parameters(), lr=0.1))
    monkeypatch.setattr(where, name, fail)
    with record(tmp_path / "run.tape"):
        recorded = train(lambda model: torch.optim.SGD(model.parameters(), lr=0.1))

    tape = Tape(tmp_path / "run.tape")
    (event,) = tape.events("capture_failed")
    assert "a bug of ours" in event.data["traceback"]
    assert len(tape) == 6
    assert tape.series("loss")[1].tolist() == bare["losses"]
    assert all(torch.equal(a, b) for a, b in zip(recorded["weights"], bare["weights"], strict=True))


def test_a_failing_step_boundary_is_recorded_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracer.capture.recorder.StepRecord", None)
    bare = train(lambda model: torch.optim.SGD(model.parameters(), lr=0.1))
    with record(tmp_path / "run.tape"):
        recorded = train(lambda model: torch.optim.SGD(model.parameters(), lr=0.1))

    assert recorded["losses"] == bare["losses"]
    assert [event.data["hook"] for event in Tape(tmp_path / "run.tape").events("capture_failed")] == [
        "_after_optimizer"
    ]


def test_hooks_are_gone_after_the_recording(tmp_path: Path) -> None:
    from torch.nn.modules import module

    before = torch.autograd._engine_run_backward
    with record(tmp_path / "run.tape"):
        assert torch.autograd._engine_run_backward is not before
    assert torch.autograd._engine_run_backward is before
    assert not module._global_forward_hooks and not module._global_forward_pre_hooks


def test_compiled_regions_train_while_recorded(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", strict=True):
        for _ in range(2):
            compiled(torch.ones(2, 4)).sum().backward()
            optimizer.step()

    tape = Tape(tmp_path / "run.tape")
    assert len(tape) == 2
    assert not tape.events("capture_failed")
    assert tape.graph(1).graph["unreached"] == []


def test_a_module_that_raises_leaves_the_call_log_in_order(tmp_path: Path) -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("early exit")

    class Catches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bad, self.good = Fails(), nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                return self.bad(x)
            except ValueError:
                return self.good(x)

    model = Catches()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", strict=True), nullcontext():
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    graph = Tape(tmp_path / "run.tape").graph(0)
    assert [(call["path"], call["parent"]) for call in graph.graph["module_calls"]] == [
        ("", None),
        ("bad", 0),
        ("good", 0),
    ]
    assert graph.nodes["good#0/AddmmBackward0:0"]["module"] == "good"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("strict", [False, True])
def test_a_model_is_exported_while_recorded(tmp_path: Path, level: str, strict: bool) -> None:
    model, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2)
    before = str(torch.export.export(model, (x,), strict=strict).graph)
    with record(tmp_path / "run.tape", level=level, strict=True):
        exported = torch.export.export(model, (x,), strict=strict)
        model(x).sum().backward()
    assert str(exported.graph) == before
    tape = Tape(tmp_path / "run.tape")
    assert not tape.events("capture_failed") and len(tape) == 1
    assert "1#0/ReluBackward0:0" in tape.graph(0)


@pytest.mark.parametrize("level", LEVELS)
def test_training_on_fake_tensors_is_left_alone(tmp_path: Path, level: str) -> None:
    with record(tmp_path / "run.tape", level=level, strict=True), FakeTensorMode():
        model = nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
    tape = Tape(tmp_path / "run.tape")
    assert not tape.events("capture_failed")
    assert [step.scalars.keys() & {"loss"} for step in tape.steps] == [set(), set()]
