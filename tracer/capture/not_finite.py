"""The event that says where a NaN or an Inf came from. Finite steps cost one comparison.

The loss on an accelerator is known a step late, when its graph is gone: the next step's graph is searched. Where that
one is healthy again the event has no origin, and stands at the step whose loss it was.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from tracer.capture.ended_step import EndedStep
from tracer.capture.evidence import Evidence, Seen, Taken, gather
from tracer.capture.origin import Origin, bad_gradients, find_origin
from tracer.model.statistics import Statistics
from tracer.model.structure import SourceLine

Lines = Callable[[str], SourceLine | None]


@dataclass(frozen=True, slots=True)
class BadLoss:
    """A loss that is not finite, whose graph was not captured or, where `is_late`, could not be searched in time."""

    step: int
    value: str
    is_late: bool = False

    @property
    def data(self) -> dict[str, object]:
        """That of the event."""
        return {"what": "loss", "value": self.value, "origin": None, **({"late": True} if self.is_late else {})}


class NotFinite:
    """Notices the first step of a row of steps whose loss, or whose gradients, are not finite."""

    def __init__(self) -> None:
        self._has_bad_loss = False
        self._has_bad_gradients = False
        self._late: BadLoss | None = None
        self._unexplained: BadLoss | None = None
        self._origin: Origin | None = None
        self._evidence = Evidence()

    def is_new(self, loss: object) -> bool:
        """Whether the backward about to run from this loss is to be searched. A tensor is one on an accelerator, whose
        value is not known yet."""
        if isinstance(loss, float):
            before, self._has_bad_loss = self._has_bad_loss, not math.isfinite(loss)
            return self._has_bad_loss and not before
        return self._late is not None

    def arrived(self, step: int, loss: float) -> None:
        """The value of a loss on an accelerator, a step late: the next graph is searched."""
        before, self._has_bad_loss = self._has_bad_loss, not math.isfinite(loss)
        if self._has_bad_loss and not before:
            self._late = BadLoss(step, _value(loss), is_late=True)

    def search(self, loss: torch.Tensor, nodes: Sequence[Any], suspects: Sequence[range]) -> None:
        late, self._late = self._late, None
        self._evidence = Evidence()
        self._origin = find_origin(loss, nodes, suspects)
        if self._origin is not None:
            self._evidence = gather(loss, nodes, self._origin.number)
        else:
            self._unexplained = late

    def without_graph(self, step: int, loss: object) -> BadLoss:
        """The loss that is not finite where the graph of this step is not captured. `loss` is as in `is_new`."""
        late, self._late = self._late, None
        return late or BadLoss(step, _value(loss))

    def unexplained(self) -> BadLoss | None:
        """A loss that was not finite on an accelerator, and no graph tells why. To be asked once that was searched."""
        unexplained, self._unexplained = self._unexplained, None
        return unexplained

    def end(self) -> BadLoss | None:
        """The same where no step follows any more."""
        late, self._late = self._late, None
        return late

    def loss_event(self, step: EndedStep, line: Lines) -> dict[str, object] | None:
        """The data of a "not_finite" event for the origin found in this step."""
        origin, self._origin = self._origin, None
        evidence, self._evidence = self._evidence, Evidence()
        if origin is None:
            return None
        node = None if origin.number is None else step.node_made_as(origin.number)
        call = None if node is None or node.call is None else step.structure.structure.calls[node.call]
        source = None if node is None else line(node.key)
        return {
            "what": "loss",
            "value": origin.value,
            "origin": origin.kind,
            "node": None if node is None else node.key,
            "op": None if node is None else node.op,
            "module": None if node is None else node.module,
            "call": None if call is None else call.key,
            "parameter": None if origin.leaf is None else step.parameter(origin.leaf),
            "source": None if source is None else asdict(source),
            "inputs": [_input(taken, step) for taken in evidence.inputs],
            "output": None if evidence.output is None else _seen(evidence.output),
        }

    def gradient_event(self, statistics: Statistics) -> dict[str, object] | None:
        """The same for the gradients of a measured step. `parameter` is the one closest to the loss."""
        bad = bad_gradients(statistics)
        before, self._has_bad_gradients = self._has_bad_gradients, bad is not None
        if bad is None or before or self._has_bad_loss:
            return None
        first, *others = bad.parameters
        module = first.rpartition(".")[0]
        return {
            "what": "gradient",
            "value": bad.value,
            "origin": "parameter",
            "module": module,
            "parameter": first,
            "others": others,
        }


def _input(taken: Taken, step: EndedStep) -> dict[str, object]:
    """`node` is what to go to: the op it came from, or the parameter it is; None from outside of the graph."""
    made = None if taken.number is None else step.node_made_as(taken.number)
    parameter = None if taken.leaf is None else step.parameter(taken.leaf)
    return {
        "input_nr": taken.input_nr,
        "name": taken.name,
        "node": parameter if made is None else made.key,
        "parameter": parameter,
        **_seen(taken.seen),
    }


def _seen(seen: Seen) -> dict[str, object]:
    values = None if seen.values is None else asdict(seen.values)
    return {"shape": list(seen.shape), "dtype": seen.dtype, "values": values}


def _value(loss: object) -> str:
    return "inf" if isinstance(loss, float) and math.isinf(loss) else "nan"
