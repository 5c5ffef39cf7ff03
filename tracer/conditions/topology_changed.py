"""The graph of a step has other nodes or edges than that of the step before; other shapes alone do not count."""

from tracer.model.records import StepFacts

NAME = "topology_changed"
TITLE = "the structure changes"


def is_met(before: StepFacts, after: StepFacts) -> bool:
    return bool(before.topology_id and after.topology_id) and before.topology_id != after.topology_id
