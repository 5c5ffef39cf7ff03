"""So much time has passed since the recording began; met once."""

from tracer.model.breakpoints import Field
from tracer.model.step_facts import StepFacts, Test

TITLE = "time has passed"
FIELDS = (
    Field(
        "minutes", "Minutes", "number", 10.0, "since the recording began, pauses included", least=0.0, is_example=True
    ),
)


def describe(minutes: float) -> str:
    return f"{minutes:g} minutes have passed"


def make(minutes: float) -> Test:
    is_over: bool | None = None  # unknown until the first step: what is over already is not met any more

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        nonlocal is_over
        was_over, is_over = is_over, after.elapsed_secs >= 60 * minutes
        is_met = is_over and (was_over is False or after.index == 0)
        return f"{minutes:g} minutes have passed since the beginning" if is_met else ""

    return test
