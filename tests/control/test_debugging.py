"""Breakpoints, live changes and being left alone, on real trainings in their own processes, as their tapes tell."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from math import isclose
from pathlib import Path
from typing import Any

import pytest

from tests.control.live import ROOT, TRAINER, Run, training
from tracer import Tape
from tracer.conditions import breakpoint_of
from tracer.control.client import connect
from tracer.control.endpoint import load, open_socket
from tracer.control.protocol import COMMANDS

STEERED = TRAINER.with_name("steered.py")
CHANGES = [7, 20, 21]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.tape"


@pytest.fixture(scope="module")
def untraced() -> str:
    """What the steered training prints by itself after 60 steps."""
    return subprocess.run([sys.executable, str(STEERED), "60"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def steered(path: Path) -> Iterator[tuple[Run, "subprocess.Popen[str]"]]:
    """Stopped at step 7, before the optimizer."""
    words = "--attended", "--break", "topology_changed"
    with training(path, *words, n_steps=60, script=STEERED) as process, closing(Run(path, process)) as run:
        assert run.next_event("stopped").step == CHANGES[0]
        yield run, process


def output_of(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


def test_it_stops_where_the_structure_changes_before_the_optimizer_and_ends_with_the_same_weights(
    steered: tuple[Run, "subprocess.Popen[str]"], untraced: str
) -> None:
    run, process = steered
    assert len(run.tape) == CHANGES[0] + 1  # the step that stopped is there to be looked at
    assert run.tape.graph(CHANGES[0]).number_of_nodes() > run.tape.graph(CHANGES[0] - 1).number_of_nodes()
    stops = [CHANGES[0]]
    run.client.continue_()
    while (event := run.next_event("stopped", "closed")).kind == "stopped":
        assert event.data["moment"] == "before the optimizer"
        assert event.data["text"] == f"the structure is not that of step {event.step - 1}"
        assert event.data["breakpoints"] == [1]
        assert len(run.tape) == event.step + 1
        stops.append(event.step)
        run.client.continue_()
    assert stops == CHANGES
    assert output_of(process) == untraced
    assert [(hit.step, hit.data["hits"]) for hit in run.tape.events("hit")] == [(7, 1), (20, 2), (21, 3)]
    assert len(run.tape) == 60 and len(run.tape.series("loss")[0]) == 60


def test_a_step_that_stopped_early_is_complete_once_it_closed(path: Path) -> None:
    words = "--attended", "--level", "statistics", "--break", "step_is step=5"
    with training(path, *words, n_steps=12, script=STEERED) as process, closing(Run(path, process)) as run:
        assert run.next_event("stopped").step == 5
        early = run.tape.steps[5]
        run.client.next()
        assert run.next_event("stopped").step == 6
        run.client.continue_()
        output_of(process)
    with Tape(path) as tape:
        late = tape.steps[5]
        assert late.duration_secs > early.duration_secs
        assert isclose(late.scalars["step_secs"], late.duration_secs)
        assert late.duration_secs < 5  # without the pause
        assert (late.scalars["loss"], late.passes, late.topology_id) == (
            early.scalars["loss"],
            early.passes,
            early.topology_id,
        )
        measured = tape.statistics(5)
        assert measured is not None and (measured.parameters.column("update_norm") > 0).sum() == 4
        assert [step.index for step in tape.steps] == list(range(12))


def test_hyperparameters_are_changed_undone_and_seen_on_the_tape(
    steered: tuple[Run, "subprocess.Popen[str]"], untraced: str
) -> None:
    run, process = steered
    stopped = run.tape.events("stopped")[-1]
    (optimizer,) = stopped.data["optimizers"]
    (group,) = optimizer["groups"]
    assert (optimizer["name"], group["n_parameters"]) == ("SGD", 6)
    assert (group["hyperparameters"]["lr"], group["hyperparameters"]["nesterov"]) == (0.05, False)

    run.client.set_hyperparameter("SGD", 0, "lr", 0.5)
    changed = run.next_event("hyperparameter", "refused")
    assert (changed.step, changed.data) == (
        7,
        {"optimizer": "SGD", "group": 0, "name": "lr", "before": 0.05, "after": 0.5},
    )
    run.client.next()
    run.next_event("stopped")
    assert run.tape.steps[7].scalars["lr"] == 0.5  # the step that waited for its optimizer has it
    assert run.tape.steps[8].scalars["lr"] == 0.5
    run.client.set_hyperparameter("SGD", 0, "lr", 0.05)
    assert run.next_event("hyperparameter").data["before"] == 0.5
    run.client.set_breakpoints([])
    run.client.continue_()
    assert output_of(process) != untraced
    assert run.tape.events("breakpoints")[-1].data["breakpoints"] == []


def test_a_change_that_is_undone_before_going_on_leaves_no_trace_in_the_weights(
    steered: tuple[Run, "subprocess.Popen[str]"], untraced: str
) -> None:
    run, process = steered
    run.client.set_hyperparameter("SGD", 0, "lr", 0.5)
    run.client.set_hyperparameter("SGD", 0, "lr", 0.05)
    run.client.set_trainable(["body", "head.bias"], False)
    frozen = run.next_event("trainable")
    assert sorted(frozen.data["parameters"]) == ["body.bias", "body.weight", "head.bias"]
    run.client.set_trainable(frozen.data["parameters"], True)
    assert run.next_event("trainable").data["after"] is True
    run.client.set_breakpoints([])
    run.client.continue_()
    assert output_of(process) == untraced


def test_what_is_frozen_learns_nothing_from_there_on(steered: tuple[Run, "subprocess.Popen[str]"]) -> None:
    run, process = steered
    run.client.set_level("statistics")
    run.client.set_trainable(["body"], False)
    run.next_event("trainable")
    run.client.set_breakpoints([])
    run.client.continue_()
    output_of(process)
    with Tape(run.tape.path) as tape:
        assert "body.weight" in tape.graph(7) and "body.weight" not in tape.graph(8)
        for at in (8, 30, 59):
            measured = tape.statistics(at)
            assert measured is not None
            rows = dict(zip(measured.parameters.keys, measured.parameters.column("update_norm"), strict=True))
            assert rows["head.weight"] > 0
            assert rows.get("body.weight", 0.0) == 0


REFUSED = (
    (("Adam", 0, "lr", 1.0), "There is no optimizer 'Adam'; there are SGD."),
    (("SGD", 3, "lr", 1.0), "SGD has no parameter group 3; it has 1."),
    (
        ("SGD", 0, "params", 1.0),
        "'params' of SGD cannot be changed; these can: lr, momentum, ",
    ),
    (("SGD", 0, "lr", -1.0), "'lr' cannot be negative; -1.0 is."),
    (("SGD", 0, "lr", [1, 2]), "'lr' wants one number, not [1, 2]."),
    (("SGD", 0, "nesterov", 1), "'nesterov' is False; give a value of that kind, not 1."),
)


def test_changes_that_make_no_sense_are_refused_in_words(
    steered: tuple[Run, "subprocess.Popen[str]"], untraced: str
) -> None:
    run, process = steered
    for change, error in REFUSED:
        run.client.set_hyperparameter(*change)
        assert run.next_event("refused").data["error"].startswith(error)
    for names, is_trainable, error in (
        (["tail"], False, "There is no parameter or module 'tail' with parameters."),
        (["head"], True, "head is trainable already."),
    ):
        run.client.set_trainable(names, is_trainable)
        assert run.next_event("refused").data["error"] == error
    run.client.set_breakpoints([])
    run.client.continue_()
    assert output_of(process) == untraced


def test_log_messages_are_written_to_terminal_and_tape_and_stop_nothing(path: Path, untraced: str) -> None:
    word = "every_n n=25 log='at {step}: {lr}'"
    with training(path, "--break", word, n_steps=60, script=STEERED) as process:
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out, err) == (
        0,
        untraced,
        "tapescope: step 25: at 25: 0.05\ntapescope: step 50: at 50: 0.05\n",
    )
    with Tape(path) as tape:
        assert [(hit.step, hit.data["log"]) for hit in tape.events("hit")] == [(25, "at 25: 0.05"), (50, "at 50: 0.05")]
        assert tape.events("stopped") == []


def test_with_nobody_attached_hits_are_noted_and_nothing_stops(path: Path, untraced: str) -> None:
    with training(path, "--break", "topology_changed", n_steps=60, script=STEERED) as process:
        assert output_of(process) == untraced
    with Tape(path) as tape:
        assert [(hit.step, hit.data["attended"]) for hit in tape.events("hit")] == [(at, False) for at in CHANGES]
        assert tape.events("stopped") == []


def test_the_command_line_sets_and_lists_breakpoints(path: Path) -> None:
    def tapescope(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "main.py", *words], cwd=ROOT, capture_output=True, text=True)

    with training(path) as process, closing(Run(path, process)) as run:
        assert tapescope("break", str(path)).stdout == "There are no breakpoints.\n"
        done = tapescope("break", str(path), "loss_above value=1e9", "module_ran module=nothing hit='>= 2' once")
        assert done.stdout.splitlines() == [
            "1  loss_above value=1000000000.0    the loss is above 1e+09",
            "2  module_ran module=nothing 'hit=>= 2' once    nothing runs",
        ]
        run.next_event("breakpoints")
        slip = tapescope("break", str(path), "losss > 9")
        assert "losss > 9" in slip.stdout
        assert slip.stderr.startswith("tapescope: nothing called losss was logged so far; there is loss, ")
        listed = run.next_event("breakpoints").data["breakpoints"]
        assert [each["id"] for each in listed] == [1, 2, 3]
        bad = tapescope("break", str(path), "loss_above value=x")
        assert (bad.returncode, bad.stderr) == (2, "tapescope: 'Value' wants a number, not 'x'.\n")
        assert tapescope("break", str(path), "--clear").stdout == ""
        assert run.next_event("breakpoints").data["breakpoints"] == []
        run.client.continue_(until=breakpoint_of("every_n n=100"))
        stopped = run.next_event("stopped")
        assert (stopped.data["reason"], stopped.step % 100) == ("breakpoint", 0)


def test_a_bad_breakpoint_on_the_command_line_is_bad_usage(path: Path) -> None:
    with training(path, "--break", "moon phase=full") as process:
        _, err = process.communicate(timeout=240)
    assert process.returncode == 2
    assert err.startswith("tapescope: There is no condition 'moon'; choose one of ")
    assert not path.exists()


def test_breakpoints_before_the_optimizer_hold_with_closures_scalers_and_several_optimizers(tmp_path: Path) -> None:
    """Where the graph is not known yet (a closure), the stop comes after the step; each step is seen once."""
    script = tmp_path / "several.py"
    script.write_text("""
import torch
a, b, c = (torch.nn.Linear(3, 1) for _ in range(3))
first, second = torch.optim.SGD(a.parameters(), 0.1), torch.optim.Adam(b.parameters(), 0.1)
third = torch.optim.LBFGS(c.parameters(), max_iter=2)
x = torch.ones(4, 3)
def closure():
    third.zero_grad()
    loss = c(x).square().mean()
    loss.backward()
    return loss
for _ in range(4):
    for model, optimizer in ((a, first), (b, second)):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    third.step(closure)
""")
    path = tmp_path / "run.tape"
    words = "--attended", "--break", "module_ran module=Linear"
    with training(path, *words, script=script) as process, closing(Run(path, process)) as run:
        seen = []
        while (event := run.next_event("stopped", "closed")).kind == "stopped":
            seen.append((event.step, event.data["moment"]))
            run.client.continue_()
        output_of(process)
    early, late = "before the optimizer", "after the step"
    assert seen == [(step, late if step % 3 == 2 else early) for step in range(12)]


def hostile(chance: random.Random) -> bytes:
    """A message of a client that has shown its token: a command with anything for fields."""
    things: list[Any] = [
        None, True, -1, 0, 3, 1e308, 10**40, "", "x" * 5000, "SGD", "lr", "body", [], {}, [[]], {"id": 1}, "\ud800",
        [{"id": 1, "condition": "step_is", "fields": {"step": 10**30}}], [{"id": 1, "condition": "../../etc"}],
        [{"condition": "expression", "fields": {"expression": "__import__('os').abort()"}}], [None] * 300,
        [{"condition": "module_ran", "fields": {"module": "*" * 900}}], {"condition": "loss_above", "fields": []},
    ]  # fmt: skip
    names = "breakpoints until level every optimizer group name value names trainable".split()
    command = chance.choice([name for name in COMMANDS if name not in ("terminate", "pause", "next")])
    fields = {name: chance.choice(things) for name in chance.sample(names, chance.randrange(len(names)))}
    if command == "continue" and "until" in fields:  # what would be a stop is not what is tested here
        fields["until"] = chance.choice([[], {}, "moon", 7])
    text = json.dumps({"id": chance.choice([1, "x", None, 10**30]), "command": command, **fields})
    cut = chance.randrange(len(text)) if chance.random() < 0.1 else len(text)
    return text[:cut].encode("utf-8", "surrogatepass") + b"\n"


def test_hostile_messages_of_a_trusted_client_never_hurt_the_training(path: Path) -> None:
    chance = random.Random(5)
    with training(path, "--on-detach", "resume") as process, closing(Run(path, process)) as run:
        endpoint = load(Path(run.tape.meta["control"]))
        for _ in range(400):
            with closing(open_socket(endpoint, 5)) as client:
                token = json.dumps({"token": endpoint.token}).encode() + b"\n"
                try:
                    client.sendall(token + b"".join(hostile(chance) for _ in range(chance.randrange(1, 8))))
                    client.settimeout(0.02)
                    if chance.random() < 0.5:
                        client.recv(100)
                except OSError:
                    pass
        run.client.set_breakpoints([])
        run.client.wait_for_answer()
        run.client.pause()
        assert run.next_event("stopped")
        assert run.tape.events("capture_failed") == []
        run.client.terminate()
        run.client.wait_for_answer()
        run.next_event("closed")
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out) == (130, "cleaned up\n")
    assert "Traceback" not in err


APP = """
import os, signal, sys, threading, time
from tracer.control.client import connect
client = connect(sys.argv[1], timeout_secs=10)
client.pause()
threading.Timer(float(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
while True:
    client.next()
    client.wait_for_answer()
"""


def test_the_training_survives_a_client_that_is_killed_at_any_moment(path: Path, untraced: str) -> None:
    chance = random.Random(7)
    with training(path, "--attended", "--break", "step_is step=3", n_steps=60, script=STEERED) as process:
        with closing(Run(path, process)) as run:
            run.next_event("stopped")
        command = [sys.executable, "-c", APP, str(path), str(chance.uniform(0.0, 0.1))]
        killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert output_of(process) == untraced


def test_held_it_waits_for_who_comes_back(path: Path, untraced: str) -> None:
    words = "--on-detach", "hold", "--attended", "--break", "step_is step=3"
    with training(path, *words, n_steps=60, script=STEERED) as process:
        with closing(Run(path, process)) as run:
            run.next_event("stopped")
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line == (
            f"tapescope: paused and nobody is attached. To look: tapescope open {path}. "
            f"To go on: tapescope continue {path}\n"
        )
        with closing(connect(path)) as client:
            client.continue_()
            client.wait_for_answer()
        assert output_of(process) == untraced
