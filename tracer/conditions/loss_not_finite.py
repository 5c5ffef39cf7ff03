"""The loss of a step is NaN or infinite."""

from math import isfinite

from tracer.model.step_facts import StepFacts, Test

TITLE = "the loss is not finite"
FIELDS = ()


def make() -> Test:
    return _test


def _test(before: StepFacts | None, after: StepFacts) -> str | None:
    loss = after.scalars.get("loss")
    if loss is None:
        return None
    return "" if isfinite(loss) else f"the loss is {'NaN' if loss != loss else f'{loss:+g}'}"
