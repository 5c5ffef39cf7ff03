"""A module was not called in a step, neither with grad nor without."""

from tracer.model.module_counts import MODULE, ModuleCounts
from tracer.model.step_facts import StepFacts, Test

TITLE = "a module does not run"
FIELDS = (MODULE,)


def describe(module: str) -> str:
    return f"{module} does not run"


def make(module: str) -> Test:
    counts = ModuleCounts(module)

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        if after.structure is None:
            return None
        return "" if counts.of(after) else f"{module} did not run"

    return test
