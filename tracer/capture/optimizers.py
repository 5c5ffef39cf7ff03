"""The optimizers of a training: whether there are any, and what each is called."""

import weakref
from collections.abc import Callable, Iterator

import torch

from tracer.capture.names import is_optimized


class Optimizers:
    """Those that have stepped, and the search for those that have not yet."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[weakref.ref[torch.optim.Optimizer], str]] = {}
        self._found = False
        self._asked = 0
        self._next_look = 1

    @property
    def are_several(self) -> bool:
        return len(self._names) > 1

    def name(self, optimizer: torch.optim.Optimizer) -> str:
        """Its class, numbered from the second of a class on: Adam, Adam 2."""
        self._found = True
        known = self._names.get(id(optimizer))
        if known is not None and known[0]() is optimizer:
            return known[1]
        taken = {name for reference, name in self._names.values() if reference() is not None}
        stem, number = type(optimizer).__name__, 2
        name = stem
        while name in taken:
            name, number = f"{stem} {number}", number + 1
        self._names = {key: entry for key, entry in self._names.items() if entry[0]() is not None}
        self._names[id(optimizer)] = weakref.ref(optimizer), name
        return name

    def living(self) -> Iterator[tuple[str, torch.optim.Optimizer]]:
        """(name, optimizer) of those that have stepped, or are about to for the first time."""
        for reference, name in list(self._names.values()):
            optimizer = reference()
            if optimizer is not None:
                yield name, optimizer

    def exist(self, reached: Callable[[], set[int] | None]) -> bool:
        """Whether what is trained belongs to an optimizer. `reached` tells the ids of the leaf tensors that the step's
        backwards reached, None for unknown. Looking takes tens of milliseconds, so it is done less and less often."""
        self._asked += 1
        if not self._found and self._asked >= self._next_look:
            self._found = is_optimized(reached())
            self._next_look = self._asked + 1 if self._asked < 4 else 2 * self._asked
        return self._found
