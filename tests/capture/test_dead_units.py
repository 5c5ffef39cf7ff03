"""Dead units as they are recorded, against a look at the outputs themselves."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.capture.measured import Measured
from tracer import Tape, record
from tracer.capture import moments
from tracer.capture.aside import aside
from tracer.capture.dead_units import FEWEST_VALUES, count_dead, may_be_dead, unit_dim


def really_dead(values: torch.Tensor, dim: int) -> int:
    return sum(bool((values.select(dim, unit) == 0).all()) for unit in range(values.shape[dim]))


@pytest.mark.parametrize("shape", [(64, 10), (9, 3), (5, 7, 6), (16, 8, 5, 5), (3, 4, 2, 3, 2), (1, 20, 4)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_units_are_counted_as_a_look_at_each_counts_them(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(sum(shape))
    dim = 1 if len(shape) >= 4 else len(shape) - 1
    for share in (0.0, 0.3, 1.0):
        values = torch.randn(shape).relu().to(dtype)
        is_dead = torch.rand(shape[dim]) < share
        values.movedim(dim, 0)[is_dead] = 0
        assert unit_dim(values) == dim
        with aside():
            assert count_dead(values) == (really_dead(values, dim), shape[dim])


def test_a_unit_that_lives_only_in_the_last_sample_or_as_nan_is_not_dead() -> None:
    values = torch.zeros(32, 4)
    values[-1, 1] = 1e-30
    values[20, 2] = float("nan")
    values[3, 3] = -1.0
    assert count_dead(values) == (1, 4)


def test_strided_outputs_are_counted_where_they_lie() -> None:
    whole = torch.zeros(16, 12)
    whole[:, ::4] = 1.0
    assert count_dead(whole[:, ::2]) == (3, 6)
    assert count_dead(whole.t().contiguous().t()) == (9, 12)


def looked_at(module: nn.Module, values: torch.Tensor) -> bool:
    with aside():
        return may_be_dead(module, values, list(moments.measure(values, moments.Scratch())))


def test_only_outputs_with_enough_zeros_and_samples_are_looked_at() -> None:
    zeros = torch.zeros(FEWEST_VALUES, 4)
    assert looked_at(nn.ReLU(), zeros)
    assert not looked_at(nn.ReLU(), zeros[1:]) and not looked_at(nn.ReLU(), torch.randn(64, 4))
    assert not looked_at(nn.Sequential(nn.ReLU()), zeros) and not looked_at(nn.ReLU(), torch.zeros(64))
    assert not looked_at(nn.ReLU(), torch.zeros(0, 4)) and not looked_at(nn.ReLU(), zeros.to_sparse())
    assert not looked_at(nn.ReLU(), torch.zeros(16, 4, dtype=torch.complex64))


def test_a_dropout_is_looked_at_only_for_more_zeros_than_it_makes() -> None:
    torch.manual_seed(0)
    dropout, values = nn.Dropout(0.3), torch.randn(200, 20)
    assert not looked_at(dropout, dropout(values))
    assert looked_at(dropout, dropout(torch.cat([values, torch.zeros(200, 30)], dim=1)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide, self.act, self.head = nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 2)
        with torch.no_grad():
            self.wide.bias[:7] = -50

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.wide(data)))


def test_dead_units_reach_the_tape_with_the_call_that_put_them_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    seen: list[torch.Tensor] = []
    net.act.register_forward_hook(lambda _module, _args, output: seen.append(output.detach().clone()))
    with record(tmp_path / "run.tape", level="statistics", strict=True):
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.randn(16, 6)).sum().backward()
            optimizer.step()
    tape = Tape(tmp_path / "run.tape")
    for step, output in enumerate(seen):
        calls = tape.statistics(step).calls
        row = calls.row("act#0")
        assert (row["dead_units"], row["units"]) == (really_dead(output, 1), 20) and row["dead_units"] >= 7
        for other in ("wide#0", "head#0", "#0"):
            assert calls.row(other)["units"] != calls.row(other)["units"], "NaN: nothing there is exactly zero"


def test_a_step_in_which_nothing_is_zero_has_no_such_columns() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    with Measured() as it:
        it.backward(model(torch.randn(16, 4)).sum())
        assert "dead_units" not in it.close().calls.columns


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_an_accelerator_rectifiers_are_counted_without_waiting() -> None:
    torch.manual_seed(0)
    net, seen = Net().cuda(), []
    net.act.register_forward_hook(lambda _module, _args, output: seen.append(output.detach().clone()))
    with Measured() as it:
        loss = net(torch.randn(16, 6, device="cuda")).sum()
        it.backward(loss)
        torch.cuda.synchronize()
        row = it.close().calls.row("act#0")
    assert (row["dead_units"], row["units"]) == (really_dead(seen[0].cpu(), 1), 20)
