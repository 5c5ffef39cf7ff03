"""What the training is to do at its next step boundary. Set by the control thread, obeyed by the training thread."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from tracer.control.breakpoints import Breakpoints, Hit
from tracer.control.history import ScalarHistory
from tracer.model.breakpoints import Breakpoint
from tracer.model.step_facts import StepFacts

OnDetach = Literal["resume", "hold"]
Moment = Literal["before the optimizer", "after the step"]

GRACE_SECS = 5.0
EXPECTED_SECS = 20.0
"""How long a stop waits for the first client where one is about to attach: an app takes a second or two to start."""
UNTIL_ID = -1
"""The id of the breakpoint that "continue" until a condition sets, for one hit."""

_LOOK_SECS = 0.2  # how often a waiting main thread gets the chance to see Ctrl-C
_ENDED_BY_REQUEST = 130  # the exit code that Ctrl-C would give


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a training waits, in the Debug Adapter Protocol's words: "pause", "step", "breakpoint" or "exception";
    `text` says what happened, `breakpoints` are the ids of those that were met."""

    reason: str
    text: str = ""
    breakpoints: tuple[int, ...] = ()
    moment: Moment = "after the step"


class Witness(Protocol):
    """Is told what happens between two steps."""

    def stopped(self, stop: Stop) -> None:
        """Called before waiting."""

    def continued(self) -> None:
        """Called after waiting."""

    def hit(self, hit: Hit, moment: Moment, is_attended: bool) -> None:
        """A breakpoint's condition was met. Where it stops, and nobody is attached, the training goes on."""

    def breakpoints_set(self, breakpoints: Sequence[Breakpoint]) -> None:
        """These are the breakpoints from here on."""

    def set_level(self, level: str, every: int) -> None:
        """Record the steps from the next one on like this."""

    def trace_sources(self) -> None:
        """Note the source lines of the next step."""

    def set_hyperparameter(self, optimizer: str, group: int, name: str, value: object) -> None:
        """Change what an optimizer works with."""

    def set_trainable(self, names: Sequence[str], is_trainable: bool) -> None:
        """Freeze or unfreeze parameters, by their names or those of modules."""


Wish = Callable[[Witness], None]
"""Something to be changed about the recording, or the training."""


class RunControl:
    """`boundary` costs some attribute reads while nothing is asked."""

    def __init__(
        self,
        on_detach: OnDetach = "resume",
        how_to_continue: str = "",
        grace_secs: float = GRACE_SECS,
        breakpoints: Iterable[Breakpoint] = (),
        is_expected: bool = False,
    ) -> None:
        """`is_expected` says that a client is about to attach. Raises UsageError for breakpoints that make no sense."""
        self._changed = threading.Condition()
        self._stop: Stop | None = None
        self._breakpoints = Breakpoints(breakpoints)
        self._until: Breakpoint | None = None
        self._before: StepFacts | None = None
        self._history = ScalarHistory()
        self._stopped_early_at = -1
        self._may_go = False
        self._is_ending = False
        self._wishes: list[Wish] = []
        self._n_clients = 0
        self._alone_since = 0.0
        self._expected_until = time.monotonic() + EXPECTED_SECS if is_expected else 0.0
        self._on_detach = on_detach
        self._how_to_continue = how_to_continue
        self._grace_secs = grace_secs

    # Asked by any thread

    def obey(self, command: str, until: Breakpoint | None = None) -> None:
        """Take one of `protocol.STEPPING`. `until` is a breakpoint at which "continue" ends. Raises UsageError where
        that makes no sense."""
        with self._changed:
            if until is not None or self._until is not None:
                self._set(self._breakpoints.all, until)
            self._stop = {"pause": Stop("pause"), "next": Stop("step")}.get(command)
            self._is_ending = self._is_ending or command == "terminate"
            self._may_go = command != "pause"
            self._changed.notify_all()

    def set_breakpoints(self, breakpoints: Sequence[Breakpoint]) -> None:
        """These instead of those there were; what waits for the same as before keeps its hits. Raises UsageError where
        one makes no sense: then nothing changes."""
        with self._changed:
            self._set(breakpoints, self._until)
            self._wishes.append(lambda witness: witness.breakpoints_set(self.breakpoints))
            self._changed.notify_all()

    def wish(self, wish: Wish) -> None:
        """Have `wish(witness)` called at the next step boundary, or, where the training waits, at once."""
        with self._changed:
            self._wishes.append(wish)
            self._changed.notify_all()

    def attach(self) -> None:
        """A client came."""
        with self._changed:
            self._n_clients += 1
            self._expected_until = 0.0

    def detach(self) -> None:
        """A client went. If it was the last one, a paused training goes on after the grace, or holds."""
        with self._changed:
            self._n_clients -= 1
            self._alone_since = time.monotonic()
            self._changed.notify_all()

    @property
    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Those the user set."""
        return tuple(each for each in self._breakpoints.all if each.id != UNTIL_ID)

    # Asked by the training thread

    @property
    def is_watching(self) -> bool:
        """Whether any breakpoint is to be asked."""
        return self._breakpoints.are_armed

    @property
    def unanswered(self) -> list[Breakpoint]:
        """The breakpoints whose condition could not be told of any step."""
        return self._breakpoints.unanswered

    @property
    def history(self) -> ScalarHistory:
        """The scalars of the steps so far; who closes a step appends."""
        return self._history

    def before_optimizer(self, facts: StepFacts, witness: Witness, close: Callable[[], None]) -> None:
        """Ask the breakpoints whether to stop before the weights change. Where one does, `close()` puts the step on the
        tape and the training waits. SystemExit where an end was asked for meanwhile."""
        stop = self._meet(facts, witness, "before the optimizer")
        if stop is None:
            return
        with self._changed:
            self._stop = None  # a step, or a pause, has come to its end here
        self._stopped_early_at = facts.index
        close()
        self.stop_now(stop, witness)
        self._grant(witness)
        if self._is_ending:
            raise SystemExit(_ENDED_BY_REQUEST)

    def boundary(self, facts: StepFacts, witness: Witness) -> None:
        """Wait if a stop was asked for or a breakpoint is met. SystemExit where an end was asked for."""
        if self._breakpoints.are_armed:
            stop = self._meet(facts, witness, "after the step")
            if stop is not None:
                with self._changed:
                    self._stop = stop
        if facts.topology_id:
            self._before = facts
        if self._stop is not None:
            stop = self._take_stop(facts.index)
            if stop is not None:
                self._stop_here(stop, witness)
        if self._wishes:
            self._grant(witness)
        if self._is_ending:
            raise SystemExit(_ENDED_BY_REQUEST)

    def stop_now(self, stop: Stop, witness: Witness) -> None:
        """Wait here as at a boundary, whatever was asked for. Where nobody is attached the grace begins now.
        SystemExit where an end is asked for."""
        self._stop_here(stop, witness)
        if self._is_ending:
            raise SystemExit(_ENDED_BY_REQUEST)

    def _stop_here(self, stop: Stop, witness: Witness) -> None:
        """Wait until told to go on, or left alone. What is wished meanwhile is done at once."""
        with self._changed:
            self._may_go = False
            self._alone_since = time.monotonic()
        witness.stopped(stop)
        self._wait(stop, witness)
        witness.continued()

    @property
    def _is_attended(self) -> bool:
        return self._n_clients > 0 or time.monotonic() < self._expected_until

    def _set(self, breakpoints: Sequence[Breakpoint], until: Breakpoint | None) -> None:
        chosen = [each for each in breakpoints if each.id != UNTIL_ID]
        if until is not None:
            until = replace(until, id=UNTIL_ID, is_enabled=True, is_one_shot=True)
            chosen.append(until)
        self._breakpoints = Breakpoints(chosen, self._breakpoints)
        self._until = until

    def _meet(self, facts: StepFacts, witness: Witness, moment: Moment) -> Stop | None:
        """Ask the breakpoints, tell of the hits; the stop that follows if somebody is there to end it."""
        breakpoints = self._breakpoints
        before = breakpoints.all
        hits = breakpoints.ask(self._before, facts, is_end=moment == "after the step")
        if not hits:
            return None
        is_attended = self._is_attended
        for hit in hits:
            witness.hit(hit, moment, is_attended)
        if breakpoints.all is not before:
            self._note_disabled(breakpoints, witness)
        stopping = [hit for hit in hits if hit.stops]
        if not stopping or not is_attended:
            return None
        text = "; ".join(hit.text for hit in stopping)
        return Stop("breakpoint", text, tuple(hit.breakpoint.id for hit in stopping), moment)

    def _note_disabled(self, breakpoints: Breakpoints, witness: Witness) -> None:
        """One-shots have had their shot."""
        with self._changed:
            if self._breakpoints is not breakpoints:
                return  # set anew meanwhile
            has_user_ones = any(each.is_one_shot and each.id != UNTIL_ID for each in breakpoints.all)
            if any(each.id == UNTIL_ID and not each.is_enabled for each in breakpoints.all):
                self._set(breakpoints.all, None)
        if has_user_ones:
            witness.breakpoints_set(self.breakpoints)

    def _grant(self, witness: Witness) -> None:
        with self._changed:
            wishes, self._wishes = self._wishes, []
        for wish in wishes:
            wish(witness)

    def _take_stop(self, index: int) -> Stop | None:
        """The step that stopped before its optimizer has been seen: from there a step goes on to the next one."""
        with self._changed:
            if self._stop is not None and self._stop.reason == "step" and index == self._stopped_early_at:
                return None
            stop, self._stop = self._stop, None
            return stop

    def _wait(self, stop: Stop, witness: Witness) -> None:
        has_told = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._may_go or self._wishes, _LOOK_SECS)
                has_wishes, may_go = bool(self._wishes), self._may_go
                now = time.monotonic()
                is_alone = not self._is_attended and now - self._alone_since > self._grace_secs
            if has_wishes:
                self._grant(witness)
            if may_go or (is_alone and self._on_detach == "resume"):
                return
            if is_alone and not has_told:
                has_told = True
                self._tell(stop)

    def _tell(self, stop: Stop) -> None:
        why = f" at {stop.text.splitlines()[0]}" if stop.reason == "exception" and stop.text else ""
        text = f"tapescope: paused{why} and nobody is attached. {self._how_to_continue}"
        with contextlib.suppress(OSError, ValueError):  # stderr may be closed
            print(text, file=sys.stderr, flush=True)
