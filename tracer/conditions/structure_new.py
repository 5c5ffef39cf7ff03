"""The graph of a step has a structure that no earlier step of the run had."""

from tracer.model.step_facts import StepFacts, Test

TITLE = "a structure is new"
FIELDS = ()


def make() -> Test:
    return _test


def _test(before: StepFacts | None, after: StepFacts) -> str | None:
    if not after.topology_id:
        return None
    return "no step before had this structure" if after.is_new and before is not None else ""
