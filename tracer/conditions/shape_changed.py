"""The graph of a step has the nodes and edges of the one before, but another shape, dtype or device."""

from tracer.model.step_facts import StepFacts, Test

TITLE = "a shape changes"
FIELDS = ()


def make() -> Test:
    return _test


def _test(before: StepFacts | None, after: StepFacts) -> str | None:
    if not after.topology_id:
        return None
    if before is None or before.topology_id != after.topology_id or before.shape_id == after.shape_id:
        return ""
    return f"a shape, dtype or device is not that of step {before.index}"
