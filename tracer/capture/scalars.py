"""Numbers of a step. Those on the CPU are read at once; those on an accelerator are copied without waiting and read
later. While a CUDA graph is captured they are left alone: they have no values, and to ask for any would break the
capture."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensor

from tracer.capture.aside import is_recorded

Number = float | torch.Tensor


@dataclass(frozen=True, slots=True)
class _Copy:
    """A number on its way from the accelerator."""

    name: str
    step: int
    value: torch.Tensor
    arrived: torch.Event


class StepScalars:
    """The scalars of the step being formed, and the copies of earlier ones that have not arrived."""

    def __init__(self) -> None:
        self._numbers: dict[str, Number] = {}
        self._losses: list[Number] = []
        self._copies: list[_Copy] = []

    def set(self, name: str, number: Number) -> None:
        """The value of this step; a later one replaces it."""
        self._numbers[name] = number

    def add_loss(self, loss: Number, is_repeated: bool) -> None:
        """The root of one backward. With `is_repeated` (a closure evaluated again) it does not count towards the
        step's loss."""
        if not is_repeated:
            self._losses.append(loss)

    def take(self, step: int, whose: str | None = None) -> dict[str, float]:
        """What is known now; the rest comes through `arrived`. Begins the next step.

        "loss" is the sum over the step's backwards, as their gradients add up; of several each is "loss:k" too. With
        `whose` it also counts as the loss of that optimizer, which has a curve of its own then.
        """
        numbers = self._known(whose)
        self._numbers, self._losses = {}, []
        return {name: value for name, number in numbers.items() if (value := self.read(name, step, number)) is not None}

    def so_far(self, whose: str | None = None) -> "SoFar":
        """What `take` would give now, read as it is asked for."""
        numbers = self._known(whose)
        if is_recorded():
            numbers = {name: number for name, number in numbers.items() if not _is_far(number)}
        return SoFar(numbers)

    def _known(self, whose: str | None) -> dict[str, Number]:
        numbers = dict(self._numbers)
        if self._losses:
            numbers = {"loss": sum(self._losses[1:], start=self._losses[0]), **numbers}
        if len(self._losses) > 1:
            numbers.update((f"loss:{at}", loss) for at, loss in enumerate(self._losses))
        if self._losses and whose is not None:
            numbers[f"loss ({whose})"] = numbers["loss"]
        return numbers

    def read(self, name: str, step: int, number: Number) -> float | None:
        """The number as a float; None if it is on its way and `arrived` will tell, or has no value yet."""
        if not isinstance(number, torch.Tensor):
            return float(number)
        if number.device.type == "cpu":
            return float(number.item())
        if is_recorded():
            return None
        copy = torch.empty((), dtype=number.dtype, pin_memory=number.device.type == "cuda")
        copy.copy_(number.detach().reshape(()), non_blocking=True)
        arrived = torch.Event(number.device.type)
        arrived.record()
        self._copies.append(_Copy(name, step, copy, arrived))
        return None

    def arrived(self, wait: bool = False) -> Iterator[tuple[str, int, float]]:
        """(name, step, value) of the copies that are complete; with `wait` of all."""
        while self._copies and not is_recorded() and (wait or self._copies[0].arrived.query()):
            copy = self._copies.pop(0)
            copy.arrived.synchronize()
            yield copy.name, copy.step, float(copy.value.item())


class SoFar(Mapping[str, float]):
    """Numbers as floats; asking for one on an accelerator waits for it."""

    def __init__(self, numbers: Mapping[str, Number]) -> None:
        self._numbers = numbers

    def __getitem__(self, name: str) -> float:
        number = self._numbers[name]
        return float(number.item()) if isinstance(number, torch.Tensor) else float(number)

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def loss_of(roots: list[torch.Tensor]) -> Number | None:
    """The value of a backward's root where it is one real number, if it is there: a float, or a copy on its device."""
    if len(roots) != 1 or not isinstance(roots[0], torch.Tensor) or roots[0].numel() != 1:
        return None
    loss = roots[0]
    if isinstance(loss, FakeTensor):  # a rehearsal without values
        return None
    if loss.is_cpu:
        value = loss.item()
        return None if isinstance(value, complex) else float(value)
    return None if loss.is_complex() or is_recorded() else loss.detach().clone()


def _is_far(number: Number) -> bool:
    return isinstance(number, torch.Tensor) and not number.is_cpu


def learning_rates(optimizer: torch.optim.Optimizer) -> dict[str, Number]:
    """ "lr" of the first parameter group, and "lr:k" of each group k whose rate differs from it."""
    rates = [group["lr"] for group in optimizer.param_groups if "lr" in group]
    named = {f"lr:{at}" if at else "lr": rate for at, rate in enumerate(rates)}
    first = rates[0] if rates else None
    return {
        name: rate for name, rate in named.items() if name == "lr" or isinstance(rate, torch.Tensor) or rate != first
    }
