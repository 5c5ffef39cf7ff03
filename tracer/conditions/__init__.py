"""What a training can be told to stop at, one condition per file.

A file has `NAME` (its own name), `TITLE` (as on a menu: "the structure changes") and
`is_met(before: StepFacts, after: StepFacts) -> bool`, which compares two consecutive steps in microseconds on the
training thread, and must not raise.
"""

from types import ModuleType

from tracer.errors import UsageError
from tracer.plugins import load, names


def condition_names() -> list[str]:
    return sorted(names(__name__))


def condition(name: str) -> ModuleType:
    """The file of that name. UsageError for an unknown one."""
    found = names(__name__)
    if name not in found:
        raise UsageError(f"There is no condition {name!r}; choose one of {', '.join(sorted(found))}.")
    return load(found[name])
