"""The breakpoints of the script on screen: kept from run to run, and, while it trains, those the training has."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal, Slot

from gui.happenings import signature
from gui.run_control import RunControl
from gui.session import Session
from tracer import Event
from tracer.breakpoint_file import numbered, remember, remembered
from tracer.conditions import checked
from tracer.errors import UsageError
from tracer.model.breakpoints import MAX_BREAKPOINTS, Breakpoint


class BreakpointBook(QObject):
    """Every change is remembered of the script at once and sent to a training that listens. While one does, its tape
    says what is set: another client may set some, and a one-shot is disabled once it has acted.

    `script` is "" where there is none to remember them of: then they last as long as the tape is open.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence

    def __init__(self, session: Session, control: RunControl, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._control = control
        self._breakpoints: tuple[Breakpoint, ...] = ()
        self._sent: tuple[Breakpoint, ...] | None = None
        self._has_joined = False
        self._is_ahead = False
        self.script = ""
        control.availability_changed.connect(self._join)
        session.run_state_changed.connect(self._join)
        session.events_appended.connect(self._on_events)

    @property
    def all(self) -> tuple[Breakpoint, ...]:
        return self._breakpoints

    @property
    def is_live(self) -> bool:
        """Whether changes reach a training now; else they hold for the next run."""
        return self._control.is_available and self._session.run_state in ("running", "paused")

    def open(self, script: str) -> None:
        """Starts over with those remembered of a script."""
        self.script = script
        self._sent, self._has_joined, self._is_ahead = None, False, False
        self._breakpoints = remembered(script)
        self.changed.emit()

    def get(self, number: int) -> Breakpoint | None:
        return next((each for each in self._breakpoints if each.id == number), None)

    def add(self, breakpoint: Breakpoint) -> None:
        """Adds one, under an id of its own; one that waits for the same and does the same is enabled instead."""
        same = next((each for each in self._breakpoints if _alike(each, breakpoint)), None)
        if same is not None:
            self.set_enabled((same.id,), True)
        elif len(self._breakpoints) >= MAX_BREAKPOINTS:
            self.failed.emit(self.tr("There are {0} breakpoints already; delete one first.").format(MAX_BREAKPOINTS))
        else:
            number = max((each.id for each in self._breakpoints), default=0) + 1
            self._change((*self._breakpoints, replace(breakpoint, id=number)))

    def put(self, breakpoint: Breakpoint) -> None:
        """Puts an edited one in the place of that with its id."""
        self._change(tuple(breakpoint if each.id == breakpoint.id else each for each in self._breakpoints))

    def remove(self, ids: Collection[int]) -> None:
        self._change(tuple(each for each in self._breakpoints if each.id not in ids))

    def set_enabled(self, ids: Collection[int], is_enabled: bool) -> None:
        self._change(
            tuple(replace(each, is_enabled=is_enabled) if each.id in ids else each for each in self._breakpoints)
        )

    def set_all_enabled(self, is_enabled: bool) -> None:
        self.set_enabled({each.id for each in self._breakpoints}, is_enabled)

    def clear(self) -> None:
        self._change(())

    def _change(self, breakpoints: tuple[Breakpoint, ...]) -> None:
        """What the user wants."""
        if breakpoints == self._breakpoints:
            return
        self._is_ahead = True
        self._take(breakpoints)
        if self._has_joined:
            self._send()

    def _take(self, breakpoints: tuple[Breakpoint, ...]) -> None:
        if breakpoints == self._breakpoints:
            return
        self._breakpoints = breakpoints
        if self.script:
            try:
                remember(self.script, _distinct(breakpoints))
            except OSError as error:
                self.failed.emit(self.tr("The breakpoints could not be remembered: {0}").format(error.strerror))
        self.changed.emit()

    def _send(self) -> None:
        if self._control.set_breakpoints(self._breakpoints):
            self._sent, self._is_ahead = self._breakpoints, False

    @Slot()
    def _join(self) -> None:
        """Once the training listens, and its tape has begun: it gets what it has not, and is not asked for what it
        has. After a broken line it gets what was changed meanwhile."""
        if not self.is_live:
            return
        has_joined, self._has_joined = self._has_joined, True
        on_tape = _understood(self._session.happenings.set_on_tape)
        missing = [each for each in self._breakpoints if not any(_alike(each, other) for other in on_tape)]
        if not has_joined and not self._is_ahead:
            self._take(numbered((*on_tape, *missing)) if missing else on_tape)
            self._is_ahead = bool(missing)
        if self._is_ahead:
            self._send()

    @Slot(object)
    def _on_events(self, events: tuple[Event, ...]) -> None:
        """What the tape says of an earlier list than the one sent last is old."""
        if not self._has_joined or not any(event.kind == "breakpoints" for event in events):
            return
        on_tape = self._session.happenings.set_on_tape
        if self._sent is not None and not _same(self._sent, on_tape):
            return
        self._sent = None
        if not self._is_ahead:
            self._take(_understood(on_tape))


def _understood(breakpoints: Sequence[Breakpoint]) -> tuple[Breakpoint, ...]:
    """Those whose condition this version has."""
    found: list[Breakpoint] = []
    for each in breakpoints:
        try:
            found.append(checked(each))
        except UsageError:
            continue
    return tuple(found)


def _distinct(breakpoints: Sequence[Breakpoint]) -> tuple[Breakpoint, ...]:
    """Each but once: a run that is given one which is remembered already has it twice."""
    kept: list[Breakpoint] = []
    for each in breakpoints:
        if not any(_alike(each, other) for other in kept):
            kept.append(each)
    return tuple(kept)


def _same(first: Sequence[Breakpoint], second: Sequence[Breakpoint]) -> bool:
    """Whether two lists are the same, but for one-shots that may have acted."""
    return len(first) == len(second) and all(
        a.id == b.id and _alike(a, b) and (a.is_enabled == b.is_enabled or a.is_one_shot)
        for a, b in zip(first, second, strict=True)
    )


def _alike(first: Breakpoint, second: Breakpoint) -> bool:
    """Whether both wait for the same and do the same."""
    own, others = (
        (signature(each), each.hit_condition, each.log_message, each.is_one_shot) for each in (first, second)
    )
    return own == others
