"""What a tape says on the terminal cannot steer it: no escape sequence, no line of its own."""

import ast
import json
from pathlib import Path

import pytest

from main import main
from tests.gui.test_hostile_names import NAMES, hostile_tape
from tests.store.samples import META, step_record, structure_record
from tracer.store.event_types import of_its_types
from tracer.store.records import EventRecord
from tracer.store.writer import Writer
from tracer.terminal import clean, say

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    ["info"],
    ["info", "--json"],
    ["check"],
    ["nan"],
    ["find", "op:mul"],
    ["find", "op:mul", "--json"],
    ["diff", "0", "0"],
    ["diff", "0", "1", "--nodes"],
    ["statistics"],
    ["gradients"],
    ["break"],
)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_hostile_names_reach_the_terminal_as_text(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = hostile_tape(tmp_path / "a.tape", name)
    for command, *rest in COMMANDS:
        assert main([command, str(path), *rest]) in (0, 1, 2)
        out, err = capfd.readouterr()
        for text in (out, err):
            assert all(char == "\n" or char.isprintable() for char in text), (command, rest)
        if "--json" in rest:
            json.loads(out)


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\ntwo", "\x1b[2Jthree\x07", "ü 🎈\tfour")
    assert capsys.readouterr().out == "one�two\n�[2Jthree�\nü 🎈�four\n"
    assert clean("a\u202eb\ud800c\x9b") == "a�b�c�"


def test_commands_write_through_one_place() -> None:
    """`print` is for JSON, which escapes everything, and for what holds no names."""
    for folder in ("tracer/cli", "gui/cli"):
        for file in sorted((ROOT / folder).glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                    said = ast.unparse(node.args[0])
                    assert said.startswith("to_json(") or file.name in ("run.py", "app.py"), f"{file}: {said}"


KINDS = "exception capture_failed not_finite level evaluated hit stopped breakpoints hyperparameter trainable refused"
KEYS = (
    "reason text type message source made_at place frames hook traceback node call parameter what origin inputs output "
    "value op level every passes modules breakpoints log optimizer group name before after parameters error step kind "
    "shape dtype moment acted attended hits"
)
ODD = ([], {}, 5, None, "x", [5], {"a": []}, [["x"]], {"file": 5, "line": "x"}, [{"file": 5}], [{"name": 3}], True)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_events_of_odd_types_are_told_as_far_as_they_go(odd: object, tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    writer = Writer(path, META)
    writer.append(step_record(0, structure_record(), loss=1.0))
    for kind in KINDS.split():
        writer.append(EventRecord(kind, 0, 1, dict.fromkeys(KEYS.split(), odd)))
    writer.close("closed")
    for command in ("info", "nan", "check", "break"):
        assert main([command, str(path)]) in (0, 2)
    assert main(["info", str(path), "--json"]) == 0


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("stopped", {"reason": "breakpoint", "breakpoints": [1, 2], "optimizers": [{"name": "SGD", "groups": [{}]}]}),
        ("breakpoints", {"breakpoints": [{"id": 1, "condition": "loss_spike"}]}),
        ("trainable", {"parameters": ["fc.weight"], "after": False}),
    ],
)
def test_events_as_tapescope_writes_them_lose_nothing(kind: str, data: dict[str, object]) -> None:
    assert of_its_types(kind, dict(data)) == data
