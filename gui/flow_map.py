"""What the map of gradients shows: a colour for each name and step, a bar for each name in the shown step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gui import format as fmt
from gui.scales import ENTRIES, Scale
from tracer.model.gradient_flow import Norms

ZERO, NOT_FINITE, NONE = ENTRIES, ENTRIES + 1, ENTRIES + 2
"""Beyond the colours of the scale: exactly zero, not finite, no gradient."""


@dataclass(frozen=True, slots=True, eq=False)
class FlowMap:
    """Norms on one logarithmic scale, None where no gradient has a norm; `column` is that of the shown step, -1 for
    none; `values` (names,) are the norms there."""

    norms: Norms
    scale: Scale | None
    column: int
    values: NDArray[np.float32]

    def entries(self, width: int) -> NDArray[np.uint8]:
        """Colours, (names, at most `width`). Of steps that share a place the largest norm shows."""
        values = self.norms.values
        if values.shape[1] > width > 0:
            starts = np.linspace(0, values.shape[1], width, endpoint=False).astype(np.intp)
            values = np.fmax.reduceat(values, starts, axis=1)
        return self._entries(values)

    def shown_entries(self) -> NDArray[np.uint8]:
        """The colours of the shown step, (names,)."""
        return self._entries(self.values)

    def _entries(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        entries = np.full(values.shape, NONE, np.uint8)
        if self.scale is not None:
            is_scaled = np.isfinite(values) & (values > 0)
            entries[is_scaled] = self.scale.entries(values[is_scaled].astype(np.float64))
        entries[values == 0] = ZERO
        entries[np.isinf(values)] = NOT_FINITE
        return entries

    def bars(self) -> NDArray[np.float64]:
        """Lengths of the bars in the shown step, (names,), 0 to 1: by order of magnitude."""
        lengths = np.zeros(len(self.values))
        if self.scale is not None:
            is_scaled = np.isfinite(self.values) & (self.values > 0)
            lengths[is_scaled] = np.maximum(self.scale.positions(self.values[is_scaled].astype(np.float64)), 0.01)
        lengths[np.isinf(self.values)] = 1.0
        return lengths

    def step_of(self, column: int) -> int:
        return int(self.norms.steps[column])

    def tip(self, row: int, column: int) -> str:
        """What hovering over a cell says."""
        value = norm_text(float(self.norms.values[row, column]))
        return f"{self.norms.names[row] or 'the model itself'}\nStep {fmt.count(self.step_of(column))}\n{value}"


def flow_map(norms: Norms, scale: Scale | None, step: int) -> FlowMap:
    """The map with a step shown, or the last measured one before it."""
    return FlowMap(norms, scale, norms.column(step), norms.at(step))


def norm_text(value: float) -> str:
    """A norm in words where it is no number."""
    if np.isnan(value):
        return "no gradient"
    return "not finite" if np.isinf(value) else f"gradient norm {fmt.number(value)}"
