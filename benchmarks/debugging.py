"""Run control: does it stop where it should, how soon, at what price, and does the training survive its app.

    python -m benchmarks.debugging [--runs 100] [--kills 50] [PART…]       parts: checks, stops, pauses, steps, kills

checks  what asking one breakpoint of one step costs, for each condition, beside calling a function that does nothing
stops   a training whose graph changes at steps 7, 20 and 21, with a breakpoint "topology changed", once a run
pauses  the real app, offscreen, pauses a training of 1 ms a step: from the command to the session's "paused"
steps   1,000 step commands, one after the other
kills   the real app, offscreen, that pauses, steps and continues a training, is killed at a random moment
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.control.live import ROOT, TRAINER, Run, training
from tracer.conditions import condition_names, fields_of, make_test
from tracer.control.breakpoints import Breakpoints
from tracer.model.breakpoints import Breakpoint
from tracer.model.step_facts import StepFacts
from tracer.model.structure import ModuleCall, Node, Structure

STEERED = TRAINER.with_name("steered.py")
CHANGES = [7, 20, 21]
MOST_CHECK_US, MOST_PAUSE_MS = 5.0, 100.0
NOTHING = {"module": "nothing.*"}
EXAMPLES: dict[str, dict[str, str | float]] = {
    "loss_above": {"value": 1e9},
    "gradient_norm_above": {"value": 1e9},
    "structure_is": {"id": "f"},
    "op_appears": {"op": "Nothing"},
    "module_ran": NOTHING,
    "module_not_run": NOTHING,
    "module_ran_times": NOTHING,
}

SLOW = """
import sys, time, torch
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(int(sys.argv[1])):
    begun = time.perf_counter()
    optimizer.zero_grad()
    model(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    time.sleep(max(0.001 - (time.perf_counter() - begun), 0))
"""

APP = """
import os, random, signal, sys
from pathlib import Path
from PySide6.QtCore import QSettings, QTimer
from gui.application import make_application, make_window
from gui.settings import Settings
chance, folder = random.Random(int(sys.argv[2])), Path(sys.argv[3])
app = make_application()
window = make_window(app, Settings(QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)))
window.show()
window.workbench.open_tape(Path(sys.argv[1]))
control = window.workbench.control
def press():
    chance.choice([control.pause, control.next, control.next, control.continue_])()
timer = QTimer()
timer.timeout.connect(press)
timer.start(10)
control.availability_changed.connect(
    lambda _: QTimer.singleShot(chance.randrange(600), lambda: os.kill(os.getpid(), signal.SIGKILL))
)
app.exec()
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.debugging", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=50)
    args = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "checks": checks,
        "stops": lambda: stops(args.runs),
        "pauses": lambda: pauses(args.runs),
        "steps": steps,
        "kills": lambda: kills(args.kills),
    }
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    for name in args.parts or parts:
        for line in parts[name]():
            print(line, flush=True)
    return 0


def checks() -> Iterator[str]:
    """Of a step with 200 module calls and 1,000 nodes, and 4,000 steps of history, whose structure is known."""
    floor = _cost_us(lambda before, facts: None)
    yield f"asking a function that does nothing: {floor:.2f} us a step"
    worst = 0.0
    for name in condition_names():
        examples = {field.name: field.default for field in fields_of(name) if field.is_example}
        breakpoint = Breakpoint(1, name, examples | EXAMPLES.get(name, {}))
        cost = _cost_us(make_test(Breakpoints([breakpoint]).all[0]))
        worst = max(worst, cost)
        yield f"  {name:20} {cost:6.2f} us a step, {cost / floor:5.1f} x the floor"
    hundred = Breakpoints([Breakpoint(at, "loss_above", {"value": 1e9}) for at in range(100)])
    whole = _cost_us(lambda before, facts: hundred.ask(before, facts, True) and None) / 100
    yield f"  a hundred at once, through all of run control's own: {whole:.2f} us a step and condition"
    worst = max(worst, whole)
    yield f"check <= {MOST_CHECK_US:g} us a step per condition: {_answer(worst <= MOST_CHECK_US)} (worst {worst:.2f})"


def _cost_us(ask: Callable[[StepFacts | None, StepFacts], object], n_steps: int = 2000, n_rounds: int = 9) -> float:
    """The median over rounds of a step's cost; the loss and the step's number differ from step to step."""
    calls = tuple(ModuleCall(f"layer{at}.conv", "Conv2d", 0, None, True, True) for at in range(200))
    nodes = tuple(Node(f"n:{at}", "op", "MulBackward0", None, None, 0, (), "", "") for at in range(1000))
    structure = Structure(nodes, (), calls, ())
    values = [1.0 + 0.01 * (at % 7) for at in range(4000)]
    history = {"loss": values}  # grows with every step, as a run's does
    steps = [
        StepFacts(
            at, "a" * 32, "b" * 32, {"loss": 1.0 + 0.01 * (at % 5), "lr": 0.1}, history, structure, gradients=_Known()
        )
        for at in range(n_steps)
    ]
    rounds = []
    for _ in range(n_rounds):
        begun, before = time.perf_counter(), None
        for step in steps:
            ask(before, step)
            before = step
            values.append(step.scalars["loss"])
        rounds.append((time.perf_counter() - begun) / n_steps * 1e6)
    return statistics.median(rounds)


class _Known:
    """Gradients that are read already: reading them is the model's size, not the condition's cost."""

    def norm(self) -> float:
        return 1.0

    def zero(self) -> frozenset[str]:
        return frozenset({"head.weight"})


def stops(n_runs: int) -> Iterator[str]:
    expected, exact, same = _untraced(60), 0, 0
    for _ in range(n_runs):
        with _folder() as folder:
            path = folder / "run.tape"
            words = "--attended", "--break", "topology_changed"
            with training(path, *words, n_steps=60, script=STEERED) as process, closing(Run(path, process)) as run:
                seen = []
                while (event := run.next_event("stopped", "closed")).kind == "stopped":
                    seen.append(event.step)
                    run.client.continue_()
                exact += seen == CHANGES
                same += process.communicate(timeout=60)[0] == expected
    yield f"stopped at exactly {CHANGES}: {exact} of {n_runs} runs; weights as untraced: {same} of {n_runs}"


def pauses(n_runs: int) -> Iterator[str]:
    from PySide6.QtCore import QSettings

    from gui.application import make_application, make_window
    from gui.settings import Settings

    app = make_application()
    with _folder() as folder:
        script, path = folder / "slow.py", folder / "run.tape"
        script.write_text(SLOW)
        with training(path, script=script) as process:
            with closing(Run(path, process)):
                pass
            window = make_window(app, Settings(QSettings(str(folder / "s.ini"), QSettings.Format.IniFormat)))
            window.resize(1280, 800)
            window.show()
            window.workbench.open_tape(path)
            session, control = window.workbench.session, window.workbench.control

            def until(is_there: Callable[[], bool]) -> float:
                begun = time.perf_counter()
                while not is_there():
                    app.processEvents()
                return (time.perf_counter() - begun) * 1e3

            until(lambda: session.run_state == "running" and control.is_available)
            waits = []
            for _ in range(n_runs):
                control.pause()
                waits.append(until(lambda: session.run_state == "paused"))
                control.continue_()
                until(lambda: session.run_state == "running")
            window.workbench.close_tape(stops_run=True)
            window.close()
    waits.sort()
    middle, late = statistics.median(waits), waits[int(len(waits) * 0.95)]
    yield f"pause to paused in the app: median {middle:.0f} ms, 95 % {late:.0f}, worst {waits[-1]:.0f} ({n_runs} times)"
    yield f"median <= {MOST_PAUSE_MS:g} ms: {_answer(middle <= MOST_PAUSE_MS)}"


def steps(n_steps: int = 1000) -> Iterator[str]:
    with _folder() as folder, _run(folder / "run.tape") as run:
        run.client.pause()
        at, exact = run.next_event("stopped").step, 0
        begun = time.perf_counter()
        for _ in range(n_steps):
            run.client.next()
            stopped = run.next_event("stopped")
            exact += stopped.step == at + 1 and len(run.tape) == stopped.step + 1
            at = stopped.step
        each = (time.perf_counter() - begun) / n_steps * 1e3
    yield f"a step command ran exactly one step: {exact} of {n_steps} ({each:.0f} ms each, the tape's commit included)"


def kills(n_kills: int, n_steps: int = 4000) -> Iterator[str]:
    expected, finished, same = _untraced(n_steps), 0, 0
    for seed in range(n_kills):
        with _folder() as folder:
            path = folder / "run.tape"
            with training(path, "--attended", "--break", "step_is step=50", n_steps=n_steps, script=STEERED) as process:
                with closing(Run(path, process)):
                    command = [sys.executable, "-c", APP, str(path), str(seed), str(folder)]
                    app = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
                    assert app.returncode == -signal.SIGKILL, app.stderr
                with suppress(subprocess.TimeoutExpired):
                    out, _ = process.communicate(timeout=120)
                    finished += process.returncode == 0
                    same += out == expected
    yield f"app killed at a random moment: the training finished {finished} of {n_kills}, bit-equal {same} of {n_kills}"


@contextmanager
def _run(path: Path) -> Iterator[Run]:
    with training(path) as process, closing(Run(path, process)) as run:
        yield run


def _untraced(n_steps: int) -> str:
    command = [sys.executable, str(STEERED), str(n_steps)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _answer(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    sys.exit(main())
