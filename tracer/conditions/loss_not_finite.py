"""The loss of a step is NaN or infinite."""

from math import isfinite

from tracer.model.records import StepFacts

NAME = "loss_not_finite"
TITLE = "the loss is not finite"


def is_met(before: StepFacts, after: StepFacts) -> bool:
    return not isfinite(after.scalars.get("loss", 0.0))
