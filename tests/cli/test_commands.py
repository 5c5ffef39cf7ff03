"""info, diff, export and continue on real tapes; and what each says, in one line, to input that makes no sense."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest

from main import main
from tests.model import trainings
from tests.store.samples import META, step_record, structure_record, write_rich_tape, write_tape
from tracer import Tape
from tracer.store.records import EventRecord
from tracer.store.writer import Writer

ROOT = Path(__file__).resolve().parents[2]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tapescope(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one command in this process: (exit code, stdout, stderr)."""

    def command(*words: object) -> tuple[int, str, str]:
        loaded = dict(sys.modules)
        try:
            code = main([str(word) for word in words])
        except SystemExit as exit:
            assert isinstance(exit.code, int)
            code = exit.code
        finally:
            sys.modules.update(loaded)  # `run` makes room for the script's own
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return write_tape(tmp_path / "run.tape")


@pytest.fixture
def troubled(tmp_path: Path) -> Path:
    """A tape with a loss that is not a number, events, and no graph at the end."""
    writer = Writer(tmp_path / "troubled.tape", META)
    writer.append(step_record(0, structure_record(), loss=float("nan"), rate=float("inf")))
    writer.append(EventRecord("exception", 1, 1, {"type": "E", "message": "first line\nsecond", "traceback": "t"}))
    writer.append(EventRecord("capture_failed", 1, 1, {"hook": "h", "traceback": "Traceback:\n  x\nKeyError: 3\n"}))
    writer.append(step_record(1, None))
    writer.close("closed")
    return tmp_path / "troubled.tape"


def strict(text: str) -> object:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_info_says_what_a_tape_holds(tapescope: Command, tape: Path) -> None:
    code, out, err = tapescope("info", tape)
    assert (code, err) == (0, "")
    assert out.startswith(f"{tape}: closed, 0.3 MB\n  command     train.py\n")
    assert "steps       6 in 0.0 s\n  levels      structure ×6\n" in out
    assert "structures  2, with shapes 2; changed 1 time\n" in out
    assert out.endswith("  stopped at step 6: pause\n")
    facts = json.loads(tapescope("info", tape, "--json")[1])
    assert (facts["steps"], facts["structures"], facts["changes"], facts["state"]) == (6, 2, [3], "closed")
    assert facts["scalars"] == {"loss": 1 / 6, "lr": 0.1} and facts["run"]["command"] == "train.py"


def test_info_keeps_trouble_to_a_line_and_json_to_its_rules(tapescope: Command, troubled: Path) -> None:
    out = tapescope("info", troubled)[1]
    assert "  ended       by E in step 1: first line\n" in out and "  capture_failed at step 1: KeyError: 3\n" in out
    facts = strict(tapescope("info", troubled, "--json")[1])
    assert isinstance(facts, dict) and facts["scalars"] == {"loss": "NaN", "rate": "Infinity"}


def test_diff_says_why_two_steps_differ(tapescope: Command, tape: Path) -> None:
    assert tapescope("diff", tape, 0, 1) == (0, "Steps 0 and 1 have the same graph.\n", "")
    report = "Step 0 → -1: 1 added, 0 removed, 1 changed\nfc\n  +1 node in fc: 3 Mul instead of 2\n"
    assert tapescope("diff", tape, 0, -1) == (0, report, "")


def test_diff_lists_the_nodes_that_differ(tapescope: Command, tape: Path) -> None:
    code, out, err = tapescope("diff", tape, 0, -1, "--nodes")
    assert (code, err) == (0, "") and out.startswith("Step 0 → -1: 1 added, 0 removed, 1 changed\n")
    assert "  + fc: 1 nodes (MulBackward0)\n" in out
    assert "  ~ output:0: fed by fc#0/MulBackward0:1 → fc#0/MulBackward0:2\n" in out


def test_diff_gives_nodes_and_causes_as_json(tapescope: Command, tape: Path) -> None:
    found = json.loads(tapescope("diff", tape, 5, 0, "--json")[1])
    assert (found["added"], found["removed"]) == ([], ["fc#0/MulBackward0:2"]) and list(found["changed"]) == [
        "output:0"
    ]
    [cause] = found["causes"]
    assert (cause["kind"], cause["module"], cause["source"]) == ("repeated", "fc", None)
    assert (cause["removed"], cause["changed"]) == (found["removed"], ["output:0"])
    assert (cause["before"], cause["after"]) == (3, 2)


def test_diff_tells_causes_by_module_with_their_lines_in_a_hundred_columns(
    tapescope: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(trainings.__file__).parent)
    folder = tmp_path / "a folder of a name that is long enough to make any line too long for a hundred columns"
    folder.mkdir()
    trainings.early_exit(folder / "run.tape").close()
    code, out, err = tapescope("diff", folder / "run.tape", 2, 5)
    assert (code, err) == (0, "")
    headline, *lines = out.splitlines()
    assert headline == "Step 2 → 5: 4 added, 22 removed, 1 changed"
    assert [line for line in lines if not line.startswith(" ")] == ["layers", "EarlyExit", "exit"]
    assert re.fullmatch(r"  layers\.3–5 no longer run: −15 nodes \(trainings\.py:\d+\)", lines[1])
    assert all(len(line) <= 100 for line in lines)


def test_export_writes_json_that_networkx_reads(tapescope: Command, tape: Path, troubled: Path, tmp_path: Path) -> None:
    assert tapescope("export", tape, "--step", -1, "--format", "json", "-o", tmp_path / "g.json") == (0, "", "")
    read = nx.node_link_graph(json.loads((tmp_path / "g.json").read_text()), edges="edges")
    with Tape(tape) as opened:
        graph = opened.graph(5)
        assert nx.utils.graphs_equal(read, graph) or dict(read.nodes) == dict(graph.nodes)
        assert set(read.edges) == set(graph.edges) and read.graph["step"] == 5
        assert read.graph["topology_id"] == opened.steps[5].topology_id
    assert tapescope("export", troubled, "--step", 0, "--format", "json", "-o", tmp_path / "n.json")[0] == 0
    strict((tmp_path / "n.json").read_text())


def test_export_of_a_range_numbers_its_files(tapescope: Command, tape: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert tapescope("export", tape, "--steps", "1:5:3", "--format", "json", "-o", tmp_path / "out") == (0, "", "")
    assert tapescope("export", tape, "--steps=-2:", "--format", "json", "-o", tmp_path / "g.json") == (0, "", "")
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json"))
    assert found == ["g-4.json", "g-5.json", "out/step-1.json", "out/step-4.json"]


EXPORT = "export run.tape --format json -o"
NO_RANGE = "is not a range of steps; write A:B or A:B:K, for example 0:100:10."
REFUSED = {
    "no tape": "info none.tape | There is no file none.tape.",
    "not a tape": "info text.txt | text.txt is not a tape; a tape is written by `tapescope run`.",
    "folder as tape": "diff . 0 1 | . is not a file, nor a folder of a job's tapes (rank-0.tape, rank-1.tape and so "
    "on); a tape is written by `tapescope run`.",
    "step too far": "diff run.tape 0 6 | There is no step 6 in run.tape; it has steps 0 to 5.",
    "export too far": f"{EXPORT} x.json --step -7 | There is no step -7 in run.tape; it has steps 0 to 5.",
    "no range": f"{EXPORT} x --steps a:b | 'a:b' {NO_RANGE}",
    "step of none": f"{EXPORT} x --steps 0:5:0 | '0:5:0' {NO_RANGE}",
    "four parts": f"{EXPORT} x --steps 0:5:1:2 | '0:5:1:2' {NO_RANGE}",
    "empty range": f"{EXPORT} x --steps 7:9 | '7:9' holds no step of run.tape, which has 6; write A:B or A:B:K.",
    "no such format": "export run.tape --step 0 --format bmp -o x | There is no format 'bmp'; choose one of json, ",
    "no folder to write to": "export run.tape --step 0 --format json -o none/x.json | Cannot write none/x.json: ",
    "unwritable": "export run.tape --step 0 --format json -o /proc/x.json | Cannot write /proc/x.json: ",
    "no graph": "diff troubled.tape 0 1 | The graph of step 1 was not recorded, because capture had failed before",
    "no script": "run none.py | There is no script none.py.",
    "script is a folder": "run . | There is no script ..",
    "nothing to run": "run --headless | Nothing to run: give a script, or -m and a module.",
    "no module": "run -m none | There is no module none that can be run.",
    "no module in package": "run -m none.of.these | Module none.of.these cannot be run: No module named 'none'.",
    "no such level": "run --level all script.py | There is no level 'all'; choose structure",
    "every 0": "run --every 0 script.py | Recording every 0 steps makes no sense; give a number from 1 on.",
    "max-steps 0": "run --max-steps 0 script.py | Ending after 0 steps makes no sense; give a number from 1 on.",
    "tape in no folder": "run -o none/x.tape script.py | Cannot write the tape none/x.tape: No such file or",
    "tape in proc": "run -o /proc/x.tape script.py | Cannot write the tape /proc/x.tape: ",
    "tape over text": "run -o text.txt script.py | text.txt exists and is not a tape; it is left as it is.",
    "tape over folder": "run -o . script.py | . exists and is not a file.",
    "tape over device": "run -o /dev/null script.py | /dev/null exists and is not a file.",
    "name too long": f"run -o {'x' * 300} script.py | Cannot write the tape xxx",
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_bad_input_gets_one_line_and_exit_code_2(
    case: str, tapescope: Command, tape: Path, troubled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tape.parent)
    Path("text.txt").write_text("precious")
    Path("script.py").write_text("print('must not run')")
    for name in ("argv", "path"):
        monkeypatch.setattr(sys, name, list(getattr(sys, name)))
    words, _, sentence = case.partition(" | ")
    code, out, err = tapescope(*words.split())
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and err.startswith(f"tapescope: {sentence}"), err
    assert Path("text.txt").read_text() == "precious"
    assert {path.name for path in Path().iterdir()} == {"run.tape", "troubled.tape", "text.txt", "script.py"}


@pytest.mark.parametrize(
    "words", ["info", "fly run.tape", "diff run.tape 0 x", "export run.tape -o x", "run --every x s.py"]
)
def test_bad_usage_shows_the_usage_and_exits_with_2(words: str, tapescope: Command) -> None:
    code, out, err = tapescope(*words.split())
    assert (code, out) == (2, "") and err.startswith("usage: tapescope")


def test_continue_of_a_training_that_has_ended_says_so(tapescope: Command, tape: Path) -> None:
    assert tapescope("continue", tape) == (1, "", f"tapescope: The training that wrote {tape} has ended.\n")


def test_a_reader_that_has_seen_enough_ends_a_command_quietly(tape: Path) -> None:
    command = [sys.executable, "main.py", "info", str(tape), "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


def test_statistics_prints_the_tables_of_the_last_measured_step(tapescope: Command, tmp_path: Path) -> None:
    path = write_rich_tape(tmp_path / "rich.tape")
    code, out, err = tapescope("statistics", path)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Step 2",
        "",
        "module call  mean  nans",
        "fc#0            1     0",
        "",
        "parameter  grad_norm",
        "fc.weight          2",
        "unused           nan",
        "",
        "operator         times   secs  flops",
        "aten.mm.default      1  0.125     16",
        "all 1: 0.125 s, 16 FLOPs",
    ]
    code, out, _ = tapescope("statistics", path, "--step", 2, "--json")
    content = strict(out)
    assert code == 0 and content["calls"] == {"fc#0": {"mean": 1.0, "nans": 0.0}}
    assert content["parameters"]["unused"] == {"grad_norm": "NaN"}
    assert content["operators"][0]["secs"] == 0.125 and content["operators"][0]["call"] == "fc#0"


def test_statistics_of_what_was_not_measured_is_one_sentence(tapescope: Command, tape: Path, tmp_path: Path) -> None:
    code, out, err = tapescope("statistics", tape)
    assert (code, out) == (2, "")
    assert err == f"tapescope: No step of {tape} was measured; record with --level statistics or full.\n"
    rich = write_rich_tape(tmp_path / "rich.tape")
    _, _, err = tapescope("statistics", rich, "--step", 0)
    assert err == f"tapescope: Step 0 of {rich} was not measured; record with --level statistics or full.\n"
    assert tapescope("statistics", rich, "--step", 9)[0] == 2


def test_export_of_a_compiled_node_holds_its_inside(tapescope: Command, tmp_path: Path) -> None:
    path = write_rich_tape(tmp_path / "rich.tape")
    out = tmp_path / "step.json"
    assert tapescope("export", path, "--step", 2, "--format", "json", "-o", out)[0] == 0
    graph = nx.node_link_graph(strict(out.read_text()), edges="edges")
    inside = nx.node_link_graph(graph.nodes["fc#0/MulBackward0:0"]["inside"], edges="edges")
    assert list(inside) == ["x", "mul", "output"] and inside.nodes["mul"]["source"]["line"] == 4


def test_info_tells_where_a_nan_came_from(tapescope: Command, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    writer.append(step_record(0, structure_record(), loss=float("nan")))
    found = {"what": "loss", "value": "nan", "origin": "op", "op": "LogBackward0", "call": "head#2", "parameter": None}
    source = {"file": "/net.py", "line": 8, "function": "f"}
    writer.append(EventRecord("not_finite", 0, 1, {**found, "source": source}))
    writer.append(EventRecord("not_finite", 0, 1, {"what": "gradient", "value": "inf", "parameter": "fc.weight"}))
    writer.append(EventRecord("not_finite", 0, 1, {**found, "origin": "parameter", "parameter": "fc.bias"}))
    writer.append(EventRecord("not_finite", 0, 1, {"what": "loss", "value": "inf", "origin": None}))
    writer.append(EventRecord("level", 0, 1, {"level": "full", "every": 3}))
    writer.close("closed")
    _, out, _ = tapescope("info", tmp_path / "a.tape")
    assert "  not_finite at step 0: NaN first in the output of LogBackward0 in head#2, /net.py:8\n" in out
    assert "  not_finite at step 0: Inf in the gradient of fc.weight\n" in out
    assert "parameter fc.bias, as the update before left it, taken by LogBackward0 in head#2\n" in out
    assert "  not_finite at step 0: Inf in the loss; the graph of this step was not recorded\n" in out
    assert "  level at step 0: full, every 3\n" in out


@pytest.mark.parametrize("words", [("level", "full"), ("level", "statistics", "--every", 5), ("sources",)])
def test_what_changes_a_recording_needs_a_running_one(
    tapescope: Command, tape: Path, words: tuple[object, ...]
) -> None:
    name, *rest = words
    code, out, err = tapescope(name, tape, *rest)
    assert (code, out, err) == (1, "", f"tapescope: The training that wrote {tape} has ended.\n")


def test_a_level_that_does_not_exist_is_said_before_connecting(tapescope: Command, tape: Path) -> None:
    expected = "tapescope: There is no level 'all'; choose structure, statistics or full.\n"
    assert tapescope("level", tape, "all") == (2, "", expected)
    assert tapescope("level", tape, "full", "--every", 0)[0] == 2


def test_diff_names_the_evaluations_that_only_one_step_has(tapescope: Command, tmp_path: Path) -> None:
    path = write_rich_tape(tmp_path / "rich.tape")
    _, out, _ = tapescope("diff", path, 1, 2, "--nodes")
    assert out.splitlines()[-2:] == ["  + call of act: no grad, ×1", "  + call of fc: no grad, ×1"]
    _, out, _ = tapescope("diff", path, 1, 2)
    assert out.splitlines()[-2:] == ["the step as a whole", "  act, fc: forward-only pass that the first step lacks"]
    assert tapescope("diff", path, 0, 1)[1] == "Steps 0 and 1 have the same graph.\n"
    content = strict(tapescope("diff", path, 2, 1, "--json")[1])
    assert content["calls_removed"] == ["act#0~", "fc#0~"] and content["calls_added"] == []
