"""`tapescope nan`: the op, its inputs, its line with the code, the last finite step; on the tape of a real script."""

import json
import subprocess
from pathlib import Path

import pytest

from main import main
from tests.store.samples import META, step_record, structure_record, write_tape
from tracer.launch import command
from tracer.store.records import EventRecord
from tracer.store.writer import Writer

SCRIPT = """
import torch

class Scale(torch.nn.Module):
    def forward(self, x, shift):
        return torch.log(x - shift)

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Sigmoid())
scale = Scale()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    optimizer.zero_grad()
    scale(model(torch.ones(2, 3)), 9.0 if step == 2 else -1.0).sum().backward()
    if step != 2:
        optimizer.step()
"""
LOG_LINE = 6


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nan")
    script, tape = folder / "net.py", folder / "net.tape"
    script.write_text(SCRIPT)
    words = ("run", "--headless", "--level", "statistics", "-o", str(tape), str(script))
    subprocess.run(command(*words), check=True, timeout=240, capture_output=True)
    return tape


def test_the_origin_is_told_with_its_code_its_inputs_and_the_last_finite_step(
    spoilt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nan", str(spoilt)]) == 0
    first, code, taken, given, last = capsys.readouterr().out.splitlines()
    script = spoilt.with_suffix(".py")
    assert first == f"step 2: NaN first in the output of LogBackward0 in Scale#0, {script}:{LOG_LINE}"
    assert code.split(maxsplit=1) == ["code", "return torch.log(x - shift)"]
    assert taken.split()[:2] == ["self", "Scale#0/SubBackward0:0"] and "2×3 float32: -8." in taken
    assert given.split(maxsplit=1) == ["output", "2×3 float32: all 6 are NaN"]
    assert last.startswith("  last finite  step 1; Scale#0: min 0.")


def test_as_json_it_has_everything(spoilt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nan", str(spoilt), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    (taken,) = found["inputs"]
    assert (found["step"], found["op"], found["source"]["line"]) == (2, "LogBackward0", LOG_LINE)
    assert taken["values"]["max"] < 0 and taken["values"]["count"] == 6
    assert found["output"]["values"]["nans"] == 6
    assert found["last_finite"]["step"] == 1 and found["last_finite"]["measured"]["nans"] == 0


def test_a_script_that_is_gone_leaves_the_line_without_its_code(
    spoilt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = spoilt.with_suffix(".py")
    text = script.read_text()
    script.unlink()
    try:
        assert main(["nan", str(spoilt)]) == 0
    finally:
        script.write_text(text)
    out = capsys.readouterr().out
    assert f"net.py:{LOG_LINE}" in out and "code" not in out


def test_a_tape_without_any_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tape = write_tape(tmp_path / "run.tape")
    assert main(["nan", str(tape)]) == 0
    assert capsys.readouterr().out == f"Nothing that is NaN or Inf was met in {tape}.\n"
    assert main(["nan", str(tape), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_events_of_old_and_of_strange_tapes_are_told_as_far_as_they_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = Writer(tmp_path / "old.tape", META)
    writer.append(step_record(0, structure_record(), loss=1.0))
    old = {"what": "loss", "value": "nan", "origin": "op", "node": "fc#0/MulBackward0:0", "op": "MulBackward0"}
    writer.append(EventRecord("not_finite", 1, 1, {**old, "call": "fc#0"}))
    writer.append(
        EventRecord("not_finite", 1, 1, {**old, "inputs": 3, "output": [], "source": {"file": 1, "line": "x"}})
    )
    writer.append(EventRecord("not_finite", 99, 1, {"origin": None}))
    writer.append(step_record(1, structure_record(), loss=float("nan")))
    writer.close("closed")
    assert main(["nan", str(tmp_path / "old.tape")]) == 0
    first, second, third = capsys.readouterr().out.strip().split("\n\n")
    assert first == "step 1: NaN first in the output of MulBackward0 in fc#0\n  last finite  step 0"
    assert second.endswith("last finite  step 0")
    assert third.startswith("step 99: not finite in the loss")


def test_what_is_no_tape_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nan", str(tmp_path / "none.tape")]) == 2
    assert capsys.readouterr().err == f"tapescope: There is no file {tmp_path / 'none.tape'}.\n"
