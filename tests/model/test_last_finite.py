"""The last finite step of what spoilt a loss, asked of real tapes and against a plain search; and words about it."""

from math import isfinite, isnan
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tracer import Event, Tape, record
from tracer.model.last_finite import last_finite
from tracer.model.not_finite import Values, inputs_of, output_of, place_of, values_text

NAN = float("nan")


class Turns(nn.Module):
    """A cell called as often as told, with a log at the end in some steps only."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell = nn.Linear(3, 3)

    def forward(self, turns: int, shift: float | None) -> torch.Tensor:
        h = torch.ones(2, 3)
        for _ in range(turns):
            h = self.cell(h).tanh()
        return h if shift is None else (h - shift).log()


def record_turns(path: Path, steps: list[tuple[int, float | None]], **options: Any) -> Tape:
    model = Turns()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(path, strict=True, **options):
        for turns, shift in steps:
            saved = [parameter.detach().clone() for parameter in model.parameters()]
            optimizer.zero_grad()
            model(turns, shift).sum().backward()
            optimizer.step()
            with torch.no_grad():  # a bad step does not spoil the ones after it
                for parameter, value in zip(model.parameters(), saved, strict=True):
                    parameter.copy_(value)
    return Tape(path)


def plainly(tape: Tape, event: Event) -> int | None:
    """The same by reading every graph and every loss."""
    key = event.data.get("node") or event.data.get("parameter")
    for index in reversed(range(event.step)):
        if isfinite(tape.steps[index].scalars["loss"]) and key in tape.graph(index):
            return index
    return None


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(2, -2.0), (2, -2.0), (2, 5.0)], [1]),
        ([(2, -2.0), (2, None), (2, 5.0)], [0]),
        ([(3, -2.0), (2, None), (1, None), (2, 5.0)], [0]),
        ([(2, -2.0), (2, 5.0), (2, None), (2, 5.0)], [0, 0]),
        ([(2, None), (3, None), (2, 5.0)], [None]),
        ([(2, 5.0), (2, -2.0)], [None]),
    ],
    ids=["just before", "another way since", "another number of turns", "twice", "never there", "at once"],
)
def test_it_is_the_last_step_that_had_the_node_and_a_finite_loss(
    tmp_path: Path, steps: list[tuple[int, float | None]], expected: list[int | None]
) -> None:
    tape = record_turns(tmp_path / "run.tape", steps)
    events = tape.events("not_finite")
    found = [last_finite(tape, event) for event in events]
    assert [None if last is None else last.step for last in found] == expected
    assert expected == [plainly(tape, event) for event in events]


def test_a_structure_is_read_once_however_often_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = record_turns(tmp_path / "run.tape", [(2, -2.0), *[(2, None)] * 30, (2, 5.0)])
    (event,) = tape.events("not_finite")
    read: list[int] = []
    graph = tape.graph
    monkeypatch.setattr(tape, "graph", lambda index: read.append(index) or graph(index))
    found = last_finite(tape, event)
    assert found is not None and found.step == 0
    assert read == [30]


def test_measured_steps_tell_what_the_call_put_out(tmp_path: Path) -> None:
    class Log(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.log()

    model = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid(), Log())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(tmp_path / "run.tape", strict=True, level="statistics"):
        for step in range(3):
            optimizer.zero_grad()
            model(torch.ones(2, 3) * (NAN if step == 2 else 1.0)).sum().backward()
            optimizer.step()
    tape = Tape(tmp_path / "run.tape")
    event, *_ = tape.events("not_finite")
    found = last_finite(tape, event)
    measured = tape.statistics(1)
    assert found is not None and measured is not None
    assert (found.step, found.measured_key) == (1, "0#0")
    assert found.measured == measured.calls.row("0#0")


def test_of_a_gradient_it_is_the_last_step_in_which_that_was_finite(tmp_path: Path) -> None:
    model = nn.Linear(3, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with record(tmp_path / "run.tape", strict=True, level="statistics"):
        for step in range(4):
            optimizer.zero_grad()
            ((0 if step == 3 else 1) * model(torch.ones(2, 3))).abs().sqrt().sum().backward()
            optimizer.step()
    tape = Tape(tmp_path / "run.tape")
    (event,) = tape.events("not_finite")
    found = last_finite(tape, event)
    assert event.data["what"] == "gradient" and isfinite(tape.steps[3].scalars["loss"])
    assert found is not None and found.step == 2
    assert isfinite(found.measured["grad_norm"]) and found.measured_key == event.data["parameter"]
    spoilt = tape.statistics(3)
    assert spoilt is not None and isnan(spoilt.parameters.row(event.data["parameter"])["grad_norm"])


def test_a_loss_without_a_graph_has_a_last_finite_step_as_well(tmp_path: Path) -> None:
    tape = record_turns(tmp_path / "run.tape", [(2, -2.0)] * 4 + [(2, 5.0)], every=3)
    (event,) = tape.events("not_finite")
    assert event.data["origin"] is None
    found = last_finite(tape, event)
    assert found is not None and found.step == 3


def words(values: Values) -> str:
    return values_text(values, "{:g}".format, str)


def test_values_read_as_a_line() -> None:
    assert words(Values(12, 0, 0, 0, -8.3, -0.2, -3.0)) == "-8.3 to -0.2, mean -3"
    assert words(Values(12, 12, 0, 0, None, None, None)) == "all 12 are NaN"
    assert words(Values(1, 0, 1, 0, None, None, None)) == "Inf"
    assert words(Values(12, 0, 0, 12, 0.0, 0.0, 0.0)) == "all 12 are 0"
    assert words(Values(4, 1, 0, 2, 0.0, 3.0, 1.0)) == "0 to 3, mean 1; of 4 values 1 is NaN, 2 are 0"
    assert words(Values(4, 2, 2, 0, None, None, None)) == "of 4 values 2 are NaN, 2 are Inf"
    assert words(Values(1, 0, 0, 0, 3.0, 3.0, 3.0)) == "3"


@pytest.mark.parametrize(
    "inputs", [None, 5, "text", {}, [None, 3, "x"], [[]]], ids=["old tape", "number", "text", "object", "junk", "lists"]
)
def test_what_is_not_such_a_list_is_no_input(inputs: object) -> None:
    assert inputs_of({"inputs": inputs}) == ()
    assert output_of({"output": inputs if not isinstance(inputs, dict) else 3}) is None
    assert inputs_of({}) == () and output_of({}) is None


def test_fields_that_make_no_sense_are_left_out() -> None:
    values = {"count": 3, "nans": 0, "infs": 0, "zeros": 0, "min": 1, "max": "x", "mean": NAN}
    data = {"name": 3, "node": ["a"], "parameter": None, "shape": [2, "x"], "dtype": 7, "values": values}
    (found,) = inputs_of({"inputs": [data]})
    assert (found.name, found.node, found.shape, found.dtype) == ("input", "", None, "")
    assert found.values == Values(3, 0, 0, 0, 1.0, None, None)
    assert place_of(found) == "from outside the graph"
    for broken in ({"count": -1}, {"count": True}, {"count": 0}, {"nans": 1.5}, {"zeros": None}):
        (found,) = inputs_of({"inputs": [{"values": {**values, **broken}}]})
        assert found.values is None, broken
