"""What the levels above "structure" are made of: probes. Each measures one kind of thing in the steps it is attached
for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from tracer.capture.calls import CallLog
from tracer.capture.hooks import Undo
from tracer.model.statistics import Operator

Guard = Callable[[Callable[..., None]], Callable[..., None]]


class Keys(Protocol):
    """What the things of the step that just ended are called on the tape; None for what is not part of its graph."""

    def call(self, position: int) -> str | None:
        """The key of the module call whose entry stands at this position of the call log."""

    def node(self, number: int) -> str | None:
        """The key of the op node with this sequence number, relative to the log's base."""

    def parameter(self, tensor: torch.Tensor) -> str | None:
        """The qualified name of a parameter."""


Late = Callable[[], torch.Tensor]
"""Reads a tensor on the CPU out of an accelerator's events. To be called once the accelerator has done the step."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A part of one table of `Statistics` ("calls", "parameters", "nodes"), a row for each key.

    `values` is float (keys, columns), still on its device, or late; or it is what `finish` makes that of, once it is on
    the CPU and the accelerator has done the step. Tables are put together from the drafts of all probes.
    """

    table: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    values: torch.Tensor | Late
    finish: Callable[[torch.Tensor], torch.Tensor] | None = None


@dataclass(frozen=True, slots=True)
class OperatorDraft:
    """The ATen operators of the step in the order they ran, `secs` float64 (len(operators),), or late."""

    operators: tuple[Operator, ...]
    secs: torch.Tensor | Late


class Probe:
    """Measures between `attach`, at a step's beginning, and `take`, at its end. What it does not override is not
    called for nothing: these do nothing."""

    def attach(self, log: CallLog, guard: Guard) -> Undo:
        """Put hooks in, each wrapped by `guard`; returns what takes them out."""
        return lambda: None

    def before_backward(self, nodes: Sequence[Any]) -> None:
        """The autograd nodes that a backward about to run will visit, the roots first."""

    def after_backward(self) -> None:
        """That backward has ended."""

    def before_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """`optimizer.step` begins."""

    def after_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """It has ended."""

    def suspects(self) -> Sequence[range]:
        """Sequence numbers of the nodes made in those module calls whose outputs were not finite, the first to end
        first. Asked for where a loss is not finite; may wait for an accelerator."""
        return ()

    def take(self, keys: Keys) -> Sequence[Draft | OperatorDraft]:
        """What was measured in the step; forgets it. Never waits for an accelerator."""
        return ()
