"""The graph of a step has a given structure: its topology id, or shape id, begins so."""

from tracer.model.breakpoints import Field
from tracer.model.step_facts import StepFacts, Test

TITLE = "the structure is"
FIELDS = (Field("id", "Structure", "text", "", "the first digits of its id, as the inspector shows it"),)


def make(id: str) -> Test:
    prefix = id.lower()

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        if not after.topology_id:
            return None
        return (
            f"the structure is {id}"
            if after.topology_id.startswith(prefix) or after.shape_id.startswith(prefix)
            else ""
        )

    return test
