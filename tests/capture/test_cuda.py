"""On an accelerator: CUDA graphs, and numbers that are known a step late. What needs no device stands in for one."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tracer import Tape, record
from tracer.capture import scalars
from tracer.capture.not_finite import BadLoss, NotFinite
from tracer.capture.probes.parameters import _copies_on_device
from tracer.capture.scalars import StepScalars, loss_of
from tracer.options import LEVELS

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def test_numbers_are_left_alone_while_a_graph_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    far = torch.empty((), device="meta")  # to read it would raise
    monkeypatch.setattr(scalars, "is_recorded", lambda: True)
    step = StepScalars()
    step.set("far", far)
    step.set("near", 2.0)

    assert loss_of([far.clone().requires_grad_()]) is None
    assert dict(step.so_far()) == {"near": 2.0} == step.take(0)
    assert not list(step.arrived(wait=True))


def test_copies_are_those_of_the_values_in_every_layout() -> None:
    square = torch.randn(3, 4)
    originals = [square, square.t(), square[:, ::2], torch.randn(()), torch.empty(0)]

    copies = _copies_on_device(originals)

    assert all(map(torch.equal, copies, originals))
    assert not {copy.data_ptr() for copy in copies if copy.numel()} & {square.data_ptr()}


def search(watch: NotFinite, factor: float) -> None:
    loss = (torch.ones(2, requires_grad=True) * factor).sum()
    nodes = [loss.grad_fn]
    for node in nodes:
        nodes += [child for child, _ in node.next_functions if child is not None]
    watch.search(loss, nodes, ())


def test_a_loss_known_late_has_its_event_even_where_the_next_step_is_healthy() -> None:
    watch = NotFinite()
    watch.arrived(2, 1.0)
    assert not watch.is_new(torch.ones(()))
    watch.arrived(3, float("inf"))
    assert watch.is_new(torch.ones(()))
    search(watch, 1.0)

    assert watch.unexplained() == BadLoss(3, "inf", is_late=True)
    assert watch.unexplained() is None and watch.end() is None and not watch.is_new(torch.ones(()))


def test_a_loss_known_late_is_told_once_where_the_next_graph_shows_its_origin() -> None:
    watch = NotFinite()
    watch.arrived(3, float("nan"))
    watch.arrived(4, float("nan"))
    search(watch, float("nan"))

    assert watch.unexplained() is None and watch.end() is None


def test_a_loss_known_when_the_training_is_over_has_its_event() -> None:
    watch = NotFinite()
    watch.arrived(3, float("nan"))

    assert watch.end() == BadLoss(3, "nan", is_late=True) and watch.end() is None


def train_on_cuda(spoilt: set[int], n_steps: int = 6) -> None:
    """Batches in `spoilt` have a NaN for a loss, and change no weight."""
    torch.manual_seed(0)
    model = nn.Linear(4, 1).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(n_steps):
        optimizer.zero_grad()
        loss = model(torch.ones(2, 4, device="cuda")).exp().mean()
        (loss * float("nan") if step in spoilt else loss).backward()
        if step in spoilt:
            optimizer.zero_grad()
        optimizer.step()


@needs_cuda
@pytest.mark.parametrize("level", LEVELS)
def test_on_cuda_a_batch_that_was_left_out_has_its_event(tmp_path: Path, level: str) -> None:
    with record(tmp_path / "run.tape", strict=True, level=level):
        train_on_cuda({2})
    (event,) = [event for event in Tape(tmp_path / "run.tape").events("not_finite") if event.data["what"] == "loss"]
    assert event.step == 2
    assert event.data == {"what": "loss", "value": "nan", "origin": None, "late": True}


def captured(n_replays: int = 4) -> tuple[list[float], list[torch.Tensor]]:
    """Three steps, one captured into a CUDA graph and replayed, one more: the losses, and the weights at the end."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = torch.randn(8, 16, device="cuda"), torch.randint(5, (8,), device="cuda")
    losses: list[torch.Tensor] = []

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        losses += [step().detach().clone() for _ in range(3)]
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        static = step()
    for _ in range(n_replays):
        graph.replay()
        losses.append(static.detach().clone())
    losses.append(step().detach().clone())
    return [loss.item() for loss in losses], [weight.detach().clone() for weight in model.parameters()]


def graphed_callable() -> tuple[list[float], list[torch.Tensor]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5)).cuda()
    x, y = torch.randn(8, 16, device="cuda"), torch.randint(5, (8,), device="cuda")
    graphed = torch.cuda.make_graphed_callables(model, (x,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = F.cross_entropy(graphed(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [weight.detach().clone() for weight in model.parameters()]


@needs_cuda
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("breakpoints", [(), ("loss_above value=100", "gradient_norm_above value=1e9")])
@pytest.mark.parametrize("train", [captured, graphed_callable])
@pytest.mark.filterwarnings("ignore:The CUDA Graph is empty", "ignore:The AccumulateGrad node's stream")
def test_a_cuda_graph_is_captured_and_replayed_as_without_recording(
    tmp_path: Path,
    level: str,
    breakpoints: tuple[str, ...],
    train: Callable[[], tuple[list[float], list[torch.Tensor]]],
) -> None:
    losses, weights = train()
    with record(tmp_path / "run.tape", strict=True, level=level, breakpoints=breakpoints):
        found_losses, found_weights = train()

    assert found_losses == losses
    assert all(map(torch.equal, found_weights, weights))
    tape = Tape(tmp_path / "run.tape")
    assert not tape.events("capture_failed")
    told = tape.series("loss")[1].tolist()
    assert told == losses[:3] + losses[-1:] if train is captured else told[-4:] == losses
