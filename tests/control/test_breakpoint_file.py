"""Breakpoints remembered from run to run of a script."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.control.live import ROOT, TRAINER, Run, training
from tracer import Tape
from tracer.breakpoint_file import numbered, remember, remembered, running_script, script_key
from tracer.conditions import breakpoint_of
from tracer.model.breakpoints import Breakpoint

STEERED = TRAINER.with_name("steered.py")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_they_come_back_numbered_and_each_script_has_its_own(tmp_path: Path) -> None:
    first, second = script_key(tmp_path / "a" / "train.py"), script_key(tmp_path / "b" / "train.py")
    kept = [breakpoint_of("loss > 3", 9), breakpoint_of("topology_changed off", 4)]
    remember(first, kept)
    assert remembered(first) == numbered(kept)
    assert [each.id for each in remembered(first)] == [1, 2]
    assert remembered(second) == ()
    remember(second, kept[:1])
    remember(first, [])
    assert remembered(first) == ()
    assert len(remembered(second)) == 1
    assert remembered("") == ()


def test_a_link_to_a_script_is_the_script(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    (tmp_path / "link.py").symlink_to("train.py")
    assert script_key(tmp_path / "link.py") == script_key(tmp_path / "train.py")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"breakpoints": 3}', "\udcff", "[" * 100_000])
def test_a_file_that_is_none_is_passed_over(own_home: Path, content: str) -> None:
    remember("/x/train.py", [breakpoint_of("loss > 3", 1)])
    (file,) = own_home.rglob("*.json")
    file.write_bytes(content.encode(errors="surrogateescape"))
    assert remembered("/x/train.py") == ()


def test_what_this_version_does_not_know_is_left_out(own_home: Path) -> None:
    remember("/x/train.py", [breakpoint_of("loss > 3", 1)])
    (file,) = own_home.rglob("*.json")
    content = json.loads(file.read_text())
    content["breakpoints"] += [{"condition": "moon"}, 7, {"condition": "step_is", "fields": {"step": "x"}}]
    file.write_text(json.dumps(content))
    assert remembered("/x/train.py") == (Breakpoint(1, "expression", {"expression": "loss > 3"}),)


def test_the_script_that_runs_is_known_by_its_path(tmp_path: Path) -> None:
    script = tmp_path / "who.py"
    script.write_text("from tracer.breakpoint_file import running_script\nprint(running_script())\n")
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout == f"{script.resolve()}\n", done.stderr
    assert isinstance(running_script(), str)


def test_a_run_that_expects_the_app_has_them_from_the_first_step_and_another_has_not(tmp_path: Path) -> None:
    remember(script_key(STEERED), [breakpoint_of("step_is step=1", 1)])
    attended, alone = tmp_path / "attended.tape", tmp_path / "alone.tape"
    words = "--attended", "--break", "step_is step=2"
    with training(attended, *words, n_steps=5, script=STEERED) as process, closing(Run(attended, process)) as run:
        assert run.tape.meta["script"] == script_key(STEERED)
        for step in (1, 2):
            assert run.next_event("stopped").step == step
            run.client.continue_()
        process.communicate(timeout=240)
        listed = run.tape.events("breakpoints")[0].data["breakpoints"]
        assert [(each["id"], each["fields"]["step"]) for each in listed] == [(1, 1), (2, 2)]
    with training(alone, n_steps=5, script=STEERED) as process:
        process.communicate(timeout=240)
    with Tape(alone) as tape:
        assert len(tape) == 5 and tape.events("breakpoints") == []
