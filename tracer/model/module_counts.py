"""How often modules that fit a pattern were called in a step."""

import re
from fnmatch import translate

from tracer.model.breakpoints import Field
from tracer.model.step_facts import PerStructure, StepFacts
from tracer.model.structure import ModuleCall, Structure

MODULE = Field("module", "Module", "pattern", "", "a path, a class or a glob: layer4, Dropout, encoder.*")


class ModuleCounts:
    """Counts the calls of modules whose path, or class, fits a glob, with and without grad."""

    def __init__(self, pattern: str) -> None:
        self._fits = re.compile(translate(pattern)).match
        self._in_structure = PerStructure(self._of_structure)
        self._evaluated: tuple[ModuleCall, ...] = ()
        self._n_evaluated = 0

    def of(self, facts: StepFacts) -> int:
        count = 0 if facts.structure is None else self._in_structure(facts.structure)
        if facts.evaluated:
            if facts.evaluated != self._evaluated:
                self._evaluated, self._n_evaluated = facts.evaluated, self._of_calls(facts.evaluated)
            count += self._n_evaluated
        return count

    def _of_structure(self, structure: Structure) -> int:
        return self._of_calls(structure.calls)

    def _of_calls(self, calls: tuple[ModuleCall, ...]) -> int:
        return sum(call.count for call in calls if self._fits(call.path) or self._fits(call.class_name))
