"""What can be changed of a paused training, as its tape says: hyperparameters, and which parameters were frozen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gui.stops import value_text
from tracer import Event
from tracer.errors import UsageError

Value = float | bool | list[float]


@dataclass(frozen=True, slots=True)
class Group:
    """A parameter group of an optimizer; `number` is its place among the optimizer's."""

    optimizer: str
    number: int
    n_parameters: int
    values: Mapping[str, Value]


class LiveState:
    """Grows with the tape. `frozen` are the parameters that were frozen during the run, in that order; those that the
    script itself froze are not known."""

    def __init__(self) -> None:
        self.groups: tuple[Group, ...] = ()
        self.frozen: tuple[str, ...] = ()

    def append(self, events: Iterable[Event]) -> bool:
        """Takes in the next events; whether anything is another."""
        before = self.groups, self.frozen
        for event in events:
            if event.kind == "stopped":
                self.groups = _groups_of(event.data) or self.groups
            elif event.kind == "hyperparameter":
                self.groups = tuple(_changed(group, event.data) for group in self.groups)
            elif event.kind == "trainable":
                names = [str(name) for name in event.data.get("parameters", ())]
                kept = [name for name in self.frozen if name not in set(names)]
                self.frozen = tuple(kept if event.data.get("after") else [*kept, *names])
        return before != (self.groups, self.frozen)


def parsed(text: str, name: str, before: Value) -> Value:
    """What the user typed, in the form of the value before. Raises UsageError."""
    try:
        numbers = [_number(word) for word in text.strip().strip("[]()").split(",")]
    except ValueError:
        wanted = f"{len(before)} numbers, as {value_text(before)}" if isinstance(before, list) else "a number"
        raise UsageError(f"{name} wants {wanted}, not {text!r}.") from None
    if isinstance(before, list):
        if len(numbers) != len(before):
            raise UsageError(f"{name} wants {len(before)} numbers, as {value_text(before)}, not {text!r}.")
        return numbers
    if len(numbers) != 1:
        raise UsageError(f"{name} wants one number, not {text!r}.")
    return numbers[0]


def _number(word: str) -> float:
    """A whole number stays one: of some hyperparameters PyTorch wants that."""
    try:
        return int(word)
    except ValueError:
        return float(word)


def _groups_of(data: Mapping[str, Any]) -> tuple[Group, ...]:
    return tuple(
        Group(str(optimizer["name"]), number, int(group.get("n_parameters", 0)), dict(group["hyperparameters"]))
        for optimizer in data.get("optimizers") or ()
        for number, group in enumerate(optimizer["groups"])
    )


def _changed(group: Group, data: Mapping[str, Any]) -> Group:
    name = data.get("name")
    if (data.get("optimizer"), data.get("group")) != (group.optimizer, group.number) or name not in group.values:
        return group
    return replace(group, values={**group.values, name: data["after"]})
