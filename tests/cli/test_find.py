"""`tapescope find`: what it prints, what it answers to the shell, and what it says to what makes no sense."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from main import main
from tests.store.samples import META, step_record, structure_record, write_rich_tape, write_tape
from tracer.store.writer import Writer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Six steps; the last three have an op more."""
    return write_tape(tmp_path / "run.tape")


def find(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["find", *map(str, words)])
    return code, *capsys.readouterr()


def test_nodes_are_listed_with_what_there_is_to_say_of_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rich = write_rich_tape(tmp_path / "rich.tape")
    expected = "fc#0/MulBackward0:0  2×2  float32  train.py:7\nfc#0/MulBackward0:1  2×2  float32  train.py:7\n"
    assert find(capsys, rich, "op:mul module:fc", "--step", 0) == (0, expected, "")
    assert find(capsys, rich, "linear", "--step", -1)[1].splitlines()[0] == "fc#0   Linear"


def test_without_a_step_the_last_with_a_graph_is_searched(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    writer = Writer(tmp_path / "thin.tape", META)
    for step, graph in enumerate((structure_record(1), structure_record(2), None)):
        writer.append(step_record(step, graph, loss=1.0))
    writer.close("closed")
    found = json.loads(find(capsys, tmp_path / "thin.tape", "op:mul", "--json")[1])
    assert found["step"] == 1 and len(found["found"]) == 2


def test_what_was_removed_is_told_from_the_step_before(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    writer = Writer(tmp_path / "less.tape", META)
    for step, count in enumerate((2, 1)):
        writer.append(step_record(step, structure_record(count)))
    writer.close("closed")
    found = find(capsys, tmp_path / "less.tape", "removed or changed")
    assert found == (0, "output:0             scalar  float32\nfc#0/MulBackward0:1  2×2  float32\n", "")


@pytest.mark.parametrize(
    ("query", "printed"),
    [
        ("steps where op:mul", "0-5\n"),
        ("steps where loss > 0.4 or changed", "0, 1, 3\n"),
        ("steps where step != 2 step != 4", "0, 1, 3, 5\n"),
        ("steps where module:fc did not run", ""),
    ],
)
def test_steps_are_listed_as_ranges_and_none_is_an_exit_code(
    capsys: pytest.CaptureFixture[str], tape: Path, query: str, printed: str
) -> None:
    assert find(capsys, tape, query) == (0 if printed else 1, printed, "")


def test_json_says_it_all(capsys: pytest.CaptureFixture[str], tape: Path) -> None:
    steps = json.loads(find(capsys, tape, "steps where step != 3", "--json")[1])
    assert steps == {"query": "steps where step != 3", "count": 5, "ranges": [[0, 2], [4, 5]]}
    code, out, _ = find(capsys, tape, "op:relu", "--json")
    assert code == 1 and json.loads(out) == {"query": "op:relu", "step": 5, "found": []}
    first = json.loads(find(capsys, tape, "param:fc", "--json")[1])["found"][0]
    assert (first["key"], first["kind"], first["shapes"]) == ("fc.weight", "parameter", [[2, 2]])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("", "--step", 0), "The query asks for nothing; write, for example, op:relu, or steps where loss > 2."),
        (("steps where",), "The query asks for nothing; write, for example, op:relu, or steps where loss > 2."),
        (
            ("steps where new", "--step", 2),
            "A query about steps looks at all of them; leave out --step, or 'steps where'.",
        ),
        (("op:relu", "--step", 6), "There is no step 6 in {tape}; it has steps 0 to 5."),
        (("op:relu (",), "Character 10: Something to look for is missing here, for example op:relu."),
        (("zeros > 1",), "Character 1: 'zeros' was not measured in this step; record with --level statistics or full."),
    ],
)
def test_what_makes_no_sense_is_bad_usage(
    capsys: pytest.CaptureFixture[str], tape: Path, words: tuple[object, ...], sentence: str
) -> None:
    assert find(capsys, tape, *words) == (2, "", f"tapescope: {sentence.format(tape=tape)}\n")


def test_a_tape_without_graphs_has_no_nodes_to_find(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    writer = Writer(tmp_path / "bare.tape", META)
    writer.append(step_record(0, loss=3.0))
    writer.close("closed")
    code, _, err = find(capsys, tmp_path / "bare.tape", "op:relu")
    assert code == 2 and "has a graph; ask for steps, for example steps where loss > 2." in err
    assert find(capsys, tmp_path / "bare.tape", "steps where loss > 2") == (0, "0\n", "")
    assert find(capsys, tmp_path / "bare.tape", "steps where op:relu or changed or unreached") == (1, "", "")


def test_the_command_finds_as_the_shell_calls_it(tape: Path) -> None:
    words = [sys.executable, "main.py", "find", str(tape), "steps where changed"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")
    shown = subprocess.run([*words[:3], "--help"], cwd=ROOT, capture_output=True, text=True, timeout=240).stdout
    assert "'steps where module:layer4 did not run'" in shown
