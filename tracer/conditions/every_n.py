"""Every n-th step: those whose number is a multiple of n."""

from tracer.model.breakpoints import Field
from tracer.model.step_facts import StepFacts, Test

TITLE = "every n-th step"
FIELDS = (Field("n", "Every", "count", 100, "number of steps", least=1, is_example=True),)


def describe(n: int) -> str:
    return f"every {n} steps"


def make(n: int) -> Test:
    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        return f"{after.index} is a multiple of {n}" if after.index and after.index % n == 0 else ""

    return test
