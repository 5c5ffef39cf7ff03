"""Names that come in several steps in a row."""

import re
from collections.abc import Iterable
from fnmatch import translate

from tracer.model.breakpoints import Field

PARAMETER = Field("parameter", "Parameter", "pattern", "*", "a name or a glob: head.weight, layer1.*")
STEPS = Field("steps", "Steps in a row", "count", 5, "how many", least=1)


class InARow:
    """Tells which names that fit a glob have come `steps` times in a row, once for each row."""

    def __init__(self, pattern: str, steps: int) -> None:
        self._fits = re.compile(translate(pattern)).match
        self._steps = steps
        self._counts: dict[str, int] = {}

    def note(self, names: Iterable[str]) -> str:
        """Take in the names of a step; those whose row has just become long enough, as one text, "" for none."""
        counts = self._counts
        self._counts = {name: counts.get(name, 0) + 1 for name in names if self._fits(name)}
        found = sorted(name for name, count in self._counts.items() if count == self._steps)
        return f"{found[0]} (and {len(found) - 1} more)" if len(found) > 1 else "".join(found)
