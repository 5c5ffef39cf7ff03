"""The gradients of the step being formed, for conditions that ask for them."""

from collections.abc import Iterable
from math import sqrt

import torch

from tracer.capture.aside import aside, is_recorded, numbers_of
from tracer.capture.names import Names


class StepGradients:
    """Reads each once, when asked. To be used while the step's gradients stand; tells of none while a CUDA graph is
    captured, for there they have no values."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._norms: dict[str, float | None] | None = None

    def norm(self) -> float | None:
        """The 2-norm over all named parameters; None where none has a gradient."""
        norms = [norm for norm in self._read().values() if norm is not None]
        return sqrt(sum(norm**2 for norm in norms)) if norms else None

    def zero(self) -> frozenset[str]:
        """Trainable parameters whose gradient is missing, or zero throughout."""
        return frozenset(name for name, norm in self._read().items() if not norm and norm == norm)

    def _read(self) -> dict[str, float | None]:
        if self._norms is None:
            self._norms = {} if is_recorded() else _norms(self._names.living_parameters())
        return self._norms


def _norms(parameters: Iterable[tuple[str, torch.Tensor]]) -> dict[str, float | None]:
    """The norm of each trainable parameter's gradient, None for none. Waits for an accelerator once for each device."""
    norms: dict[str, float | None] = {}
    parts: dict[torch.device, list[torch.Tensor]] = {}
    owners: dict[torch.device, list[str]] = {}
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        norms[name] = None
        if parameter.grad is None:
            continue
        with aside():
            for values in numbers_of(parameter.grad):
                values = values.coalesce().values() if values.layout == torch.sparse_coo else values
                parts.setdefault(values.device, []).append(values)
                owners.setdefault(values.device, []).append(name)
    for device, gradients in parts.items():
        with aside():
            lengths = torch.stack([norm.double() for norm in torch._foreach_norm(gradients)]).tolist()
        for name, length in zip(owners[device], lengths, strict=True):
            norms[name] = sqrt((norms[name] or 0.0) ** 2 + length**2)
    return norms
