"""Queries about steps, and about nodes, on a real tape: held against a plain look at every step."""

import math
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.store.samples import META, Recording, compiled_record, step_record, structure_record
from tracer import QueryError, Tape
from tracer.errors import ThinnedError
from tracer.launch import command as tapescope
from tracer.model.keep import Keep
from tracer.model.query import parse
from tracer.model.step_search import StepSearch, step_ranges
from tracer.model.structure import ModuleCall, SourceLine
from tracer.store.records import SourceRecord
from tracer.store.writer import Writer

SCRIPT = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.drop = nn.Dropout(0.1)
        self.second = nn.Linear(16, 8)

    def forward(self, x):
        return x + self.second(self.drop(self.first(x)).relu())

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.layers = nn.ModuleList(Block() for _ in range(3))
        self.head = nn.Linear(8, 2)

    def forward(self, x, depth):
        x = self.stem(x)
        for layer in self.layers[:depth]:
            x = layer(x)
        return self.head(x)

torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(24):
    optimizer.zero_grad()
    count = 2 if step % 7 == 6 else 3
    if step % 8 == 0:
        with torch.no_grad():
            model(torch.randn(count, 4), 3)
    loss = nn.functional.cross_entropy(model(torch.randn(count, 4), 1 + step // 4 % 3), torch.zeros(count, dtype=int))
    if step == 20:
        loss = loss * float("nan")
    loss.backward()
    optimizer.step()
"""
RELU_LINE = next(number for number, text in enumerate(SCRIPT.splitlines(), 1) if "relu" in text)
Test = Callable[[Tape, int], bool]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    folder = tmp_path_factory.mktemp("find")
    (folder / "net.py").write_text(SCRIPT)
    path = folder / "net.tape"
    words = ["run", "--headless", "--level", "full", "-o", str(path), str(folder / "net.py")]
    subprocess.run(tapescope(*words), capture_output=True, timeout=240, check=True)
    return Tape(path)


def some_node(test: Callable[[dict[str, object]], object]) -> Test:
    return lambda tape, step: any(test(node) for node in tape.graph(step).nodes.values())


def times(tape: Tape, step: int, path: str) -> int:
    return sum(call["count"] for call in tape.graph(step).graph["module_calls"] if call["path"] == path)


def loss(tape: Tape, step: int) -> float:
    return tape.steps[step].scalars["loss"]


def has_new_topology(tape: Tape, step: int) -> bool:
    return step > 0 and tape.steps[step].topology_id != tape.steps[step - 1].topology_id


def in_layer_2(node: dict[str, object]) -> bool:
    return "layers.2" in str(node["module"])


ORACLES: dict[str, Test] = {
    "op:relu module:layers.2": some_node(lambda node: node["op"] == "ReluBackward0" and in_layer_2(node)),
    "op:relu -module:layers.0": some_node(lambda n: n["op"] == "ReluBackward0" and "layers.0" not in str(n["module"])),
    "not op:mul": lambda tape, i: not some_node(lambda node: "Mul" in str(node["op"]))(tape, i),
    "shape:[3,*]": some_node(lambda n: any(len(s) == 2 and s[0] == 3 for s in n["shapes"])),  # type: ignore[attr-defined]
    f"source:net.py:{RELU_LINE} op:relu": some_node(
        lambda n: n["op"] == "ReluBackward0" and n["source"]["line"] == RELU_LINE  # type: ignore[index]
    ),
    "param:layers.1.first.weight": some_node(lambda node: node["parameter"] == "layers.1.first.weight"),
    "module:layers.2 ran": lambda tape, i: times(tape, i, "layers.2") > 0,
    "module:layers.2 did not run": lambda tape, i: not times(tape, i, "layers.2"),
    "layers.2.drop not ran": lambda tape, i: not times(tape, i, "layers.2.drop"),
    "module:stem ran > 1": lambda tape, i: times(tape, i, "stem") > 1,
    "class:dropout ran = 2": lambda tape, i: any(times(tape, i, f"layers.{k}.drop") == 2 for k in range(3)),
    "loss > 0.6": lambda tape, i: loss(tape, i) > 0.6,
    "loss != 0.6": lambda tape, i: loss(tape, i) != 0.6 and not math.isnan(loss(tape, i)),
    "LOSS is not finite": lambda tape, i: not math.isfinite(loss(tape, i)),
    "loss finite -module:layers.2": lambda tape, i: math.isfinite(loss(tape, i)) and not times(tape, i, "layers.2"),
    "changed": has_new_topology,
    "shape changed": lambda tape, i: (
        i > 0 and not has_new_topology(tape, i) and tape.steps[i].shape_id != tape.steps[i - 1].shape_id
    ),
    "new": lambda tape, i: tape.steps[i].topology_id not in {step.topology_id for step in tape.steps[:i]},
    "phase:train optimizer:adam level:full": lambda tape, i: True,
    "phase:eval or step % 5 = 2": lambda tape, i: i % 5 == 2,
    "duration > 0": lambda tape, i: tape.steps[i].duration_secs > 0,
    "unreached": lambda tape, i: bool(tape.graph(i).graph["unreached"]),
    "event:not_finite": lambda tape, i: any(event.step == i for event in tape.events("not_finite")),
    "grad_norm > 0.5": lambda tape, i: bool((tape.statistics(i).parameters.column("grad_norm") > 0.5).any()),  # type: ignore[union-attr]
    "step > 4 (op:relu or not changed) step < 20": lambda tape, i: (
        4 < i < 20 and (some_node(lambda node: node["op"] == "ReluBackward0")(tape, i) or not has_new_topology(tape, i))
    ),
}


@pytest.mark.parametrize("query", ORACLES)
def test_steps_are_those_that_a_look_at_each_would_find(tape: Tape, query: str) -> None:
    expected = [step for step in range(len(tape)) if ORACLES[query](tape, step)]
    assert tape.find_steps(query).tolist() == expected
    assert tape.find_steps(f"steps where {query}").tolist() == expected


def test_a_structure_is_found_by_its_number_and_by_the_beginning_of_its_id(tape: Tape) -> None:
    first, last = tape.steps[0], tape.steps[-1]
    assert 0 in tape.find_steps("structure:#1")
    assert len(tape.steps) - 1 in tape.find_steps(f"structure:{last.topology_id[:8]}")
    same = [step.index for step in tape.steps if step.shape_id == first.shape_id]
    assert tape.find_steps(f"structure:{first.shape_id}").tolist() == same
    assert not len(tape.find_steps("structure:#99")) and not len(tape.find_steps("structure:"))


NODES: dict[str, Callable[[Tape, int, str, dict[str, object]], object]] = {
    "op:addmm module:layers.*": lambda t, i, key, n: n["op"] == "AddmmBackward0" and "layers." in str(n["module"]),
    "kind:parameter -param:bias": lambda t, i, key, n: n["kind"] == "parameter" and "bias" not in str(n["parameter"]),
    "shape:[16,*]": lambda t, i, key, n: any(len(s) == 2 and s[0] == 16 for s in n["shapes"]),  # type: ignore[attr-defined]
    "shape:[] or dtype:int": lambda t, i, key, n: [] in n["shapes"] or "int" in str(n["dtype"]),  # type: ignore[operator]
    "device:cpu pass:0 kind:output": lambda t, i, key, n: n["kind"] == "output",
    "source:net.py op:relu": lambda t, i, key, n: n["op"] == "ReluBackward0",
    "added kind:op": lambda t, i, key, n: n["kind"] == "op" and key in t.diff(i - 1, i).added,
    "changed": lambda t, i, key, n: key in t.diff(i - 1, i).changed,
    "grad_norm > 0.1": lambda t, i, key, n: (
        n["parameter"] and t.statistics(i).parameters.row(str(n["parameter"]))["grad_norm"] > 0.1  # type: ignore[union-attr]
    ),
    "saved_bytes > 100": lambda t, i, key, n: (
        key in t.statistics(i).nodes.keys and t.statistics(i).nodes.row(key)["saved_bytes"] > 100  # type: ignore[union-attr]
    ),
}


@pytest.mark.parametrize("step", [3, 4, 13])
@pytest.mark.parametrize("query", NODES)
def test_nodes_are_those_that_a_look_at_each_would_find(tape: Tape, query: str, step: int) -> None:
    graph = tape.graph(step)
    expected = {key for key, node in graph.nodes.items() if NODES[query](tape, step, key, node)}
    assert {key for key in tape.find(query, step) if key in graph} == expected


def test_removed_nodes_are_found_in_the_step_that_still_had_them(tape: Tape) -> None:
    removed = tape.diff(11, 12).removed
    assert len(removed) > 5 and set(tape.find("removed", 12)) - removed <= tape.diff(11, 12).calls_removed
    assert set(tape.find("removed op:relu", 12)) == {key for key in removed if "Relu" in key}
    assert set(tape.find("removed kind:op", 12)) == {key for key in removed if "#" in key}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            "lss > 2",
            "Character 1: There is no scalar 'lss' in this tape; there are step, duration, loss, lr, step_secs.",
        ),
        ("steps where lss is finite", "Character 13: There is no scalar 'lss' in this tape; there are step, duration,"),
    ],
)
def test_a_scalar_that_is_not_there_is_named_with_those_that_are(tape: Tape, query: str, sentence: str) -> None:
    with pytest.raises(QueryError) as refused:
        tape.find_steps(query)
    assert str(refused.value).startswith(sentence)


def test_what_cannot_be_asked_of_a_step_is_refused(tape: Tape, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="give it to find_steps"):
        tape.find("steps where new", 0)
    with pytest.raises(QueryError, match="There is no step to compare with, so nothing is added"):
        tape.find("added", 0)
    writer = Writer(tmp_path / "plain.tape", META)
    writer.append(step_record(0, structure_record()))
    writer.close("closed")
    with Tape(tmp_path / "plain.tape") as plain:
        with pytest.raises(QueryError, match=r"'zeros' was not measured in this step; record with --level"):
            plain.find("zeros > 0", 0)
        assert not len(plain.find_steps("op:mul zeros > 0"))


def test_a_growing_tape_is_searched_on_and_known_structures_are_not_tested_again(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "live.tape", META)
    early, late, compiled = structure_record(2), structure_record(3), compiled_record()
    writer.append(step_record(0, early, loss=1.0))
    assert writer.flush()
    with Tape(tmp_path / "live.tape") as tape:
        search = StepSearch(tape)
        query = parse("steps where op:mul module:fc or loss > 3")
        assert search.find(query).tolist() == [0]
        for step, graph in enumerate((early, None, late, compiled), 1):
            writer.append(step_record(step, graph, loss=float(step)))
        assert writer.flush()
        read = []
        structure = tape.structure
        tape.structure = lambda number: read.append(number) or structure(number)  # type: ignore[method-assign,assignment,func-returns-value]
        tape.refresh()
        assert search.find(query).tolist() == [0, 1, 3, 4]
        assert len(read) == 2
        assert search.find(query).tolist() == [0, 1, 3, 4] and len(read) == 2
        assert search.find(parse("steps where source:net.py")).tolist() == []
        lines = compiled.structure.nodes
        writer.append(SourceRecord(compiled, tuple(SourceLine("net.py", 1, "f") for _ in lines)))
        writer.close("closed")
        tape.refresh()
        assert search.find(parse("steps where source:net.py")).tolist() == [4]
        assert tape.find_steps("not op:mul").tolist() == [2]


def test_of_a_graph_that_was_thinned_out_nothing_is_claimed(tmp_path: Path) -> None:
    gone, kept = structure_record(2), structure_record(3, "head")
    with Recording(tmp_path / "a.tape", Keep(last=5)) as recording:
        for step in range(120):
            recording.write(step_record(step, gone if 0 < step < 4 else kept, loss=float(step)))
    with Tape(tmp_path / "a.tape") as tape:
        with pytest.raises(ThinnedError, match=r"The graph of step 2 was thinned out to keep the tape small; its ids,"):
            tape.graph(2)
        assert tape.find_steps("module:fc").tolist() == []
        assert tape.find_steps("not module:head").tolist() == []
        assert tape.find_steps("loss < 5 (module:fc or loss < 3)").tolist() == [0, 1, 2]
        assert tape.find_steps("not (loss < 3 module:head)").tolist() == list(range(3, 120))
        assert tape.find_steps("changed").tolist() == [1, 4]


def test_forward_only_passes_count_as_calls(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "eval.tape", META)
    calls = ModuleCall("net", "Net", 0, None, False, False, 5), ModuleCall("net.fc", "Linear", 0, 0, False, False, 5)
    writer.append(replace(step_record(0), evaluated=calls))
    writer.append(replace(step_record(1, structure_record(), loss=0.0), evaluated=calls))
    writer.append(step_record(2, structure_record()))
    writer.close("closed")
    with Tape(tmp_path / "eval.tape") as tape:
        assert tape.find_steps("module:net ran >= 5").tolist() == [0, 1]
        assert tape.find_steps("net.fc ran").tolist() == [0, 1]
        assert tape.find_steps("module:fc ran = 1").tolist() == [1, 2]
        assert tape.find_steps("module:fc ran < 1").tolist() == []
        assert tape.find_steps("module:gone ran = 0").tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("steps", "ranges"),
    [([], []), ([4], [(4, 4)]), ([0, 1, 2, 5, 7, 8], [(0, 2), (5, 5), (7, 8)])],
)
def test_steps_in_a_row_are_one_range(steps: list[int], ranges: list[tuple[int, int]]) -> None:
    assert step_ranges(np.array(steps, np.int64)) == ranges


@pytest.mark.parametrize("text", ["*a" * 900, "?" * 1900 + "*b", "[a-" * 600, "(?:.*)*" * 20, "a*" * 900 + "b"])
def test_no_glob_takes_long(tape: Tape, text: str) -> None:
    """Catastrophic patterns of regular expressions are none here; the time limit of the test is the assertion."""
    for field in ("module:", "op:", "source:", "shape:", ""):
        query = f'{field}"{text}"' if "(" in text or "[" in text else field + text
        assert tape.find(query, 5) == []
        assert not len(tape.find_steps(query))
