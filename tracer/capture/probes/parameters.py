"""How large each trained parameter is, its gradient, and what the optimizer changed of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from tracer.capture.aside import aside, is_recorded, numbers_of
from tracer.capture.calls import CallLog
from tracer.capture.hooks import Undo
from tracer.capture.probe import Draft, Guard, Keys, Probe
from tracer.capture.walk import AccumulateGrad

LEVELS = ("statistics", "full")

COLUMNS = ("value_norm", "grad_norm", "update_norm", "update_ratio", "has_grad")
"""`has_grad`, 0 or 1, tells a gradient of NaN from none."""

Numbers = tuple[torch.Tensor, ...]
"""The values of one parameter as plain real tensors; several where it is a tensor subclass of several parts."""


class _Parameter:
    """A parameter of the step: its values before the optimizer changed them, the norms that are known so far."""

    __slots__ = ("before", "grad_norm", "tensor", "value_norm")

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor
        self.before: list[torch.Tensor] | None = None
        self.value_norm: torch.Tensor | None = None
        self.grad_norm: torch.Tensor | None = None


class Parameters(Probe):
    """Norms of what optimizers hold, and of what else the step's backwards reached.

    Values are those the step ran with; gradients as the optimizer found them, unscaled; updates the change over the
    step. Rows stand in the order in which the forward pass used the parameters last.
    """

    def __init__(self) -> None:
        self._begin()

    def attach(self, log: CallLog, guard: Guard) -> Undo:
        self._begin()
        return self._begin

    def before_backward(self, nodes: Sequence[Any]) -> None:
        for node in nodes:
            if type(node) is AccumulateGrad:
                self._of(node.variable)
                continue
            for child, _ in node.next_functions:
                if type(child) is AccumulateGrad:
                    key = id(child.variable)
                    self._last_use[key] = max(node._sequence_nr(), self._last_use.get(key, -1))

    def after_backward(self) -> None:
        self._is_fresh = True

    def before_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        if is_recorded():
            return
        held = self._held_by(optimizer)
        with aside():
            _keep_values([parameter for parameter in held if parameter.before is None])
            _note_gradients(held, optimizer)
        self._is_fresh = False

    def after_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        if self._is_fresh and not is_recorded():  # a closure ran backward
            with aside():
                _note_gradients(self._held_by(optimizer), optimizer)

    def take(self, keys: Keys) -> Sequence[Draft]:
        named = [(key, each) for each in self._parameters.values() if (key := keys.parameter(each.tensor)) is not None]
        named.sort(key=lambda entry: self._last_use.get(id(entry[1].tensor), -1))
        self._begin()
        with aside():
            draft = _draft(named)
        return () if draft is None else (draft,)

    def _held_by(self, optimizer: torch.optim.Optimizer) -> list[_Parameter]:
        tensors = {id(tensor): tensor for group in optimizer.param_groups for tensor in group["params"]}
        return [self._of(tensor) for tensor in tensors.values()]

    def _of(self, tensor: torch.Tensor) -> _Parameter:
        found = self._parameters.get(id(tensor))
        if found is None:
            found = self._parameters[id(tensor)] = _Parameter(tensor)
        return found

    def _begin(self) -> None:
        self._parameters: dict[int, _Parameter] = {}
        self._last_use: dict[int, int] = {}  # by id: sequence number of the latest node that took the parameter
        self._is_fresh = False  # whether a backward has run that no gradient norm knows of


def _keep_values(parameters: Sequence[_Parameter]) -> None:
    values = [_numbers(parameter.tensor) for parameter in parameters]
    for parameter, norm in zip(parameters, _norms(values), strict=True):
        parameter.value_norm = norm
    flat = [part for parts in values for part in parts]
    copies = iter(_copies(flat))
    for parameter, parts in zip(parameters, values, strict=True):
        parameter.before = [next(copies) for _ in parts]


def _note_gradients(parameters: Sequence[_Parameter], optimizer: torch.optim.Optimizer | None = None) -> None:
    """Optimizers that unscale gradients themselves (fused ones under GradScaler) carry the scale."""
    with_grad = [parameter for parameter in parameters if parameter.tensor.grad is not None]
    norms = _norms([_gradient(parameter.tensor) for parameter in with_grad])
    scale = getattr(optimizer, "grad_scale", None)
    for parameter, norm in zip(with_grad, norms, strict=True):
        if norm is not None and isinstance(scale, torch.Tensor):
            norm = norm / _to(scale, norm.device)
        parameter.grad_norm = norm


def _draft(named: Sequence[tuple[str, _Parameter]]) -> Draft | None:
    parameters = [parameter for _, parameter in named]
    updates = _update_norms(parameters)
    never_stepped = [parameter for parameter in parameters if parameter.before is None]
    _note_gradients(never_stepped)
    values = _norms([_numbers(parameter.tensor) for parameter in never_stepped])
    for parameter, norm in zip(never_stepped, values, strict=True):
        parameter.value_norm = norm
    rows = {
        key: (parameter.value_norm, parameter.grad_norm, update)
        for (key, parameter), update in zip(named, updates, strict=True)
        if parameter.value_norm is not None
    }
    if not rows:
        return None
    norms = _together([norm for row in rows.values() for norm in row]).reshape(-1, 3)
    ratio = norms[:, 2:] / norms[:, :1]
    has_grad = torch.tensor([[float(grad is not None)] for _, grad, _ in rows.values()], device="cpu")
    return Draft("parameters", tuple(rows), COLUMNS, torch.cat([norms, ratio, _to(has_grad, norms.device)], dim=1))


def _together(norms: Sequence[torch.Tensor | None]) -> torch.Tensor:
    """On the first accelerator that any is on; NaN for None."""
    known = [norm for norm in norms if norm is not None]
    device = next((norm.device for norm in known if not norm.is_cpu), known[0].device)
    dtype = torch.float64 if device.type == "cpu" else torch.float32
    unknown = torch.full((), torch.nan, dtype=dtype, device=device)
    return torch.stack([unknown if norm is None else _to(norm, device).to(dtype) for norm in norms])


def _to(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    return tensor.to(device, non_blocking=True)


def _update_norms(parameters: Sequence[_Parameter]) -> list[torch.Tensor | None]:
    """Of those whose values were kept, by the difference to them; the copies are used up."""
    changes: list[Numbers] = []
    pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
    for parameter in parameters:
        now, before = _numbers(parameter.tensor), tuple(parameter.before or ())
        is_comparable = [_layout(part) for part in now] == [_layout(part) for part in before]
        changes.append(before if is_comparable else ())
        pairs += zip(before, now, strict=True) if is_comparable else ()
    for at in _groups([old for old, _ in pairs]):
        torch._foreach_sub_([pairs[place][0] for place in at], [pairs[place][1] for place in at])
    return _norms(changes)


def _layout(values: torch.Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return values.shape, values.dtype, values.device


def _copies(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    copies: dict[int, torch.Tensor] = {}
    for at in _groups(tensors):
        originals = [tensors[place] for place in at]
        copy = _copies_in_one if originals[0].is_cpu else _copies_on_device
        copies.update(zip(at, copy(originals), strict=True))
    return [copies[place] for place in range(len(tensors))]


def _copies_on_device(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    copies = list(map(torch.empty_like, tensors))  # torch._foreach_clone is not in every torch: not in 2.11
    torch._foreach_copy_(copies, list(tensors))
    return copies


def _copies_in_one(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Copies of tensors on the CPU in one piece of numpy's memory, which asks the system for huge pages: to touch fresh
    small ones takes three times as long as to copy (ResNet-18: 5 ms instead of 19)."""
    first, sizes = tensors[0], [tensor.numel() for tensor in tensors]
    memory = torch.from_numpy(np.empty(sum(sizes) * first.itemsize, dtype=np.uint8)).view(first.dtype)
    copies = [part.view(tensor.shape) for part, tensor in zip(torch.split(memory, sizes), tensors, strict=True)]
    torch._foreach_copy_(copies, list(tensors))
    return copies


def _norms(values: Sequence[Numbers]) -> list[torch.Tensor | None]:
    """The Euclidean norm over the parts of each, None of no parts. Of half precision in single, which does not
    overflow."""
    parts = [part for each in values for part in each]
    found: dict[int, torch.Tensor] = {}
    for at in _groups(parts):
        dtype = torch.float32 if parts[at[0]].dtype.itemsize < 4 else None
        found.update(zip(at, torch._foreach_norm([parts[place] for place in at], 2, dtype), strict=True))
    norms = iter(found[place] for place in range(len(parts)))
    own = [[next(norms) for _ in each] for each in values]
    return [None if not each else each[0] if len(each) == 1 else torch.stack(each).norm() for each in own]


def _groups(tensors: Sequence[torch.Tensor]) -> list[list[int]]:
    """Indices of the tensors that one fused kernel can take together."""
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for at, tensor in enumerate(tensors):
        groups.setdefault((tensor.device, tensor.dtype), []).append(at)
    return list(groups.values())


def _numbers(tensor: torch.Tensor) -> Numbers:
    if is_lazy(tensor):
        return ()
    return tuple(torch.view_as_real(part.resolve_conj()) if part.is_complex() else part for part in numbers_of(tensor))


def _gradient(tensor: torch.Tensor) -> Numbers:
    gradient = tensor.grad
    if gradient is None:
        return ()
    if gradient.layout == torch.sparse_coo:
        # its values may name an element twice; to add them up in sparse form an accelerator would have to be waited for
        gradient = gradient.coalesce()._values() if gradient.is_cpu else gradient.to_dense()
    return _numbers(gradient)
