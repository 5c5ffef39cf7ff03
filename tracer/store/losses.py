"""Which steps were not recorded, or not wholly, and why: noted as runs, so that days of them take no room."""

from collections import deque


class Losses:
    """`add` is the training thread's, the rest the writer's; neither waits for the other."""

    def __init__(self) -> None:
        self._new: dict[str, deque[tuple[int, int]]] = {}
        self._taken: deque[tuple[int, int, str]] = deque()

    def add(self, step: int, reason: str) -> None:
        """Steps of one reason come in order."""
        runs = self._new.get(reason)
        if runs is None:
            runs = self._new.setdefault(reason, deque())
        try:
            first, last = runs[-1]
            if last == step - 1:
                runs[-1] = first, step
                return
        except IndexError:  # the first, or the writer took it just now
            pass
        runs.append((step, step))

    def __bool__(self) -> bool:
        return bool(self._taken) or any(self._new.values())

    def next(self, at_most: int) -> list[tuple[int, str]]:
        """(step, reason) of some steps, until they are `written`."""
        for reason, runs in tuple(self._new.items()):
            while runs:
                self._taken.append((*runs.popleft(), reason))
        steps: list[tuple[int, str]] = []
        for first, last, reason in self._taken:
            steps += [(step, reason) for step in range(first, min(last + 1, first + at_most - len(steps)))]
        return steps

    def written(self, n_steps: int) -> None:
        """The first `n_steps` of what `next` gave are on the tape."""
        while n_steps:
            first, last, reason = self._taken.popleft()
            n_here = min(last - first + 1, n_steps)
            n_steps -= n_here
            if first + n_here <= last:
                self._taken.appendleft((first + n_here, last, reason))
