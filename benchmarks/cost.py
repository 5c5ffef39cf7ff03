"""The arithmetic of the overhead benchmark: what an instrument adds to a step, and how sure that is."""

import math
import statistics
from dataclasses import dataclass


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

    @property
    def ratio(self) -> float:
        """How many times as long as the bare step the instrumented one took."""
        return (self.bare_ms + self.extra_ms) / self.bare_ms


def summarize(bare: list[float], instrumented: list[float]) -> Cost:
    """From the mean durations of blocks, bare and instrumented ones in pairs."""
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


def describe(cost: Cost) -> str:
    low, high = cost.extra_range_ms
    extra = f"{cost.extra_ms:+.3f} [{low:+.3f} to {high:+.3f}]"
    return f"bare {cost.bare_ms:<9.2f} extra {extra:<34} x{cost.ratio:<9.3f} {cost.pairs} pairs"
