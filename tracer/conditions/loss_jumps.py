"""The loss of a step lies more than k standard deviations from the mean of the steps before."""

from tracer.model.breakpoints import Field
from tracer.model.step_facts import StepFacts, Test
from tracer.model.window import Window

TITLE = "the loss jumps by k sigma"
FIELDS = (
    Field("sigma", "Sigma", "number", 4.0, "how many standard deviations from the mean", least=0.0),
    Field("window", "Window", "count", 50, "of how many steps before", least=5),
)
FEWEST_STEPS = 5
"""A spread of fewer values says little."""


def describe(sigma: float, window: int) -> str:
    return f"the loss jumps by {sigma:g} sigma of the last {window} steps"


def make(sigma: float, window: int) -> Test:
    last = Window(window)

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        loss = after.scalars.get("loss")
        if loss is None:
            return None
        last.follow(after.history.get("loss", ()))
        if len(last) < FEWEST_STEPS:
            return ""
        away, spread = abs(loss - last.mean), last.spread
        if away <= sigma * spread:
            return ""
        far = f"{away / spread:.3g} sigma" if spread else "away"
        return f"the loss is {loss:.6g}, {far} from the mean {last.mean:.6g} of {len(last)} steps"

    return test
