"""The values that scalars had in the steps so far, for conditions that look back."""

from collections.abc import Mapping

KEPT = 4096
"""Values of each scalar; twice as many are held for a while, so that dropping the oldest costs nothing."""

_MAX_NAMES = 1000


class ScalarHistory:
    """Lists by name, the oldest value first. Reading `values` never copies."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def append(self, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            known = self.values.get(name)
            if known is None:
                if len(self.values) < _MAX_NAMES:
                    self.values[name] = [value]
                continue
            known.append(value)
            if len(known) > 2 * KEPT:
                del known[:-KEPT]
