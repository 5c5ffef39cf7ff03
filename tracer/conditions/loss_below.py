"""The loss of a step is below a value."""

from tracer.model.breakpoints import Field
from tracer.model.step_facts import StepFacts, Test

TITLE = "the loss is below"
FIELDS = (Field("value", "Value", "number", 0.1, "a number", is_example=True),)


def make(value: float) -> Test:
    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        loss = after.scalars.get("loss")
        if loss is None:
            return None
        return f"the loss is {loss:.6g}, below {value:g}" if loss < value else ""

    return test
