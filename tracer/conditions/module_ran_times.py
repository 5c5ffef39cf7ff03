"""A module was called at least so many times in a step."""

from tracer.model.breakpoints import Field
from tracer.model.module_counts import MODULE, ModuleCounts
from tracer.model.step_facts import StepFacts, Test

TITLE = "a module runs n times or more"
FIELDS = (MODULE, Field("times", "Times", "count", 2, "calls in one step", least=1))


def describe(module: str, times: int) -> str:
    return f"{module} runs {times} times or more"


def make(module: str, times: int) -> Test:
    counts = ModuleCounts(module)

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        if after.structure is None:
            return None
        count = counts.of(after)
        return f"{module} ran {count} times" if count >= times else ""

    return test
