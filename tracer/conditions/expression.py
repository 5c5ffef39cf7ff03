"""An expression over the step's scalars is true: `loss > 2 * mean(loss[-20:])`."""

from tracer.model.breakpoints import Field
from tracer.model.expression import Expression, Scope
from tracer.model.step_facts import StepFacts, Test

TITLE = "an expression is true"
FIELDS = (
    Field(
        "expression",
        "Expression",
        "expression",
        "loss > 2 * mean(loss[-20:])",
        "an expression over scalars: loss > 2 * mean(loss[-20:])",
        is_example=True,
    ),
)


def describe(expression: str) -> str:
    return expression


def make(expression: str) -> Test:
    parsed = Expression(expression)

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        scalars = after.scalars
        for name in parsed.names:
            if name not in scalars:
                return None  # logged later in the step, perhaps
        if not parsed.holds(Scope(after.index, scalars, after.history)):
            return ""
        values = ", ".join(f"{name} is {scalars[name]:.6g}" for name in sorted(parsed.names))
        return f"{expression}" + (f" ({values})" if values else "")

    return test
