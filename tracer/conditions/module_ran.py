"""A module was called in a step, with or without grad."""

from tracer.model.module_counts import MODULE, ModuleCounts
from tracer.model.step_facts import StepFacts, Test

TITLE = "a module runs"
FIELDS = (MODULE,)


def describe(module: str) -> str:
    return f"{module} runs"


def make(module: str) -> Test:
    counts = ModuleCounts(module)

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        if after.structure is None:
            return None
        count = counts.of(after)
        return f"{module} ran{f' {count} times' if count > 1 else ''}" if count else ""

    return test
