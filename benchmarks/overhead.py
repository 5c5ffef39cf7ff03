"""What recording adds to a training step, beside what the peers add.

    python -m benchmarks.overhead [--quick] [--threads N] [STEP ...]

Each figure comes from pairs in the same process: a block of bare steps beside a block of instrumented ones, in
alternating order, so that whatever else the machine does falls on both. A block lasts about 50 ms, a step at least, and
counts with its mean, so that what happens now and then (a commit, a collection) counts too. The extra time is the
median of the differences within the pairs, the range behind it the median's 95 % confidence interval. Each training
step has a process of its own, for torchlens changes torch.
"""

import argparse
import gc
import math
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import torch

from benchmarks.instruments import INSTRUMENTS, Instrument, count_nodes
from benchmarks.steps import STEPS, TrainingStep, make_step

WARM_UP_STEPS = 3
MIN_PAIRS = 5
BLOCK_MS, MAX_BLOCK = 50.0, 100
BUDGET_SECS, QUICK_BUDGET_SECS = 10.0, 2.0
SHARE_OF_TORCHVIZ = 1 / 5
BARS = ("ResNet-18", "12-layer transformer")
DECISIVE, LONGER = ("recorded", "torchviz make_dot"), 3  # what the bars compare is measured for longer


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds a step; `extra_ms` is the median difference over `pairs` pairs, the range its 95 % interval."""

    bare_ms: float
    bare_min_ms: float
    with_ms: float
    with_min_ms: float
    extra_ms: float
    extra_range_ms: tuple[float, float]
    pairs: int


Costs = dict[str, Cost]


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    if len(options.steps) == 1:
        measure_and_judge(options.steps[0], options.quick, options.threads)
        return 0
    print(f"torch {torch.__version__}, {options.threads} thread(s); milliseconds a step: median (minimum)", flush=True)
    passed_on = ["--threads", str(options.threads), *(["--quick"] if options.quick else [])]
    for name in options.steps:
        subprocess.run([sys.executable, "-m", "benchmarks.overhead", *passed_on, name], check=True)
    return 0


def measure_and_judge(step_name: str, is_quick: bool, threads: int) -> None:
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # the peers warn of much; what we warn of fails the tests
    costs = measure_all(step_name, QUICK_BUDGET_SECS if is_quick else BUDGET_SECS)
    if step_name in BARS:
        print(f"  {verdict(step_name, costs)}", flush=True)


def measure_all(step_name: str, budget_secs: float) -> Costs:
    """Print a line for each instrument on one step; returns the costs of those that worked."""
    step = make_step(step_name)
    print(f"\n{step_name}: {count_nodes(step.forward())} nodes")
    costs: Costs = {}
    for name, open_instrument in INSTRUMENTS.items():
        try:
            with open_instrument(step) as instrument:
                costs[name] = measure(step, instrument, budget_secs * (LONGER if name in DECISIVE else 1))
            result = describe(costs[name])
        except ImportError as error:
            result = f"not installed ({error.name})"
        except Exception as error:  # a peer may fail in any way: the line says how, and the others go on
            result = f"fails: {type(error).__name__}: {str(error)[:60]}"
        print(f"  {name:<26}{result}", flush=True)
    return costs


def measure(step: TrainingStep, instrument: Instrument, budget_secs: float) -> Cost:
    """Alternate blocks of bare and of instrumented steps, both warm, until the budget is spent."""
    for _ in range(2):  # the first round is slow: what is new is read in full, and torch warms up itself
        bare_ms = mean_duration_ms(step.run, WARM_UP_STEPS)
        with switched_on(instrument):
            with_ms = mean_duration_ms(instrument.run, WARM_UP_STEPS)
    block = max(1, min(MAX_BLOCK, round(2 * BLOCK_MS / (bare_ms + with_ms))))
    bare: list[float] = []
    instrumented: list[float] = []
    gc.collect()
    end = perf_counter() + budget_secs
    while len(bare) < MIN_PAIRS or perf_counter() < end:
        is_bare_first = len(bare) % 2 == 0
        if is_bare_first:
            bare.append(mean_duration_ms(step.run, block))
        with switched_on(instrument):
            instrumented.append(mean_duration_ms(instrument.run, block))
        if not is_bare_first:
            bare.append(mean_duration_ms(step.run, block))
    return summarize(bare, instrumented)


@contextmanager
def switched_on(instrument: Instrument) -> Iterator[None]:
    instrument.on()
    try:
        yield
    finally:
        instrument.off()


def summarize(bare: list[float], instrumented: list[float]) -> Cost:
    differences = sorted(there - here for here, there in zip(bare, instrumented, strict=True))
    return Cost(
        bare_ms=statistics.median(bare),
        bare_min_ms=min(bare),
        with_ms=statistics.median(instrumented),
        with_min_ms=min(instrumented),
        extra_ms=statistics.median(differences),
        extra_range_ms=confidence_interval(differences),
        pairs=len(bare),
    )


def confidence_interval(ordered: list[float]) -> tuple[float, float]:
    """Of the median, at 95 %, from the ranks alone (binomial, by its normal approximation)."""
    margin = math.ceil(0.98 * math.sqrt(len(ordered)))
    middle = len(ordered) // 2
    return ordered[max(0, middle - margin)], ordered[min(len(ordered) - 1, middle + margin)]


def mean_duration_ms(run: Callable[[], None], times: int) -> float:
    started = perf_counter()
    for _ in range(times):
        run()
    return (perf_counter() - started) * 1e3 / times


def describe(cost: Cost) -> str:
    bare = f"{cost.bare_ms:.2f} ({cost.bare_min_ms:.2f})"
    instrumented = f"{cost.with_ms:.2f} ({cost.with_min_ms:.2f})"
    ratios = f"x{cost.with_ms / cost.bare_ms:.3f} (x{cost.with_min_ms / cost.bare_min_ms:.3f})"
    low, high = cost.extra_range_ms
    extra = f"{cost.extra_ms:+.3f} [{low:+.3f} to {high:+.3f}] ({cost.with_min_ms - cost.bare_min_ms:+.3f})"
    return f"bare {bare:<17} with {instrumented:<19} {ratios:<19} extra {extra:<44} {cost.pairs} pairs"


def verdict(step_name: str, costs: Costs) -> str:
    """One line: whether recording stays under its share of what torchviz adds to this step."""
    claim = f"recorded extra <= 1/5 of torchviz's extra on {step_name}"
    ours, peer = costs.get("recorded"), costs.get("torchviz make_dot")
    if ours is None or peer is None:
        return f"{claim}: not measured"
    bar_ms = peer.extra_ms * SHARE_OF_TORCHVIZ
    answer = "yes" if ours.extra_ms <= bar_ms else "no"
    return f"{claim}: {answer} ({ours.extra_ms:.3f} of {bar_ms:.3f} ms)"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help="two seconds a line instead of ten, without DenseNet-121")
    parser.add_argument("--threads", type=int, default=1, help="torch's, 1 by default: more make the steps uneven")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.steps if name not in STEPS]
    if unknown:
        parser.error(f"there is no step {unknown[0]!r}; there are {', '.join(STEPS)}")
    options.steps = options.steps or [name for name in STEPS if not (options.quick and name == "DenseNet-121")]
    return options


if __name__ == "__main__":
    sys.exit(main())
