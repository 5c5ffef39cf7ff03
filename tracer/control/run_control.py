"""What the training is to do at its next step boundary. Set by the control thread, obeyed by the training thread."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal, Protocol

from tracer.model.records import StepFacts

OnDetach = Literal["resume", "hold"]

GRACE_SECS = 5.0
_LOOK_SECS = 0.2  # how often a waiting main thread gets the chance to see Ctrl-C
_ENDED_BY_REQUEST = 130  # the exit code that Ctrl-C would give


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a training waits: "pause", "step", "breakpoint" with the name of the condition that was met, or "exception"
    with its type and message as `text`."""

    reason: str
    condition: str = ""
    text: str = ""


class Witness(Protocol):
    """Is told what happens between two steps."""

    def stopped(self, stop: Stop) -> None:
        """Called before waiting."""

    def continued(self) -> None:
        """Called after waiting."""

    def passed(self, condition: str) -> None:
        """A condition was met while nobody was attached to let the training go on."""

    def set_level(self, level: str, every: int) -> None:
        """Record the steps from the next one on like this."""

    def trace_sources(self) -> None:
        """Note the source lines of the next step."""


Wish = Callable[[Witness], None]
"""Something to be changed about the recording."""


class RunControl:
    """`boundary` costs three attribute reads while nothing is asked."""

    def __init__(
        self, on_detach: OnDetach = "resume", how_to_continue: str = "", grace_secs: float = GRACE_SECS
    ) -> None:
        self._changed = threading.Condition()
        self._stop: Stop | None = None
        self._until: ModuleType | None = None
        self._last: StepFacts | None = None
        self._may_go = False
        self._is_ending = False
        self._wishes: list[Wish] = []
        self._n_clients = 0
        self._alone_since = 0.0
        self._on_detach = on_detach
        self._how_to_continue = how_to_continue
        self._grace_secs = grace_secs

    def obey(self, command: str, until: ModuleType | None = None) -> None:
        """Take one of `protocol.STEPPING`; called by any thread. `until` is a condition at which "continue" ends."""
        with self._changed:
            self._stop = {"pause": Stop("pause"), "next": Stop("step")}.get(command)
            self._until = until
            self._is_ending = self._is_ending or command == "terminate"
            self._may_go = command != "pause"
            self._changed.notify_all()

    def wish(self, wish: Wish) -> None:
        """Have `wish(witness)` called at the next step boundary, or, where the training waits, when it goes on; called
        by any thread."""
        with self._changed:
            self._wishes.append(wish)

    def attach(self) -> None:
        """A client came."""
        with self._changed:
            self._n_clients += 1

    def detach(self) -> None:
        """A client went. If it was the last one, a paused training goes on after the grace, or holds."""
        with self._changed:
            self._n_clients -= 1
            self._alone_since = time.monotonic()
            self._changed.notify_all()

    def boundary(self, facts: StepFacts, witness: Witness) -> None:
        """Wait if a stop was asked for or a condition is met. SystemExit where an end was asked for."""
        before, self._last = self._last, facts
        until = self._until
        if until is not None and before is not None and until.is_met(before, facts):
            self._meet(until, witness)
        if self._stop is not None:
            stop = self._take_stop()
            if stop is not None:
                witness.stopped(stop)
                self._wait(stop)
                witness.continued()
        if self._wishes:
            self._grant(witness)
        if self._is_ending:
            raise SystemExit(_ENDED_BY_REQUEST)

    def stop_now(self, stop: Stop, witness: Witness) -> None:
        """Wait here as at a boundary, whatever was asked for. Where nobody is attached the grace begins now.
        SystemExit where an end is asked for."""
        with self._changed:
            self._may_go = False
            self._alone_since = time.monotonic()
        witness.stopped(stop)
        self._wait(stop)
        witness.continued()
        if self._is_ending:
            raise SystemExit(_ENDED_BY_REQUEST)

    def _grant(self, witness: Witness) -> None:
        with self._changed:
            wishes, self._wishes = self._wishes, []
        for wish in wishes:
            wish(witness)

    def _meet(self, until: ModuleType, witness: Witness) -> None:
        with self._changed:
            if self._until is not until:
                return  # a command came while the condition was looked at
            self._until = None
            is_attended = self._n_clients > 0
            if is_attended and self._stop is None:
                self._stop = Stop("breakpoint", until.NAME)
        if not is_attended:
            witness.passed(until.NAME)

    def _take_stop(self) -> Stop | None:
        with self._changed:
            stop, self._stop = self._stop, None
            if stop is not None:
                self._may_go = False
            return stop

    def _wait(self, stop: Stop) -> None:
        has_told = False
        with self._changed:
            while not self._may_go:
                self._changed.wait(_LOOK_SECS)
                is_alone = self._n_clients == 0 and time.monotonic() - self._alone_since > self._grace_secs
                if is_alone and self._on_detach == "resume":
                    return
                if is_alone and not has_told:
                    has_told = True
                    why = f" at {stop.text.splitlines()[0]}" if stop.text else ""
                    text = f"tapescope: paused{why} and nobody is attached. {self._how_to_continue}"
                    with contextlib.suppress(OSError, ValueError):  # stderr may be closed
                        print(text, file=sys.stderr, flush=True)
