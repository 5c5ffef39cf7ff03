"""What recording adds to a training step, at each level, beside what the peers add.

    python -m benchmarks.overhead [--quick] [--threads N] [--device cuda] [--write [--page FILE]] [STEP ...]

Each figure comes from pairs in the same process: a block of bare steps beside a block of instrumented ones, in
alternating order, so that whatever else the machine does falls on both. A block lasts about 50 ms, a step at least (ten
where only every tenth is measured), and counts with its mean, so that what happens now and then (a commit, a
collection) counts too; on an accelerator it ends when that has done the block's work. Each training step has a process
of its own, for torchlens changes torch.
"""

import argparse
import gc
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import torch

from benchmarks import overhead_page
from benchmarks.bars import DECISIVE, verdicts
from benchmarks.cost import Cost, describe, summarize
from benchmarks.instruments import INSTRUMENTS, Instrument, count_nodes
from benchmarks.steps import STEPS, TrainingStep, make_step

WARM_UP_MS = 300.0
MIN_PAIRS = 5
BLOCK_MS, MAX_BLOCK = 50.0, 100
BUDGET_SECS, QUICK_BUDGET_SECS = 6.0, 2.0
LONGER = 3
LARGE = ("DenseNet-201", "LSTMCell x1000")


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    if len(options.steps) == 1 and not options.write:
        for line in measure_step(options.steps[0], options.quick, options.threads, options.device):
            print(line, flush=True)
        return 0
    print(f"{overhead_page.machine()}, {options.threads} thread(s); milliseconds a step", flush=True)
    figures: list[str] = []
    passed_on = ["--threads", str(options.threads), "--device", options.device]
    passed_on += ["--quick"] if options.quick else []
    for name in options.steps:
        command = [sys.executable, "-m", "benchmarks.overhead", *passed_on, name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                figures.append(line.rstrip())
    if options.write:
        overhead_page.write(options.page, figures, options.threads)
    return 0


def measure_step(step_name: str, is_quick: bool, threads: int, device: str) -> Iterator[str]:
    """A line for each instrument on one step, then one for each bar."""
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # the peers warn of much; what we warn of fails the tests
    step = make_step(step_name, device)
    place = "" if device == "cpu" else f" on {device}"
    yield f"\n{step_name}{place}: {count_nodes(step.forward())} nodes"
    budget_secs = QUICK_BUDGET_SECS if is_quick else BUDGET_SECS
    costs: dict[str, Cost] = {}
    for name, open_instrument in INSTRUMENTS.items():
        try:
            with open_instrument(step) as instrument:
                costs[name] = measure(step, instrument, budget_secs * (LONGER if name in DECISIVE else 1))
            result = describe(costs[name])
        except ImportError as error:
            result = f"not installed ({error.name})"
        except Exception as error:  # a peer may fail in any way: the line says how, and the others go on
            result = f"fails: {type(error).__name__}: {str(error)[:60]}"
        yield f"  {name:<20}{result}"
    for line in verdicts(step_name, costs):
        yield f"  > {line}"


def measure(step: TrainingStep, instrument: Instrument, budget_secs: float) -> Cost:
    """Alternate blocks of bare and of instrumented steps, both warm, until the budget is spent."""
    bare_ms = _warm_up(step.run, step.device)
    with switched_on(instrument):
        with_ms = _warm_up(instrument.run, step.device)
    period = getattr(instrument, "period", 1)
    block = period * max(1, min(MAX_BLOCK, round(2 * BLOCK_MS / (bare_ms + with_ms))) // period)
    bare: list[float] = []
    instrumented: list[float] = []
    gc.collect()
    end = perf_counter() + budget_secs
    while len(bare) < MIN_PAIRS or perf_counter() < end:
        is_bare_first = len(bare) % 2 == 0
        if is_bare_first:
            bare.append(mean_duration_ms(step.run, block, step.device))
        with switched_on(instrument):
            instrumented.append(mean_duration_ms(instrument.run, block, step.device))
        if not is_bare_first:
            bare.append(mean_duration_ms(step.run, block, step.device))
    return summarize(bare, instrumented)


@contextmanager
def switched_on(instrument: Instrument) -> Iterator[None]:
    instrument.on()
    try:
        yield
    finally:
        instrument.off()


def mean_duration_ms(run: Callable[[], None], times: int, device: torch.device) -> float:
    _wait_for(device)
    started = perf_counter()
    for _ in range(times):
        run()
    _wait_for(device)
    return (perf_counter() - started) * 1e3 / times


def _wait_for(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _warm_up(run: Callable[[], None], device: torch.device) -> float:
    """Run some times, at least twice (what is new is read in full, and torch warms up itself); the last duration."""
    run()
    end = perf_counter() + WARM_UP_MS / 1e3
    while True:
        last_ms = mean_duration_ms(run, 1, device)
        if perf_counter() > end:
            return last_ms


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help=f"2 seconds a line, not 6; without {' and '.join(LARGE)}")
    parser.add_argument("--threads", type=int, default=1, help="torch's, 1 by default: more make the steps uneven")
    parser.add_argument(
        "--device", default="cpu", help="where to train: cpu, the default, or an accelerator: cuda, mps"
    )
    parser.add_argument("--write", action="store_true", help="write docs/overhead.md")
    parser.add_argument("--page", type=Path, default=overhead_page.PAGE, help="with --write: another page than that")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.steps if name not in STEPS]
    if unknown:
        parser.error(f"there is no step {unknown[0]!r}; there are {', '.join(STEPS)}")
    if not _is_there(options.device):
        parser.error(f"this machine, or this torch, has no device {options.device!r}")
    options.steps = options.steps or [name for name in STEPS if not (options.quick and name in LARGE)]
    return options


def _is_there(device: str) -> bool:
    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError):  # an unknown name; not compiled in; "meta"
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
