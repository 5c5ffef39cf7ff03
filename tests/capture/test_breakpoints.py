"""What breakpoints are told of real steps: gradients, unreached parameters, modules, ops, scalars logged late."""

from pathlib import Path

import pytest
import torch
from torch import nn

import tracer
from tracer.errors import UsageError


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.side, self.head = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor, uses_side: bool) -> torch.Tensor:
        return self.head(self.drop(self.body(x) + (self.side(x) if uses_side else 0)))


def hits(path: Path, *breakpoints: str, n_steps: int = 12, scale: float = 1.0) -> dict[str, list[int]]:
    """The steps at which each is hit; `side` is used in the first four only, dropout from step 6 on."""
    torch.manual_seed(0)
    model = Gated()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with tracer.record(path, breakpoints=breakpoints, strict=True):
        for step in range(n_steps):
            model.train(step >= 6)
            optimizer.zero_grad()
            loss = model(torch.ones(2, 3), step < 4).square().sum()
            loss = loss if scale == 1 else scale * loss
            loss.backward()
            optimizer.step()
            tracer.log(late=float(step))
    found: dict[str, list[int]] = {text: [] for text in breakpoints}
    with tracer.Tape(path) as tape:
        for event in tape.events("hit"):
            found[breakpoints[event.data["breakpoint"] - 1]].append(event.step)
        assert tape.events("capture_failed") == []
    return found


def test_conditions_see_what_really_ran_and_learnt(tmp_path: Path) -> None:
    words = (
        "parameter_unreached parameter=side.* steps=3",
        "gradient_zero parameter=side.weight steps=2",
        "gradient_zero parameter=head.* steps=1",
        "module_ran module=side",
        "module_not_run module=side",
        "module_ran_times module=Linear times=3",
        "op_appears op=*Dropout*",
        "op_appears op=Mul",
        "topology_changed",
        "structure_new",
        "gradient_norm_above value=1e6",
        "gradient_norm_above value=1e-6 hit=2",
    )
    found = hits(tmp_path / "run.tape", *words)
    ran, rest = list(range(4)), list(range(4, 12))
    drops = found["op_appears op=*Dropout*"] or found["op_appears op=Mul"]  # on the CPU dropout is a product
    assert found[words[0]] == [6]
    assert found[words[1]] == [5]
    assert found[words[2]] == []
    assert (found[words[3]], found[words[4]], found[words[5]]) == (ran, rest, ran)
    assert drops == [6]
    assert found["topology_changed"] == [4, 6] == found["structure_new"]
    assert found[words[10]] == []
    assert found[words[11]] == list(range(12))  # hits count from the first on; the second one acts


def test_the_gradient_norm_is_that_of_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Gated().eval()
    model(torch.ones(2, 3), True).square().sum().backward()
    norm = torch.nn.utils.get_total_norm([each.grad for each in model.parameters() if each.grad is not None]).item()
    below, above = f"gradient_norm_above value={norm * 0.999}", f"gradient_norm_above value={norm * 1.001}"
    assert hits(tmp_path / "run.tape", below, above, n_steps=1) == {below: [0], above: []}


def test_scalars_logged_after_the_step_closed_are_seen_by_the_next(tmp_path: Path) -> None:
    found = hits(tmp_path / "run.tape", "loss >= 0 and step == 3", "isnan(loss)", "len(loss[-5:]) == 5")
    assert found == {"loss >= 0 and step == 3": [3], "isnan(loss)": [], "len(loss[-5:]) == 5": list(range(4, 12))}


def test_a_loss_that_is_not_finite_is_met_before_the_weights_are_spoilt(tmp_path: Path) -> None:
    path = tmp_path / "run.tape"
    assert hits(path, "loss_not_finite", n_steps=3, scale=float("inf")) == {"loss_not_finite": [0, 1, 2]}
    with tracer.Tape(path) as tape:
        assert {event.data["moment"] for event in tape.events("hit")} == {"before the optimizer"}


def test_bad_breakpoints_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="There is no condition 'moon'"),
        tracer.record(tmp_path / "x", breakpoints=["moon"]),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_breakpoint_that_could_never_be_told_is_named_at_the_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert hits(tmp_path / "run.tape", "losss > 3", "loss > 1e9", n_steps=3) == {"losss > 3": [], "loss > 1e9": []}
    told = "tapescope: the breakpoint 'losss > 3' could not be told of any step: was losss logged?\n"
    assert capfd.readouterr().err == told
