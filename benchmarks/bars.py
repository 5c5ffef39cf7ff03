"""What recording may cost, as ratios between figures of one run, and whether it does."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.cost import Cost

Costs = Mapping[str, Cost]
Ratio = tuple[float, float, float]
_UNKNOWN = (math.nan, -math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Bar:
    """`measure` gives the ratio that is to be at most `limit` and its 95 % interval, as far as our own figure makes it;
    KeyError where an instrument did not work."""

    steps: tuple[str, ...]
    claim: str
    limit: float
    measure: Callable[[Costs], Ratio]


def _shares(ours: str, other: str) -> Callable[[Costs], Ratio]:
    """Of the extra time of one in that of the other."""

    def measure(costs: Costs) -> Ratio:
        whole = costs[other].extra_ms
        low, high = costs[ours].extra_range_ms
        return (costs[ours].extra_ms / whole, low / whole, high / whole) if whole > 0 else _UNKNOWN

    return measure


def _whole_step(ours: str) -> Callable[[Costs], Ratio]:
    """Of the step with the instrument to the bare one."""

    def measure(costs: Costs) -> Ratio:
        cost = costs[ours]
        low, high = (1 + extra / cost.bare_ms for extra in cost.extra_range_ms)
        return cost.ratio, low, high

    return measure


_BOTH = "ResNet-18", "12-layer transformer"
BARS = (
    Bar(_BOTH, "structure extra <= 1.5 x the floor's", 1.5, _shares("structure", "floor")),
    Bar(_BOTH, "structure extra <= 1/8 of torchviz's", 1 / 8, _shares("structure", "torchviz")),
    Bar(_BOTH, "structure extra <= 1/150 of torchlens's", 1 / 150, _shares("structure", "torchlens")),
    Bar(("ResNet-18",), "structure step <= 1.01 x the bare one", 1.01, _whole_step("structure")),
    Bar(("MLP",), "structure step <= 1.25 x the bare one", 1.25, _whole_step("structure")),
    Bar(
        ("ResNet-18",),
        "statistics every 10 steps <= 1.05 x the bare step",
        1.05,
        _whole_step("statistics every 10"),
    ),
    Bar(_BOTH, "full extra <= 1/10 of torchlens's", 1 / 10, _shares("full", "torchlens")),
)
DECISIVE = ("structure", "floor", "torchviz", "statistics every 10")
"""The instruments whose extra is small beside the noise, and which are measured for longer."""


def verdicts(step_name: str, costs: Costs) -> Iterator[str]:
    """A line for each bar on this step: met, missed, or undecided where the bar lies within the noise."""
    for bar in BARS:
        if step_name not in bar.steps:
            continue
        try:
            found, low, high = bar.measure(costs)
        except KeyError as missing:
            yield f"{bar.claim}: not measured ({missing.args[0]})"
        else:
            answer = "met" if high <= bar.limit else "missed" if low > bar.limit else "undecided"
            yield f"{bar.claim}: {answer} ({found:.4f} [{low:.4f} to {high:.4f}], at most {bar.limit:.4f})"
