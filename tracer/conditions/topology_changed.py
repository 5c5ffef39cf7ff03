"""The graph of a step has other nodes or edges than that of the step before; other shapes alone do not count."""

from tracer.model.step_facts import StepFacts, Test

TITLE = "the structure changes"
FIELDS = ()


def make() -> Test:
    return _test


def _test(before: StepFacts | None, after: StepFacts) -> str | None:
    if not after.topology_id:
        return None
    if before is None or before.topology_id == after.topology_id:
        return ""
    return f"the structure is not that of step {before.index}"
