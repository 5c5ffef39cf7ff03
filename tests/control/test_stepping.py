"""A real training in its own process, paused, stepped, continued and ended by a client, as its tape tells."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.control.live import ROOT, Run, training
from tracer import ControlError, Tape
from tracer.control.client import connect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.tape"


def test_a_training_is_paused_stepped_continued_and_terminated(path: Path) -> None:
    with training(path) as process, closing(Run(path, process)) as run:
        run.client.pause()
        stopped = run.next_event("stopped")
        assert stopped.data["reason"] == "pause"
        assert len(run.tape) == stopped.step + 1
        for at in range(1, 31):
            run.client.next()
            again = run.next_event("stopped")
            assert (again.data["reason"], again.step) == ("step", stopped.step + at)
            assert len(run.tape) == stopped.step + at + 1  # committed before it stops, and nothing after
        run.client.continue_()
        run.client.wait_for_answer()
        assert run.next_event("continued").step == again.step

        run.client.pause()
        paused = run.next_event("stopped")
        assert paused.step > again.step
        done = subprocess.run(
            [sys.executable, "main.py", "continue", str(path)], cwd=ROOT, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert run.next_event("continued").step == paused.step

        run.client.pause()
        run.next_event("stopped")
        run.client.terminate()
        assert run.next_event("closed")
        out, err = process.communicate(timeout=240)
        assert (process.returncode, out, err) == (130, "cleaned up\n", "")
    with pytest.raises(ControlError, match=r"^The training that wrote .*run\.tape has ended\.$"):
        connect(path)


def test_control_c_ends_a_paused_training_as_it_does_any(path: Path) -> None:
    with training(path, "--on-detach", "hold") as process, closing(Run(path, process)) as run:
        run.client.pause()
        run.next_event("stopped")
        run.close()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=240)
    assert process.returncode == -signal.SIGINT
    assert out == "cleaned up\n"
    assert err.endswith("KeyboardInterrupt\n") and str(ROOT / "tracer") not in err and err.startswith("Traceback")
    with Tape(path) as tape:
        assert tape.state == "closed"
    assert [item.name for item in path.parent.iterdir()] == ["run.tape"]


def test_the_level_of_a_running_training_is_changed_and_shows_on_the_tape(path: Path) -> None:
    with training(path) as process, closing(Run(path, process)) as run:
        run.client.pause()
        stopped = run.next_event("stopped")
        assert run.tape.steps[stopped.step].level == "structure"
        run.client.set_level("statistics", every=2)
        run.client.trace_sources()
        for at in range(1, 5):
            run.client.next()
            changed = run.next_event("stopped", "level")
            if at == 1:
                before = {"level": "structure", "every": 1}
                assert (changed.kind, changed.data) == ("level", {"level": "statistics", "every": 2, "before": before})
                assert changed.step == stopped.step
                run.next_event("stopped")
        levels = [step.level for step in run.tape.steps[stopped.step + 1 :]]
        assert sorted(levels) == ["statistics"] * 2 + ["structure"] * 2
        measured = stopped.step + 1 + levels.index("statistics")
        statistics = run.tape.statistics(measured)
        assert statistics is not None and set(statistics.parameters.keys) == {"weight", "bias"}
        assert run.tape.statistics(stopped.step) is None
        level = [sys.executable, "main.py", "level", str(path), "full"]
        assert subprocess.run(level, cwd=ROOT, capture_output=True, text=True).stderr == ""
        run.client.next()
        level = run.next_event("level").data
        assert (level["level"], level["every"], level["before"]["level"]) == ("full", 1, "statistics")
        run.next_event("stopped")
        found = run.tape.statistics(len(run.tape) - 1)
        assert found is not None and any(item.name == "aten.addmm.default" for item in found.operators)
        run.client.terminate()
        assert run.next_event("closed")
        run.client.close()
        process.communicate(timeout=240)


def test_a_level_that_does_not_exist_is_refused_in_words(path: Path) -> None:
    with training(path) as process, closing(Run(path, process)) as run:
        run.client.set_level("everything")
        with pytest.raises(ControlError, match=r"There is no level 'everything'; choose structure"):
            run.client.wait_for_answer()
        run.client.set_level("full", every=0)
        with pytest.raises(ControlError, match="give a number from 1 on"):
            run.client.wait_for_answer()
        run.client.trace_sources()
        run.client.wait_for_answer()
