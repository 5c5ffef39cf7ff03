"""What a client may change of the training itself while it waits: hyperparameters, and which parameters learn."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tracer.capture.names import Names
from tracer.capture.optimizers import Optimizers
from tracer.errors import UsageError

_NOT_NEGATIVE = ("lr", "eps", "weight_decay", "momentum", "dampening", "lr_decay", "lambd")
_SHARES = ("betas", "alpha", "rho")
"""From 0 up to, and not, 1: what torch's optimizers themselves check when they are made."""


class LiveChanges:
    """Changes what is, and says as what an event on the tape is to. Raises UsageError for what makes no sense, of which
    nothing is done."""

    def __init__(self, optimizers: Optimizers, names: Names) -> None:
        self._optimizers = optimizers
        self._names = names
        self._shelved: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def describe(self) -> list[dict[str, Any]]:
        """The optimizers: of each its name and its groups, with what can be changed of them."""
        return [
            {"name": name, "groups": [_described(group) for group in optimizer.param_groups]}
            for name, optimizer in self._optimizers.living()
        ]

    def set_hyperparameter(self, optimizer: str, group: int, name: str, value: object) -> dict[str, object]:
        """Data of a "hyperparameter" event."""
        found = dict(self._optimizers.living()).get(optimizer)
        if found is None:
            known = ", ".join(name for name, _ in self._optimizers.living()) or "none yet"
            raise UsageError(f"There is no optimizer {optimizer!r}; there are {known}.")
        if not 0 <= group < len(found.param_groups):
            raise UsageError(f"{optimizer} has no parameter group {group}; it has {len(found.param_groups)}.")
        options = found.param_groups[group]
        before = _plain(options.get(name))
        if before is None or name == "params":
            can = ", ".join(_changeable(options))
            raise UsageError(f"{name!r} of {optimizer} cannot be changed; these can: {can}.")
        checked = _checked(name, before, value)
        if isinstance(options[name], torch.Tensor):
            with torch.no_grad():
                options[name].fill_(checked)
        else:
            options[name] = tuple(checked) if isinstance(checked, list) else checked
        return {"optimizer": optimizer, "group": group, "name": name, "before": before, "after": checked}

    def set_trainable(self, names: Sequence[str], is_trainable: bool) -> dict[str, object]:
        """Data of a "trainable" event. A frozen parameter keeps its value from here on: a gradient that the optimizer
        is still to see is put aside, and comes back if it is unfrozen before the training goes on."""
        chosen = self._find(names)
        changed = [(name, each) for name, each in chosen if each.requires_grad != is_trainable]
        if not changed:
            state = "trainable" if is_trainable else "frozen"
            raise UsageError(f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {state} already.")
        for _, parameter in changed:
            parameter.requires_grad_(is_trainable)
            self._shelve(parameter, is_trainable)
        return {"parameters": [name for name, _ in changed], "after": is_trainable}

    def continued(self) -> None:
        """The training goes on: what was put aside is old by the time it could come back."""
        self._shelved.clear()

    def _find(self, names: Sequence[str]) -> list[tuple[str, torch.Tensor]]:
        parameters = dict(self._names.living_parameters())
        chosen: dict[str, torch.Tensor] = {}
        for wanted in names:
            found = {
                name: each for name, each in parameters.items() if not wanted or f"{name}.".startswith(f"{wanted}.")
            }
            if not found:
                raise UsageError(f"There is no parameter or module {wanted!r} with parameters.")
            chosen |= found
        for name, each in chosen.items():
            if not (each.is_floating_point() or each.is_complex()):
                raise UsageError(f"{name} holds whole numbers, which cannot be trained.")
        return list(chosen.items())

    def _shelve(self, parameter: torch.Tensor, is_trainable: bool) -> None:
        if not is_trainable and parameter.grad is not None:
            self._shelved[id(parameter)] = parameter, parameter.grad
            parameter.grad = None
        elif is_trainable and id(parameter) in self._shelved:
            parameter.grad = self._shelved.pop(id(parameter))[1]


def _described(group: Mapping[str, Any]) -> dict[str, Any]:
    return {"hyperparameters": _changeable(group), "n_parameters": len(group.get("params", ()))}


def _changeable(group: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: _plain(value) for name, value in group.items() if name not in ("params", "initial_lr")}
    return {name: value for name, value in plain.items() if value is not None}


def _plain(value: object) -> "float | bool | list[float] | None":
    """The value as JSON has it; None for what is neither a number nor some."""
    if isinstance(value, torch.Tensor):
        return float(value.item()) if value.numel() == 1 and value.is_floating_point() else None
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (tuple, list)) and value and all(isinstance(item, (int, float)) for item in value):
        return list(value)
    return None


def _checked(name: str, before: "float | bool | list[float]", value: object) -> Any:
    """The value in the form of the one before. Raises UsageError."""
    if isinstance(before, bool) or isinstance(value, bool):
        if not isinstance(value, bool) or not isinstance(before, bool):
            raise UsageError(f"{name!r} is {before}; give a value of that kind, not {value!r}.")
        return value
    numbers: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
        raise UsageError(f"{name!r} wants numbers, not {value!r}.")
    if isinstance(value, list) != isinstance(before, list) or (
        isinstance(before, list) and len(numbers) != len(before)
    ):
        wanted = f"{len(before)} numbers" if isinstance(before, list) else "one number"
        raise UsageError(f"{name!r} wants {wanted}, not {value!r}.")
    if name in _NOT_NEGATIVE and min(numbers) < 0:
        raise UsageError(f"{name!r} cannot be negative; {value!r} is.")
    if name in _SHARES and not all(0 <= number < 1 for number in numbers):
        raise UsageError(f"{name!r} lies from 0 up to, not including, 1; {value!r} does not.")
    return value
