"""What a tape says on the terminal cannot steer it: no escape sequence, no line of its own."""

import ast
import json
from pathlib import Path

import pytest

from main import main
from tests.gui.test_hostile_names import NAMES, hostile_tape
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
