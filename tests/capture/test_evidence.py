"""What the op that spoilt a value took and gave, against the tensors themselves; and that looking changes nothing."""

from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.capture.test_origin import Layers
from tracer import Tape, record
from tracer.capture.evidence import values_of

INF, NAN = float("inf"), float("nan")
Spoil = Callable[[torch.Tensor], torch.Tensor]


def expected(tensor: torch.Tensor) -> dict[str, Any]:
    """What numpy says of the values."""
    array = tensor.detach().double().numpy().ravel()
    finite = array[np.isfinite(array)]
    extremes = (finite.min(), finite.max(), pytest.approx(finite.mean(), rel=1e-6)) if finite.size else (None,) * 3
    return {
        "count": array.size,
        "nans": int(np.isnan(array).sum()),
        "infs": int(np.isinf(array).sum()),
        "zeros": int((array == 0).sum()),
        **dict(zip(("min", "max", "mean"), extremes, strict=True)),
    }


def train(path: Path, model: nn.Module, data: torch.Tensor, level: str = "structure") -> dict[str, Any]:
    """Train three steps, the last two of which are spoilt; the data of the one event about the loss."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(path, strict=True, level=level):
        for step in range(3):
            optimizer.zero_grad()
            model.is_spoilt = step > 0
            model(data).sum().backward()
            optimizer.step()
    (event,) = [event for event in Tape(path).events("not_finite") if event.data["what"] == "loss"]
    assert event.step == 1
    return dict(event.data)


class Spoilt(Layers):
    """Spoils in all steps but the first, and keeps what the function of the test's takes and gives."""

    def __init__(self, function: Spoil) -> None:
        super().__init__(self._watch)
        self.spoil, self.is_spoilt = function, False
        self.took: list[torch.Tensor] = []
        self.gave: list[torch.Tensor] = []

    def _watch(self, h: torch.Tensor) -> torch.Tensor:
        if not self.is_spoilt:
            return h
        out = self.spoil(h)
        self.took.append(h.detach().clone())
        self.gave.append(out.detach().clone())
        return out


CASES: dict[str, tuple[str, Spoil, list[Callable[[torch.Tensor], torch.Tensor] | None]]] = {
    # the op, what is done, what the op takes in terms of h (None: nobody keeps it)
    "log of a negative": ("LogBackward0", lambda h: (-1 - h.abs()).log(), [lambda h: -1 - h.abs()]),
    "division by zero": ("DivBackward0", lambda h: h.exp() / (h - h), [torch.exp, lambda h: h - h]),
    "overflow": ("ExpBackward0", lambda h: (h + 1000).exp(), [None]),
    "softmax of a row of -inf": (
        "SoftmaxBackward0",
        lambda h: h.masked_fill(torch.tensor([[True], [False], [False]]), -INF).softmax(1),
        [None],
    ),
    "a number in the code": ("MulBackward0", lambda h: h * NAN, [None, lambda h: torch.tensor(NAN)]),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("level", ["structure", "full"])
def test_inputs_and_output_of_the_origin_have_the_numbers_of_their_tensors(
    tmp_path: Path, name: str, level: str
) -> None:
    op, spoil, inputs = CASES[name]
    model = Spoilt(spoil)

    event = train(tmp_path / "run.tape", model, torch.randn(3, 4), level)

    graph = Tape(tmp_path / "run.tape").graph(1)
    assert event["op"] == op
    assert [found["input_nr"] for found in event["inputs"]] == list(range(len(inputs)))
    for found, make in zip(event["inputs"], inputs, strict=True):
        if found["node"] is not None:
            assert (found["node"], event["node"]) in graph.edges()
            assert found["shape"] == graph.nodes[found["node"]]["shapes"][0] == [3, 4]
        if make is None:
            assert found["values"] is None
        else:
            assert found["values"] == expected(make(model.took[0]))
    assert event["output"]["values"] == expected(model.gave[0])


def test_a_spoilt_parameter_counts_its_values_and_that_of_a_transposed_one_is_named(tmp_path: Path) -> None:
    model = Spoilt(lambda h: h)
    with torch.no_grad():
        model.last.weight[0, :2] = NAN
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(tmp_path / "run.tape", strict=True):
        model(torch.ones(3, 4)).sum().backward()
        optimizer.step()

    event, *_ = Tape(tmp_path / "run.tape").events("not_finite")

    (taken,) = event.data["inputs"]
    assert (event.data["op"], taken["parameter"], taken["node"]) == ("TBackward0", "last.weight", "last.weight")
    assert (taken["values"]["nans"], taken["values"]["count"]) == (2, 8)


def test_data_that_is_spoilt_is_an_input_from_outside_the_graph(tmp_path: Path) -> None:
    data = torch.randn(3, 4)
    model = Spoilt(lambda h: h)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(tmp_path / "run.tape", strict=True):
        for step in range(2):
            data[1, 2] = NAN if step else 0.0
            model(data).sum().backward()
            optimizer.step()

    event, *_ = Tape(tmp_path / "run.tape").events("not_finite")

    bias, mat1, weight = event.data["inputs"]
    assert (event.data["origin"], event.data["op"]) == ("input", "AddmmBackward0")
    assert (mat1["name"], mat1["node"]) == ("mat1", None)
    assert mat1["values"] == expected(data)
    assert (bias["parameter"], weight["parameter"]) == ("first.bias", "first.weight")
    assert weight["node"].startswith("first#0/TBackward0")
    assert weight["values"]["nans"] == bias["values"]["nans"] == 0
    assert event.data["output"]["values"]["nans"] == 4, "of the one row; the next layer keeps it"


def test_in_a_loop_the_turn_that_spoilt_it_is_told_with_what_came_from_the_turn_before(tmp_path: Path) -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.scale = nn.LSTMCell(2, 3), 1.0

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            state = None
            for word in words:
                h, c = self.cell(word[None], state)
                state = h, (c * self.scale + 1).log()
            return state[0] + state[1]

    model = Loop()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(tmp_path / "run.tape", strict=True):
        for step in range(3):
            model.scale = -1e4 if step == 2 else 0.1
            optimizer.zero_grad()
            model(torch.ones(4, 2)).sum().backward()
            optimizer.step()
    tape = Tape(tmp_path / "run.tape")
    (event,) = tape.events("not_finite")

    (taken,) = event.data["inputs"]
    assert (event.step, event.data["op"], taken["name"]) == (2, "LogBackward0", "self")
    assert taken["values"]["min"] < 0
    assert (taken["node"], event.data["node"]) in tape.graph(2).edges()


def test_in_a_gan_the_discriminators_step_is_told(tmp_path: Path) -> None:
    generator, discriminator = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in (discriminator, generator)]
    with record(tmp_path / "run.tape", strict=True):
        for turn in range(3):
            fake = generator(torch.ones(4, 2))
            shift = 2.0 if turn == 2 else 0.0
            optimizers[0].zero_grad()
            (discriminator(fake.detach()) - shift).log().mean().backward()
            optimizers[0].step()
            optimizers[1].zero_grad()
            discriminator(fake).mean().backward()
            optimizers[1].step()
    event, *_ = Tape(tmp_path / "run.tape").events("not_finite")
    (taken,) = event.data["inputs"]
    assert (event.step, event.data["op"]) == (4, "LogBackward0")
    assert taken["values"]["max"] < 0 and taken["node"] == "SubBackward0:0"


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_what_a_checkpoint_would_compute_again_is_left_alone(tmp_path: Path, use_reentrant: bool) -> None:
    n_runs = 0

    def part(h: torch.Tensor) -> torch.Tensor:
        nonlocal n_runs
        n_runs += 1
        return (-1 - h.abs()).log()

    model = Spoilt(lambda h: checkpoint(part, h, use_reentrant=use_reentrant))
    event = train(tmp_path / "run.tape", model, torch.ones(3, 4))
    assert n_runs == 4, "two spoilt steps, a forward and a backward in each"
    assert all(found["values"] is None for found in event["inputs"] if found["name"] is None)


@pytest.mark.parametrize("name", CASES)
def test_weights_are_bit_equal_with_and_without(tmp_path: Path, name: str) -> None:
    def weights(is_recorded: bool) -> list[torch.Tensor]:
        torch.manual_seed(3)
        model = Spoilt(CASES[name][1])
        data = torch.randn(3, 4)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        recording = record(tmp_path / "run.tape", strict=True) if is_recorded else None
        if recording:
            recording.__enter__()
        for step in range(3):
            optimizer.zero_grad()
            model.is_spoilt = step == 1
            torch.nan_to_num(model(data)).sum().backward() if step == 2 else model(data).sum().backward()
            optimizer.step()
        if recording:
            recording.__exit__(None, None, None)
        return [parameter.detach() for parameter in model.parameters()]

    for with_it, without in zip(weights(True), weights(False), strict=True):
        assert torch.equal(with_it.view(torch.int32), without.view(torch.int32))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([[1.0, NAN], [-INF, 0.0]]).t(),
        torch.randn(3, 5)[:, ::2],
        torch.zeros(4, dtype=torch.bfloat16),
        torch.tensor(NAN),
        torch.full((3,), 3e38),
        torch.cat([torch.full((1 << 20,), -2.0), torch.tensor([NAN, 7.0])]),
        torch.full((2,), NAN),
    ],
    ids=["mixed", "strided", "bfloat16", "scalar", "sum overflows", "several pieces", "nothing finite"],
)
def test_values_are_those_that_numpy_counts(tensor: torch.Tensor) -> None:
    found = values_of(tensor)
    assert found is not None
    told = {name: getattr(found, name) for name in ("count", "nans", "infs", "zeros", "min", "max", "mean")}
    assert told == expected(tensor)


def test_numbers_that_are_no_floating_ones_have_no_values() -> None:
    assert values_of(torch.arange(3)) is None
    assert values_of(torch.empty(2, device="meta")) is None
    assert values_of(torch.empty(0)) is None
    found = values_of(torch.tensor([3 + 4j, 0j]))
    assert found is not None and (found.max, found.zeros) == (5.0, 1)
    assert found.mean is not None and not isnan(found.mean)
