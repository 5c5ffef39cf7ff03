"""The one mutable state of the window: which tape, which step, what is selected. It knows no widget."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from gui.drawing import Drawing, DrawingOptions, Explained, Undrawn
from gui.happenings import Happenings
from gui.hierarchy import fold_at, to_depth, toggled
from gui.marks import NO_MARKS, Marks
from gui.series import Series
from gui.timeline import Timeline
from tracer import Batch, Cause, Event
from tracer.errors import UsageError
from tracer.model.last_finite import LastFinite
from tracer.model.step_table import StepTable
from tracer.options import Sampling

FOLLOW_INTERVAL_MSECS = 40
"""While live, the shown step jumps at most 25 times a second, always to the latest: as often as a tape grows."""

INCIDENTS = ("not_finite", "capture_failed", "exception", "disk")
"""Kinds of events that the user has to know of."""

UNASKED = ("breakpoint", "exception")
"""Reasons of stops that come when the user did not ask for one just then."""

VIEW_OPTIONS = frozenset({"open_calls", "focus", "unfolded", "folds_repeats"})
"""Options that say which part of the graph is in view."""

RUN_STATES = ("none", "starting", "running", "paused", "ended")


class Session(QObject):
    """Steps count from 0; `step` is -1 while there is none. Signals are sent only when something changed.

    `stop` is the event that says why the run is paused, None while it is not; `stop_reason` is its reason, and "abrupt"
    where the run ended without closing its tape; `exception` is the event of what ended it, None where it went well.
    `sampling` is what the tape says is recorded of each step; `undrawn` is why the shown step has no `drawing`, None
    while it has one or is being drawn.
    `marks` are what is highlighted beside the selection, which is one key.
    `causes` are why the drawing differs from the compared step, None until that is known.
    `pinned_step` is the one that all others are compared with, None while it is the step on screen before.
    `found_steps` are those a search is about, growing; None while none is.
    `incidents` are the events the user has to know of, in order: a loss that is not finite, a capture that failed, an
    exception that ended the run. `happenings` are the hits of breakpoints and what was changed of the training.
    `unreadable` says why the tape cannot be read on, "" while it can.
    `last_finite` has, by the id of the event, the last step in which what a NaN began in was finite; it comes later.
    """

    tape_changed = Signal()
    step_changed = Signal(int)
    steps_appended = Signal(int, int)  # the first and the last of them
    scalars_appended = Signal()
    events_appended = Signal(object)  # tuple[Event, ...]
    structure_added = Signal()
    selection_changed = Signal(str)
    marks_changed = Signal()
    leaving = Signal()  # the user is about to look elsewhere, everything is still as it was
    revealed = Signal(str)  # the user wants to see this key
    drawing_changed = Signal()
    causes_changed = Signal()
    pinned_changed = Signal()
    options_changed = Signal()
    opened_anew = Signal()  # after it: which modules are open was chosen for the whole graph
    follow_changed = Signal(bool)
    run_state_changed = Signal(str)
    sampling_changed = Signal()
    incidents_changed = Signal()
    found_steps_changed = Signal()
    happenings_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tape: Path | None = None
        self.meta: Mapping[str, Any] = {}
        self.timeline = Timeline()
        self.series: dict[str, Series] = {}
        self.options = DrawingOptions()
        self.drawing: Drawing | None = None
        self.undrawn: Undrawn | None = None
        self.causes: tuple[Cause, ...] | None = None
        self.selection = ""
        self.marks = NO_MARKS
        self.run_state = "none"
        self.stop_reason = ""
        self.stop: Event | None = None
        self.exception: Event | None = None
        self.unreadable = ""
        self.sampling = Sampling()
        self.incidents: tuple[Event, ...] = ()
        self.last_finite: dict[int, LastFinite] = {}
        self.happenings = Happenings()
        self.step = -1
        self.pinned_step: int | None = None
        self.found_steps: NDArray[np.int64] | None = None
        self.follows_live = False
        self._wished_step: int | None = None
        self._wished_key = ""
        self._follow_timer = QTimer(self)
        self._follow_timer.setInterval(FOLLOW_INTERVAL_MSECS)
        self._follow_timer.setSingleShot(True)
        self._follow_timer.timeout.connect(self._catch_up)

    def open(self, tape: Path, *, follows_live: bool) -> None:
        """Starts over with another tape, of which nothing is known yet."""
        self._start_over()
        self.tape = tape
        self.follows_live = follows_live
        self.run_state = "starting"
        self._tell_all()

    def wish_for(self, step: int | None) -> None:
        """Shows this step as soon as the tape has it, negative from its end; None for the usual first one."""
        self._wished_step = step

    def close(self) -> None:
        self._start_over()
        self._tell_all()

    def expect_exception(self) -> None:
        """Takes in that the tape about to be read ends in one: its last step is the one to see first."""
        if self.step < 0 and not self.follows_live and self._wished_step is None:
            self._wished_step = -1

    def append(self, batch: Batch) -> None:
        """Takes in what was added to the tape."""
        self._append_scalars(batch.scalars)
        self._append_steps(batch.steps)
        self._append_events(batch.events)

    def note_last_finite(self, event: int, last: LastFinite) -> None:
        """Takes in what was found for an incident, by its id."""
        self.last_finite[event] = last
        self.incidents_changed.emit()

    def set_tape_state(self, tape_state: str) -> None:
        """Takes in `Tape.state`: "live", "closed" or "abrupt"."""
        if tape_state != "live":
            self._set_run_state("ended", "abrupt" if tape_state == "abrupt" else "")
        elif self.run_state == "starting":
            self._set_run_state("running", "")

    def fail(self, why: str) -> None:
        """Nothing more can be read of the tape, as one sentence says."""
        self.unreadable = why
        self._set_run_state("ended", "unreadable")

    def end(self) -> None:
        """The training process is gone, whatever its tape says."""
        self._set_run_state("ended", "")

    def go_to(self, step: int) -> None:
        """Shows a step, clamped to those there are, and stops following."""
        self._wished_key = ""
        self._set_follows_live(False)
        self._show(step)

    def previous(self) -> None:
        self.go_to(self.step - 1)

    def next(self) -> None:
        self.go_to(self.step + 1)

    def first(self) -> None:
        self.go_to(0)

    def last(self) -> None:
        self.go_to(len(self.timeline) - 1)

    def previous_change(self) -> None:
        """Shows the last step before this one that changed the structure."""
        step = self.timeline.previous_change(self.step)
        if step is not None:
            self.go_to(step)

    def next_change(self) -> None:
        step = self.timeline.next_change(self.step)
        if step is not None:
            self.go_to(step)

    def previous_hit(self) -> None:
        """Shows the last step before this one at which a breakpoint was met."""
        step = self.happenings.previous_hit(self.step)
        if step is not None:
            self.go_to(step)

    def next_hit(self) -> None:
        step = self.happenings.next_hit(self.step)
        if step is not None:
            self.go_to(step)

    def pin(self, step: int | None) -> None:
        """Compares every step with this one from now on; None: each with the one on screen before it."""
        if step is not None:
            step = max(min(step, len(self.timeline) - 1), 0)
        if step != self.pinned_step and len(self.timeline):
            self.pinned_step = step
            self.pinned_changed.emit()

    def toggle_pin(self) -> None:
        """Pins the shown step, or lets go of the pinned one."""
        self.pin(self.step if self.pinned_step is None else None)

    def follow_live(self, follows: bool) -> None:
        self._set_follows_live(follows)
        if follows:
            self._catch_up()

    def select(self, key: str) -> None:
        """Selects a node, a module call or an edge by its key, "" for nothing."""
        self._wished_key = ""
        if key != self.selection:
            self.selection = key
            self.selection_changed.emit(key)

    def mark(self, marks: Marks) -> None:
        """Highlights something beside the selection, NO_MARKS for nothing."""
        if marks != self.marks:
            self.marks = marks
            self.marks_changed.emit()

    def mark_steps(self, steps: NDArray[np.int64] | None) -> None:
        """Marks steps on the timeline, None for no search among them."""
        is_same = steps is None and self.found_steps is None
        if not is_same:
            self.found_steps = steps
            self.found_steps_changed.emit()

    def reveal(self, key: str) -> None:
        """Selects something that may be out of sight, and asks for it to be brought into view."""
        self.leaving.emit()
        self.select(key)
        self.revealed.emit(key)

    def reveal_at(self, step: int, key: str) -> None:
        """Goes to a step, and to something in it as soon as it is drawn; "" for the step alone."""
        self.go_to(step)
        self.select(key)
        self._wished_key = key
        self._grant_key()

    def set_drawing(self, drawing: Drawing) -> None:
        """Takes in what is shown from now on; the shown step may already be another one."""
        self.drawing, self.undrawn, self.causes = drawing, None, None
        self.drawing_changed.emit()
        self._grant_key()

    def set_causes(self, explained: Explained) -> None:
        """Takes in why what is shown differs from the compared step."""
        if explained.drawing is self.drawing:
            self.causes = explained.causes
            self.causes_changed.emit()

    def set_undrawn(self, undrawn: Undrawn) -> None:
        """Takes in that the shown step has no drawing."""
        self.drawing, self.undrawn, self.causes = None, undrawn, None
        self.drawing_changed.emit()

    def toggle_call(self, key: str) -> None:
        """Opens a closed module call, closes an open one."""
        if self.drawing is not None:
            self.set_options(open_calls=toggled(self.drawing, key))

    def open_all_calls(self) -> None:
        if self.drawing is not None:
            self._open_anew(self.drawing.calls)

    def close_all_calls(self) -> None:
        self._open_anew(frozenset())

    def open_to_depth(self, depth: int) -> None:
        if self.drawing is not None:
            self._open_anew(to_depth(self.drawing, depth))

    def open_default_calls(self) -> None:
        """Leaves it to the drawing which module calls are open."""
        self._open_anew(None)

    def _open_anew(self, open_calls: frozenset[str] | None) -> None:
        if open_calls != self.options.open_calls:
            self.set_options(open_calls=open_calls)
            self.opened_anew.emit()

    def toggle_fold(self, key: str) -> None:
        """Takes apart the fold that something is a copy of, or draws its copies as one again; what is open stays so."""
        fold = "" if self.drawing is None else fold_at(self.drawing, key)
        if self.drawing is not None and fold:
            self.set_options(open_calls=self.drawing.open_calls, unfolded=self.options.unfolded ^ {fold})

    def set_options(self, **changes: Any) -> None:
        """Changes fields of `options`."""
        options = replace(self.options, **changes)
        if options != self.options:
            if not VIEW_OPTIONS.isdisjoint(changes):
                self.leaving.emit()
            self.options = options
            self.options_changed.emit()

    def _start_over(self) -> None:
        self._follow_timer.stop()
        self.tape, self.meta = None, {}
        self.timeline, self.series = Timeline(), {}
        self.options = replace(self.options, open_calls=None, focus=None, unfolded=frozenset())
        self.marks = NO_MARKS
        self.drawing, self.undrawn, self.causes = None, None, None
        self.selection, self.step, self.follows_live = "", -1, False
        self.pinned_step = None
        self.run_state, self.stop_reason, self.exception = "none", "", None
        self.stop, self.unreadable = None, ""
        self.sampling, self.incidents, self.last_finite = Sampling(), (), {}
        self.happenings = Happenings()
        self._wished_key = ""

    def _tell_all(self) -> None:
        self.tape_changed.emit()
        self.run_state_changed.emit(self.run_state)
        self.sampling_changed.emit()
        self.incidents_changed.emit()
        self.happenings_changed.emit()
        self.follow_changed.emit(self.follows_live)
        self.selection_changed.emit(self.selection)
        self.marks_changed.emit()
        self.pinned_changed.emit()
        self.step_changed.emit(self.step)
        self.drawing_changed.emit()

    def _append_scalars(self, scalars: Mapping[str, tuple[Any, Any]]) -> None:
        for name, (steps, values) in scalars.items():
            self.series.setdefault(name, Series()).append(steps, values)
        if scalars:
            self.scalars_appended.emit()

    def _append_steps(self, steps: StepTable) -> None:
        if not steps:
            return
        first = len(self.timeline)
        has_new_structure = self.timeline.append(steps)
        self.steps_appended.emit(first, len(self.timeline) - 1)
        if has_new_structure:
            self.structure_added.emit()
        if self._wished_step is not None:
            step, self._wished_step = self._wished_step, None
            self.go_to(step if step >= 0 else len(self.timeline) + step)
        elif self.follows_live and not self._follow_timer.isActive():
            self._catch_up()
        elif self.step < 0:
            self._show(int(steps.column("steps")[0]))  # those before it are lost

    def _append_events(self, events: Iterable[Event]) -> None:
        events = tuple(events)
        has_happened = self.happenings.append(events)
        was_running = self.run_state == "running"
        for event in events:
            if event.kind == "stopped":
                self._catch_up()
                self._set_run_state("paused", str(event.data.get("reason", "")), event)
            elif event.kind == "continued" or (event.kind == "started" and self.run_state == "starting"):
                self._set_run_state("running", "")
            elif event.kind == "exception":
                self.exception = event
            elif event.kind == "closed":
                self._set_run_state("ended", "")
            if event.kind in ("started", "level"):
                self._set_sampling(_sampling_of(event))
        if has_happened:
            self.happenings_changed.emit()
        if was_running and self.stop is not None and self.stop.data.get("reason") in UNASKED:
            self.follow_live(True)  # whatever was looked at, this is what one waited for
        if events:
            self._add_incidents(tuple(event for event in events if event.kind in INCIDENTS))
            self.events_appended.emit(events)

    def _add_incidents(self, incidents: tuple[Event, ...]) -> None:
        if incidents:
            self.incidents += incidents
            self.incidents_changed.emit()

    def _set_sampling(self, sampling: Sampling) -> None:
        if sampling != self.sampling:
            self.sampling = sampling
            self.sampling_changed.emit()

    def _grant_key(self) -> None:
        drawing, key = self.drawing, self._wished_key
        if key and drawing is not None and drawing.step.index == self.step:
            self._wished_key = ""
            self.reveal(key)

    def _catch_up(self) -> None:
        if self.follows_live and self.step < len(self.timeline) - 1:
            self._show(len(self.timeline) - 1)
            self._follow_timer.start()

    def _show(self, step: int) -> None:
        step = max(min(step, len(self.timeline) - 1), 0 if len(self.timeline) else -1)
        if step != self.step:
            self.step = step
            self.step_changed.emit(step)

    def _set_follows_live(self, follows: bool) -> None:
        if follows != self.follows_live:
            self.follows_live = follows
            self.follow_changed.emit(follows)

    def _set_run_state(self, run_state: str, reason: str, stop: Event | None = None) -> None:
        if (run_state, reason, stop) != (self.run_state, self.stop_reason, self.stop):
            self.run_state, self.stop_reason, self.stop = run_state, reason, stop
            self.run_state_changed.emit(run_state)


def _sampling_of(event: Event) -> Sampling:
    """What an event says is recorded from it on; the usual where it says nothing that this version knows."""
    try:
        return Sampling(event.data.get("level", "structure"), event.data.get("every", 1))
    except UsageError:
        return Sampling()
