"""What was measured in one step at the levels "statistics" and "full": tables of numbers, by the keys of what they are
about."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracer.model.structure import Shape


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A row for each key, a column for each quantity. `values` is float64 (keys, columns), NaN where it is unknown."""

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]

    def row(self, key: str) -> dict[str, float]:
        """The quantities of one thing by name. KeyError where the step has nothing of it."""
        if key not in self.keys:
            raise KeyError(f"{key!r} was not measured in this step")
        return dict(zip(self.columns, self.values[self.keys.index(key)].tolist(), strict=True))

    def column(self, name: str) -> NDArray[np.float64]:
        """One quantity of all things, in order of `keys`. KeyError where there is no such quantity."""
        if name not in self.columns:
            raise KeyError(f"{name!r} is not measured; there are {', '.join(self.columns) or 'no quantities'}")
        return self.values[:, self.columns.index(name)]


@dataclass(frozen=True, slots=True)
class Operator:
    """One ATen operator as it ran. `call` is the key of the innermost module call; `shapes` are those of its outputs.

    `phase` is "forward", "backward" or "optimizer"; `flops` is None where `torch.utils.flop_counter` has no formula.
    """

    name: str  # "aten.addmm.default"
    call: str | None
    phase: str
    grad_enabled: bool
    shapes: tuple[Shape, ...]
    dtype: str
    device: str
    flops: int | None


EMPTY = Table((), (), np.empty((0, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """The measurements of one step.

    `calls` by call key: mean, std, min, max of the outputs, zeros (their share), nans, infs (counts), forward_secs;
    of outputs with zeros also dead_units and units: how many channels or features are zero for all samples, of how
    many.
    `parameters` by qualified name: value_norm, grad_norm, update_norm, update_ratio (update over value),
    has_grad (0 or 1: tells a gradient of NaN from none), in the order in which the forward pass used them last.
    At the level "full" also `nodes` by node key: backward_secs, backward_pass and backward_order (in which pass its
    backward ran first, after how many others), saved_bytes (of the storages that a node keeps for its backward; one
    that several nodes keep counts for each); and every ATen `operators` in the order they ran, those of
    equal forward-only passes once, with `operator_secs` float64 (len(operators),).
    """

    calls: Table = EMPTY
    parameters: Table = EMPTY
    nodes: Table = EMPTY
    operators: tuple[Operator, ...] = ()
    operator_secs: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
