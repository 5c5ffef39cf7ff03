"""A parameter had no gradient, or one that is zero throughout, in n steps in a row."""

from tracer.model.breakpoints import Field
from tracer.model.in_a_row import PARAMETER, STEPS, InARow
from tracer.model.step_facts import StepFacts, Test

TITLE = "a gradient is zero"
FIELDS: tuple[Field, ...] = (PARAMETER, STEPS)


def describe(parameter: str, steps: int) -> str:
    return f"the gradient of {parameter} is zero in {steps} steps in a row"


def make(parameter: str, steps: int) -> Test:
    rows = InARow(parameter, steps)

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        if after.gradients.norm() is None:
            return None
        found = rows.note(after.gradients.zero())
        return f"the gradient of {found} was zero in {steps} steps in a row" if found else ""

    return test
