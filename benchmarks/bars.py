"""What recording may cost, as ratios between figures of one run, and whether it does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.cost import Cost

Costs = Mapping[str, Cost]


@dataclass(frozen=True, slots=True)
class Bar:
    """`measure` gives the ratio that is to be at most `limit`; KeyError where an instrument did not work."""

    steps: tuple[str, ...]
    claim: str
    limit: float
    measure: Callable[[Costs], float]


def _shares(ours: str, other: str) -> Callable[[Costs], float]:
    return lambda costs: costs[ours].extra_ms / costs[other].extra_ms


_BOTH = "ResNet-18", "12-layer transformer"
BARS = (
    Bar(_BOTH, "structure extra <= 1.5 x the floor's", 1.5, _shares("structure", "floor")),
    Bar(_BOTH, "structure extra <= 1/8 of torchviz's", 1 / 8, _shares("structure", "torchviz")),
    Bar(_BOTH, "structure extra <= 1/150 of torchlens's", 1 / 150, _shares("structure", "torchlens")),
    Bar(("ResNet-18",), "structure step <= 1.01 x the bare one", 1.01, lambda costs: costs["structure"].ratio),
    Bar(("MLP",), "structure step <= 1.25 x the bare one", 1.25, lambda costs: costs["structure"].ratio),
    Bar(
        ("ResNet-18",),
        "statistics every 10 steps <= 1.05 x the bare step",
        1.05,
        lambda costs: costs["statistics every 10"].ratio,
    ),
    Bar(_BOTH, "full extra <= 1/10 of torchlens's", 1 / 10, _shares("full", "torchlens")),
)
DECISIVE = ("structure", "floor", "torchviz", "statistics every 10")
"""The instruments whose extra is small beside the noise, and which are measured for longer."""


def verdicts(step_name: str, costs: Costs) -> Iterator[str]:
    """A line for each bar on this step: met or not, and the figure."""
    for bar in BARS:
        if step_name not in bar.steps:
            continue
        try:
            found = bar.measure(costs)
        except KeyError as missing:
            yield f"{bar.claim}: not measured ({missing.args[0]})"
        else:
            yield f"{bar.claim}: {'met' if found <= bar.limit else 'missed'} ({found:.4f}, at most {bar.limit:.4f})"
