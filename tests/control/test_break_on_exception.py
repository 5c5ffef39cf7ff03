"""`tapescope run --break-on-exception`: a real training waits, alive, where an exception would end it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.control.test_stepping import ROOT, Run
from tracer import Tape

SCRIPT = """
import atexit, sys
import torch
atexit.register(lambda: print("at exit", flush=True))
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(4):
    optimizer.zero_grad()
    loss = model(torch.ones(3, 2 if step < 3 else 5)).sum()
    loss.backward()
    optimizer.step()
"""


@contextmanager
def failing(folder: Path, *options: str, code: str = SCRIPT) -> Iterator[subprocess.Popen[str]]:
    script = folder / "script.py"
    script.write_text(code)
    command = [sys.executable, "main.py", "run", "--headless", *options, "-o", str(folder / "run.tape"), str(script)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_client_finds_it_alive_and_lets_it_end(goes_on: bool, tmp_path: Path) -> None:
    path = tmp_path / "run.tape"
    with failing(tmp_path, "--break-on-exception") as process, closing(Run(path, process)) as run:
        event = run.next_event("exception")
        stopped = run.next_event("stopped")
        assert (event.data["where"], event.step, stopped.step, len(run.tape)) == ("forward", 3, 3, 4)
        assert stopped.data["reason"] == "exception"
        assert stopped.data["text"].startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
        assert run.tape.steps[3].phase == "partial" and run.tape.state == "live" and process.poll() is None
        if goes_on:
            run.client.continue_()
            assert run.next_event("continued").step == 3
        else:
            run.client.terminate()
        assert run.next_event("closed")
        out, err = process.communicate(timeout=240)
    assert out == "at exit\n"
    assert process.returncode == (1 if goes_on else 130)
    assert err.endswith("(3x5 and 2x1)\n") if goes_on else err == ""
    with Tape(path) as tape:
        assert tape.state == "closed" and len(tape) == 4


def test_with_nobody_it_goes_on_after_the_grace(tmp_path: Path) -> None:
    with failing(tmp_path, "--break-on-exception") as process:
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out) == (1, "at exit\n") and err.startswith("Traceback") and "tracer/" not in err
    with Tape(tmp_path / "run.tape") as tape:
        assert [event.kind for event in tape.events()] == ["started", "exception", "stopped", "continued", "closed"]
        stopped, continued = tape.events("stopped")[0], tape.events("continued")[0]
        assert continued.time_ns - stopped.time_ns > 4e9  # somebody who saw it might have come


def test_held_it_says_how_to_look_and_how_to_continue(tmp_path: Path) -> None:
    path = tmp_path / "run.tape"
    with failing(tmp_path, "--break-on-exception", "--on-detach", "hold") as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("tapescope: paused at RuntimeError: mat1 and mat2 shapes cannot be multiplied (3x5")
        assert line.endswith(
            f"and nobody is attached. To look: tapescope open {path}. To go on: tapescope continue {path}\n"
        )
        done = subprocess.run([sys.executable, "main.py", "continue", str(path)], cwd=ROOT, capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out) == (1, "at exit\n") and err.startswith("Traceback")


def test_control_c_ends_the_wait(tmp_path: Path) -> None:
    path = tmp_path / "run.tape"
    with (
        failing(tmp_path, "--break-on-exception", "--on-detach", "hold") as process,
        closing(Run(path, process)) as run,
    ):
        run.next_event("stopped")
        os.kill(process.pid, signal.SIGINT)
        assert run.next_event("closed")
        _, err = process.communicate(timeout=240)
    assert process.returncode == -signal.SIGINT and err.endswith("KeyboardInterrupt\n")
    with Tape(path) as tape:
        assert tape.state == "closed"


def test_a_block_of_a_script_stops_as_well_and_what_follows_runs(tmp_path: Path) -> None:
    lines = SCRIPT.strip().splitlines()
    block = "\n".join(f"        {line}" for line in lines[4:])
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tracer import record
{chr(10).join(lines[:4])}
try:
    with record({str(tmp_path / "run.tape")!r}, break_on_exception=True):
{block}
except RuntimeError as error:
    print("caught", error.__traceback__.tb_next is not None)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    command = [sys.executable, str(script)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
        closing(Run(tmp_path / "run.tape", process)) as run,
    ):
        assert run.next_event("stopped").data["reason"] == "exception"
        run.client.continue_()
        assert run.next_event("closed")
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out, err) == (0, "caught True\nat exit\n", "")


def test_without_the_option_it_does_not_wait(tmp_path: Path) -> None:
    with failing(tmp_path) as process:
        process.communicate(timeout=240)
        ended = time.time_ns()
    with Tape(tmp_path / "run.tape") as tape:
        (event,) = tape.events("exception")
        assert not tape.events("stopped") and event.time_ns < ended
