"""A step has a given number."""

from tracer.model.breakpoints import Field
from tracer.model.step_facts import StepFacts, Test

TITLE = "the step is"
FIELDS = (Field("step", "Step", "count", 100, "its number, from 0 on", least=0, is_example=True),)


def make(step: int) -> Test:
    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        return f"this is step {step}" if after.index == step else ""

    return test
