"""What was hit and what was changed over a run, by step: for the timeline, the breakpoints' list and the inspector."""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gui.stops import CHANGES, change_line, hit_line
from tracer import Event
from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint, Value, from_dict

MOST_LINES = 8
"""So many happenings of one step are kept in words."""

Signature = tuple[str, tuple[tuple[str, Value], ...]]


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a breakpoint was hit, and the last step it was."""

    hits: int
    last_step: int


class Happenings:
    """Grows with the tape. Hits count for what a breakpoint waits for: a tape's ids are its training's own.

    `set_on_tape` are the breakpoints that the training has, as far as the tape says.
    """

    def __init__(self) -> None:
        self.set_on_tape: tuple[Breakpoint, ...] = ()
        self._hit_steps = array("q")
        self._change_steps = array("q")
        self._lines: dict[int, list[str]] = {}
        self._tallies: dict[Signature, Tally] = {}

    def append(self, events: Iterable[Event]) -> bool:
        """Takes in the next events; whether any is of interest here."""
        is_news = False
        for event in events:
            if event.kind == "breakpoints":
                self.set_on_tape = _breakpoints_of(event)
            elif event.kind == "hit":
                self._count(event)
                if event.data.get("acted", True):
                    self._note(event.step, self._hit_steps, hit_line(event))
            elif event.kind in CHANGES:
                self._note(event.step, self._change_steps, change_line(event))
            else:
                continue
            is_news = True
        return is_news

    def lines(self, step: int) -> tuple[str, ...]:
        """What happened at a step, one sentence each."""
        return tuple(self._lines.get(step, ()))

    def tally(self, breakpoint: Breakpoint) -> Tally | None:
        """The hits of whatever waits for the same."""
        return self._tallies.get(signature(breakpoint))

    def hits_between(self, first: float, last: float) -> NDArray[np.int64]:
        """The steps from `first` to `last` at which a breakpoint stopped or wrote a line, or would have."""
        return _between(self._hit_steps, first, last)

    def changes_between(self, first: float, last: float) -> NDArray[np.int64]:
        """The steps from `first` to `last` at which something of the training was changed."""
        return _between(self._change_steps, first, last)

    def next_hit(self, step: int) -> int | None:
        place = bisect_right(self._hit_steps, step)
        return self._hit_steps[place] if place < len(self._hit_steps) else None

    def previous_hit(self, step: int) -> int | None:
        place = bisect_left(self._hit_steps, step) - 1
        return self._hit_steps[place] if place >= 0 else None

    def _count(self, event: Event) -> None:
        number, hits = event.data.get("breakpoint"), event.data.get("hits")
        found = next((each for each in self.set_on_tape if each.id == number), None)
        if found is not None and isinstance(hits, int):
            self._tallies[signature(found)] = Tally(hits, event.step)

    def _note(self, step: int, steps: "array[int]", line: str) -> None:
        if not steps or steps[-1] < step:
            steps.append(step)
        elif steps[bisect_left(steps, step)] != step:
            insort(steps, step)
        lines = self._lines.setdefault(step, [])
        if len(lines) < MOST_LINES and line not in lines:
            lines.append(line)


def signature(breakpoint: Breakpoint) -> Signature:
    """What it waits for."""
    return breakpoint.condition, tuple(sorted(breakpoint.fields.items()))


def _breakpoints_of(event: Event) -> tuple[Breakpoint, ...]:
    """Those that an event says are set; what this version cannot read is left out."""
    found: list[Breakpoint] = []
    given = event.data.get("breakpoints")
    for each in given if isinstance(given, (list, tuple)) else ():
        try:
            found.append(from_dict(each))
        except (UsageError, KeyError, TypeError, ValueError):
            continue
    return tuple(found)


def _between(steps: "array[int]", first: float, last: float) -> NDArray[np.int64]:
    part = steps[bisect_left(steps, first) : bisect_right(steps, last)]
    return np.frombuffer(part, np.int64) if part else np.empty(0, np.int64)
