"""An op is in the graph of a step and was not in that of the step before."""

import re
from fnmatch import translate

from tracer.model.breakpoints import Field
from tracer.model.labels import op_title
from tracer.model.step_facts import PerStructure, StepFacts, Test
from tracer.model.structure import Structure

TITLE = "an op appears"
FIELDS = (Field("op", "Op", "pattern", "", "its name or a glob: Dropout, NativeDropoutBackward0, Index*"),)


def describe(op: str) -> str:
    return f"the op {op} appears"


def make(op: str) -> Test:
    fits = re.compile(translate(op), re.IGNORECASE).match

    def ops(structure: Structure) -> frozenset[str]:
        names = {node.op for node in structure.nodes if node.kind == "op"}
        return frozenset(name for name in names if fits(name) or fits(op_title(name)))

    ops_of = PerStructure(ops)

    def test(before: StepFacts | None, after: StepFacts) -> str | None:
        if after.structure is None:
            return None
        found = ops_of(after.structure)
        if before is not None and before.structure is not None and found:
            found -= ops_of(before.structure)
        return f"{', '.join(sorted(found))} appeared" if found else ""

    return test
