"""What run control does to a training, done and said on the tape."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Protocol

from tracer.capture.live_changes import LiveChanges
from tracer.conditions import scalars_of, sentence
from tracer.control.breakpoints import Hit
from tracer.control.run_control import UNTIL_ID, Moment, Stop
from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint, to_dict


class Recording(Protocol):
    """The recorder, as far as it is asked here."""

    @property
    def index(self) -> int:
        """The step being formed."""

    @property
    def shown_index(self) -> int:
        """The last step on the tape."""

    def put_event(self, step: int, kind: str, **data: object) -> None: ...

    def settle(self) -> None:
        """Wait until all that happened so far is on the tape."""

    def set_level(self, level: str, every: int = 1) -> None: ...

    def trace_sources(self) -> None: ...


class ControlEvents:
    """The `run_control.Witness` of a recording. Between two steps events are of the one that a paused app shows."""

    def __init__(self, recording: Recording, changes: LiveChanges) -> None:
        self._recording = recording
        self._changes = changes

    def stopped(self, stop: Stop) -> None:
        """The training is about to wait: what it waits at is on the tape by then."""
        self._put("stopped", **asdict(stop), optimizers=self._changes.describe())
        self._recording.settle()

    def continued(self) -> None:
        self._changes.continued()
        self._put("continued")

    def hit(self, hit: Hit, moment: Moment, is_attended: bool) -> None:
        """A breakpoint's condition was met; what it has to say goes to the terminal too."""
        recording = self._recording
        step = recording.index if moment == "before the optimizer" else recording.shown_index
        if hit.breakpoint.id != UNTIL_ID or not is_attended:
            recording.put_event(
                step,
                "hit",
                breakpoint=hit.breakpoint.id,
                condition=hit.breakpoint.condition,
                text=hit.text,
                hits=hit.hits,
                acted=hit.acted,
                log=hit.log,
                moment=moment,
                attended=is_attended or not hit.stops,
            )
        if hit.log:
            self._say(f"step {step}: {hit.log}")

    def ended(self, unanswered: Sequence[Breakpoint]) -> None:
        """Say of which breakpoints nothing was ever known: a scalar may be misspelt."""
        for each in unanswered:
            names = ", ".join(sorted(scalars_of(each)))
            why = f"was {names} logged?" if names else "the steps had no graph, or no gradients"
            self._say(f"the breakpoint {sentence(each)!r} could not be told of any step: {why}")

    def _say(self, text: str) -> None:
        with suppress(OSError, ValueError):  # stderr may be closed
            print(f"tapescope: {text}", file=sys.stderr, flush=True)

    def breakpoints_set(self, breakpoints: Sequence[Breakpoint]) -> None:
        self._put("breakpoints", breakpoints=[to_dict(each) for each in breakpoints])

    def set_level(self, level: str, every: int) -> None:
        self._recording.set_level(level, every)

    def trace_sources(self) -> None:
        self._recording.trace_sources()

    def set_hyperparameter(self, optimizer: str, group: int, name: str, value: object) -> None:
        """See `LiveChanges`."""
        self._change("hyperparameter", lambda: self._changes.set_hyperparameter(optimizer, group, name, value))

    def set_trainable(self, names: Sequence[str], is_trainable: bool) -> None:
        """See `LiveChanges`."""
        self._change("trainable", lambda: self._changes.set_trainable(names, is_trainable))

    def _change(self, kind: str, change: Callable[[], dict[str, object]]) -> None:
        """Do it and say so on the tape, or say why not. What a change fails of is no reason to stop a training."""
        try:
            self._put(kind, **change())
        except (UsageError, RuntimeError, TypeError, ValueError) as error:
            text = str(error) if isinstance(error, UsageError) else f"PyTorch refused it: {error}"
            self._put("refused", command=kind, error=text)

    def _put(self, kind: str, **data: object) -> None:
        self._recording.put_event(self._recording.shown_index, kind, **data)
