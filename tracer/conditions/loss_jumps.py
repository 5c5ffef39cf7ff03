"""The loss of a step lies more than k standard deviations from the mean of the steps before."""

from collections.abc import Sequence
from math import isfinite, sqrt
from operator import mul

from tracer.model.breakpoints import Field
from tracer.model.step_facts import StepFacts, Test

TITLE = "the loss jumps by k sigma"
FIELDS = (
    Field("sigma", "Sigma", "number", 4.0, "how many standard deviations from the mean", least=0.0),
    Field("window", "Window", "count", 50, "of how many steps before", least=5),
)
FEWEST_STEPS = 5
"""A spread of fewer values says little."""


def describe(sigma: float, window: int) -> str:
    return f"the loss jumps by {sigma:g} sigma of the last {window} steps"


def make(sigma: float, window: int) -> Test:
    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        loss = after.scalars.get("loss")
        if loss is None:
            return None
        last = after.history.get("loss", ())[-window:]
        mean, spread = _mean_and_spread(last)
        if not isfinite(spread):
            last = [value for value in last if isfinite(value)]
            mean, spread = _mean_and_spread(last)
        if len(last) < FEWEST_STEPS or abs(loss - mean) <= sigma * spread:
            return ""
        far = f"{abs(loss - mean) / spread:.3g} sigma" if spread else "away"
        return f"the loss is {loss:.6g}, {far} from the mean {mean:.6g} of {len(last)} steps"

    return test


def _mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """In one go, around the first value, so that a large mean does not drown a small spread."""
    if not values:
        return 0.0, 0.0
    first, n = values[0], len(values)
    away = [value - first for value in values]
    mean = sum(away) / n
    return first + mean, sqrt(max(sum(map(mul, away, away)) / n - mean * mean, 0.0))
