"""The norm of all gradients of a step is above a value, or not finite."""

from tracer.model.breakpoints import Field
from tracer.model.step_facts import StepFacts, Test

TITLE = "the gradient norm is above"
FIELDS = (Field("value", "Value", "number", 100.0, "the 2-norm over all parameters", least=0.0, is_example=True),)


def make(value: float) -> Test:
    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        norm = after.gradients.norm()
        if norm is None:
            return None
        return "" if norm <= value else f"the gradient norm is {norm:.6g}, above {value:g}"

    return test
