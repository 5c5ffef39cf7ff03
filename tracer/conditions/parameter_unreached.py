"""A trainable parameter was reached by no backward in n steps in a row."""

from tracer.model.breakpoints import Field
from tracer.model.in_a_row import PARAMETER, STEPS, InARow
from tracer.model.step_facts import StepFacts, Test

TITLE = "a parameter is not reached"
FIELDS: tuple[Field, ...] = (PARAMETER, STEPS)


def describe(parameter: str, steps: int) -> str:
    return f"{parameter} is not reached in {steps} steps in a row"


def make(parameter: str, steps: int) -> Test:
    rows = InARow(parameter, steps)

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        if after.structure is None:
            return None
        found = rows.note(after.structure.unreached)
        return f"{found} was not reached in {steps} steps in a row" if found else ""

    return test
