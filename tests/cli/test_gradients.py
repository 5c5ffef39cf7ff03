"""`tapescope gradients` on a training that was really recorded, and what it says to input that makes no sense."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from main import main
from tracer import Tape, record

Answer = tuple[int, str, str]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]):
    def run(*words: object) -> Answer:
        return main(["gradients", *map(str, words)]), *capsys.readouterr()

    return run


def train(path: Path, level: str = "statistics", n_steps: int = 6, every: int = 1) -> Path:
    torch.manual_seed(0)
    layers = [layer for _ in range(8) for layer in (nn.Linear(6, 6), nn.Sigmoid())]
    model = nn.Sequential(*layers, nn.Linear(6, 2))
    model.register_parameter("unused", nn.Parameter(torch.ones(3)))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with record(path, level=level, every=every, strict=True):
        for _ in range(n_steps):
            optimizer.zero_grad()
            model(torch.randn(8, 6)).square().mean().backward()
            optimizer.step()
    return path


def test_the_profile_and_the_findings_are_told(ask, tmp_path: Path) -> None:
    tape = train(tmp_path / "run.tape")
    code, out, err = ask(tape)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("Step 5, of 6 measured steps")
    bars = {line.split()[0]: line.count("█") for line in lines if "█" in line}
    assert list(bars) == [str(at) for at in range(0, 17, 2)] and bars["0"] < bars["8"] < bars["16"]
    assert any(line.startswith("Gradients shrink 10^") and line.endswith("from 16 to 0") for line in lines)
    assert "unused was not reached by the loss of step 5" in lines


def test_json_holds_the_norms_of_the_tape(ask, tmp_path: Path) -> None:
    path = train(tmp_path / "run.tape")
    code, out, _ = ask(path, "--step", "2", "--json")
    told = json.loads(out)
    with Tape(path) as tape:
        table = tape.statistics(2).parameters
    assert code == 0 and told["step"] == 2
    norms = dict(zip(table.keys, table.column("grad_norm").tolist(), strict=True))
    for name in ("0.weight", "16.bias"):
        assert told["parameters"][name] == pytest.approx(norms[name], rel=1e-6)
    assert told["modules"]["4"] == pytest.approx(np.hypot(norms["4.weight"], norms["4.bias"]), rel=1e-6)
    assert {one["kind"] for one in told["findings"]} == {"vanishing", "unreached"}
    assert all(one["text"] for one in told["findings"])


def test_a_healthy_model_has_nothing_wrong(ask, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with record(tmp_path / "run.tape", level="statistics"):
        model(torch.randn(4, 3)).sum().backward()
        optimizer.step()
    code, out, _ = ask(tmp_path / "run.tape")
    assert code == 0 and out.splitlines()[-1] == "Nothing is wrong with the gradients"
    assert out.startswith("Step 0, of 1 measured step:") and "(model)" in out


@pytest.mark.parametrize(
    ("level", "every", "step", "message"),
    [
        ("structure", 1, None, "No step of {0} was measured; record with --level statistics or full."),
        ("statistics", 2, 3, "Step 3 of {0} was not measured; the last that was is 4."),
        ("statistics", 1, 99, "There is no step 99 in {0}; it has steps 0 to 5."),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    ask, tmp_path: Path, level: str, every: int, step: int | None, message: str
) -> None:
    path = train(tmp_path / "run.tape", level, every=every)
    code, out, err = ask(path, *([] if step is None else ["--step", step]))
    assert (code, out) == (2, "") and err.strip() == f"tapescope: {message.format(path)}"
