"""The event that says where a NaN or an Inf came from. Finite steps cost one comparison."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch

from tracer.capture.ended_step import EndedStep
from tracer.capture.evidence import Evidence, Seen, Taken, gather
from tracer.capture.origin import Origin, bad_gradients, find_origin
from tracer.model.statistics import Statistics
from tracer.model.structure import SourceLine

Lines = Callable[[str], SourceLine | None]


class NotFinite:
    """Notices the first step of a row of steps whose loss, or whose gradients, are not finite."""

    def __init__(self) -> None:
        self._has_bad_loss = False
        self._has_bad_gradients = False
        self._is_late = False
        self._origin: Origin | None = None
        self._evidence = Evidence()

    def is_new(self, loss: object) -> bool:
        """Whether the backward about to run from this loss is to be searched. A tensor is one on an accelerator, whose
        value is not known yet."""
        if isinstance(loss, float):
            before, self._has_bad_loss = self._has_bad_loss, not math.isfinite(loss)
            return self._has_bad_loss and not before
        return self._is_late

    def arrived(self, loss: float) -> None:
        """The value of a loss on an accelerator, a step late: the next graph is searched."""
        before, self._has_bad_loss = self._has_bad_loss, not math.isfinite(loss)
        self._is_late = self._has_bad_loss and not before

    def search(self, loss: torch.Tensor, nodes: Sequence[Any], suspects: Sequence[range]) -> None:
        self._is_late = False
        self._evidence = Evidence()
        self._origin = find_origin(loss, nodes, suspects)
        if self._origin is not None:
            self._evidence = gather(loss, nodes, self._origin.number)

    def without_graph(self, loss: object) -> dict[str, object]:
        """The data of a "not_finite" event for a step whose graph is not captured. `loss` is as in `is_new`."""
        self._is_late = False
        value = "inf" if isinstance(loss, float) and math.isinf(loss) else "nan"
        return {"what": "loss", "value": value, "origin": None}

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
