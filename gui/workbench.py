"""What stands behind the window: opens tapes, runs training, has steps drawn, and tells the session of it all."""

from dataclasses import fields, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from gui.appearance import Appearance
from gui.breakpoints import BreakpointBook
from gui.comparison import compared_step
from gui.draftsman import Draftsman
from gui.drawing import LATE_STEPS, Drawing, Explained, Question, Undrawn
from gui.export import Export
from gui.follower import Follower
from gui.levels import sampling_text
from gui.live_changes import LiveChanges
from gui.process import Launch, TrainingProcess, new_tape_path, output_paths
from gui.run_control import RunControl
from gui.session import Session
from gui.settings import Settings
from tracer import Batch, Event
from tracer.breakpoint_file import script_key
from tracer.model.breakpoints import Breakpoint
from tracer.model.last_finite import LastFinite
from tracer.options import Sampling
from tracer.store.heading import read_heading
from tracer.store.run_folder import tape_file


class Workbench(QObject):
    """Owns every thread and process of the app; `close_tape` ends those of a tape."""

    output_read = Signal(bytes, bool)  # of the script; whether to stderr
    noted = Signal(str)  # something to say in the console
    failed = Signal(str)  # something the user wanted did not work, one sentence
    exported = Signal(str)
    asked = Signal(str)  # a command was sent whose effect comes later, one sentence
    reach_changed = Signal()
    layout_progressed = Signal(float)  # of a layout that takes long: 0 to 1, less than 0 when it is over

    def __init__(self, settings: Settings, appearance: Appearance, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.session = Session(self)
        self.session.set_options(
            shows_parameters=settings.shows_parameters,
            shows_bookkeeping=settings.shows_bookkeeping,
            shows_forward_only=settings.shows_forward_only,
            shows_ghosts=settings.shows_ghosts,
            folds_repeats=settings.folds_repeats,
            side_by_side=settings.side_by_side,
        )
        self.control = RunControl(self)
        self.breakpoints = BreakpointBook(self.session, self.control, self)
        self.live_changes = LiveChanges(self.session, self.control, self)
        self._appearance = appearance
        self._follower: Follower | None = None
        self._draftsman: Draftsman | None = None
        self._drawn: Question | None = None
        self._process: TrainingProcess | None = None
        self._exports: set[Export] = set()
        self._has_output = False
        self._looks_left = 0
        self._connect()

    def _connect(self) -> None:
        self.control.availability_changed.connect(self.reach_changed)
        self.control.failed.connect(self.failed)
        self.breakpoints.failed.connect(self.failed)
        self.live_changes.refused.connect(self.asked)
        self.live_changes.made.connect(self.asked)
        self.session.step_changed.connect(self._draw)
        self.session.options_changed.connect(self._draw)
        self.session.pinned_changed.connect(self._on_pinned)
        self._appearance.theme_changed.connect(self._draw)
        self.session.run_state_changed.connect(self._on_run_state_changed)
        self.session.events_appended.connect(self._on_events)

    # What the user asks for

    def open_tape(self, path: Path) -> None:
        """Shows a tape, from its end if it is being written. Raises TapeError where it is none."""
        path = tape_file(path.absolute())
        heading = read_heading(path)
        is_live, script = heading.state == "live", heading.meta.get("script", "")
        self._release(stops_run=False)
        self._has_output = any(output.is_file() for output in output_paths(path))
        self._show_tape(path, is_live, script)
        if is_live:
            self.control.follow(path)
        self._show_kept_output(path)

    def run_script(
        self,
        script: Path,
        arguments: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        tape: Path | None = None,
        *,
        is_attended: bool = True,
    ) -> Path:
        """Starts a script in a process of its own and follows it; the path of its tape. Raises OSError.

        `options` are those of `tapescope run`; without `tape` it gets a new file in the folder of the settings. With
        somebody to attend to it, it has the script's breakpoints from its first step on.
        """
        script = script.absolute()
        self._release(stops_run=False)
        tape = tape or new_tape_path(self.settings.tapes_folder, script)
        tape.unlink(missing_ok=True)
        if is_attended:
            options = ("--attended", *options)
        self._process = TrainingProcess(Launch(script, arguments, tape, options), self)
        self._process.output_read.connect(self.output_read)
        self._process.ended.connect(self._on_process_ended)
        self._process.start()
        self._has_output = True
        self._show_tape(tape, is_live=True, script=script_key(script) if is_attended else "")
        self.noted.emit(self.tr("Running {0}").format(" ".join([str(script), *arguments])))
        self.control.follow(tape)
        self.settings.remember_tape(tape)
        self.reach_changed.emit()
        return tape

    def step_once(self) -> None:
        """Runs exactly one step and shows it."""
        self.session.follow_live(True)
        self.control.next()

    def continue_until(self, until: str | Breakpoint) -> None:
        """Runs on to where a breakpoint, or a condition without fields, is met, and shows that step."""
        self.session.follow_live(True)
        self.control.continue_until(until)

    def set_sampling(self, sampling: Sampling) -> None:
        """Has the training record something else from its next step on; the tape says when it does."""
        if self.live_changes.can_change:
            self.live_changes.set_sampling(sampling)
        elif self.control.set_level(sampling.level, sampling.every):
            self.asked.emit(self.tr("Recorded from the next step on: {0}").format(sampling_text(sampling)))

    def trace_sources(self) -> None:
        """Has the training note the source lines of its next step."""
        if self.control.trace_sources():
            self._looks_left = LATE_STEPS
            self.asked.emit(self.tr("Source lines are noted at the next step"))

    def stop(self) -> None:
        """Ends the training: asked at its next step boundary, by signal if that does not help within 3 s."""
        was_asked = self.control.terminate()
        if self._process is not None and was_asked:
            self._process.stop()
        elif self._process is not None:
            self._process.terminate()

    @Slot()
    def cancel_drawing(self) -> None:
        """Gives up a layout that takes long; what is drawn stays as it is on screen."""
        if self._draftsman is None:
            return
        self._draftsman.give_up()
        drawn = (
            self._drawn.options if self._drawn is not None else replace(self.session.options, open_calls=frozenset())
        )
        self.session.set_options(**{field.name: getattr(drawn, field.name) for field in fields(drawn)})

    def export(self, name: str, out: Path) -> None:
        """Writes the shown step in a format, in a thread; `exported` or `failed` says how it went."""
        if self.session.drawing is None or self.session.tape is None:
            return
        export = Export(self.session.drawing, self.session.tape, name, out, self)
        self._exports.add(export)
        export.written.connect(self.exported)
        export.failed.connect(self.failed)
        export.finished.connect(self._sweep_exports)
        export.start()

    def close_tape(self, *, stops_run: bool = False) -> None:
        """Lets go of the tape, its threads and, unless told to end it, its training, which then runs on."""
        self._release(stops_run)
        self.session.close()
        self.breakpoints.open("")
        self.reach_changed.emit()

    @property
    def has_training(self) -> bool:
        """Whether closing the tape leaves a training to decide about."""
        is_reachable = self._process is not None or self.control.is_available
        return is_reachable and self.session.run_state in ("starting", "running", "paused")

    @property
    def can_stop(self) -> bool:
        return self._process is not None and self._process.is_running

    @property
    def has_output(self) -> bool:
        """Whether what the script writes is known: of runs started in the app, not of those from a terminal."""
        return self._has_output

    # What comes back

    @property
    def _is_current(self) -> bool:
        """Whether a slot is called by the follower of this tape: what one before had still to say comes too late."""
        return self._follower is not None and self.sender() is self._follower

    @Slot(object)
    def _on_opened(self, meta: dict[str, str]) -> None:
        if self._is_current:
            self.session.meta = meta

    @Slot()
    def _on_exception(self) -> None:
        if self._is_current:
            self.session.expect_exception()

    @Slot(object)
    def _on_batch(self, batch: Batch) -> None:
        if not self._is_current:
            return
        if self._draftsman is not None:
            self._draftsman.note(batch.steps)
        self.session.append(batch)
        if batch:
            self._look_again()
        if self._follower is not None:
            self._follower.took_batch()

    @Slot(int, object)
    def _on_last_finite(self, event: int, last: LastFinite) -> None:
        if self.sender() is self._follower:
            self.session.note_last_finite(event, last)

    @Slot(str)
    def _on_state(self, tape_state: str) -> None:
        if self._is_current:
            self.session.set_tape_state(tape_state)

    @Slot(str)
    def _on_tape_failed(self, message: str) -> None:
        if not self._is_current:
            return
        self.session.fail(message)
        self.failed.emit(message)

    @Slot(int)
    def _on_process_ended(self, code: int) -> None:
        if self.sender() is not self._process or self._process is None:
            return
        if not _has_content(self._process.launch.tape):
            if self._follower is not None:
                self._follower.finish()
            self.session.end()
        self.noted.emit(_ending(code))
        self.reach_changed.emit()

    @Slot(str)
    def _on_run_state_changed(self, run_state: str) -> None:
        if run_state == "ended":
            self.control.release()

    @Slot(object)
    def _on_events(self, events: tuple[Event, ...]) -> None:
        """The traceback of a run whose output is elsewhere comes from its tape."""
        for event in events:
            if event.kind == "exception" and not self._has_output:
                self.output_read.emit(str(event.data.get("traceback", "")).encode(), True)

    @Slot(object)
    def _on_drawn(self, drawing: Drawing) -> None:
        if self.sender() is self._draftsman:
            self._drawn = drawing.question
            self.session.set_drawing(drawing)

    @Slot(object)
    def _on_explained(self, explained: Explained) -> None:
        if self.sender() is self._draftsman:
            self.session.set_causes(explained)

    @Slot(object)
    def _on_not_drawn(self, undrawn: Undrawn) -> None:
        if self.sender() is self._draftsman and undrawn.question.step == self.session.step:
            self.session.set_undrawn(undrawn)

    @Slot()
    def _sweep_exports(self) -> None:
        done = {export for export in self._exports if export.isFinished()}
        self._exports -= done
        for export in done:
            export.deleteLater()

    def _look_again(self) -> None:
        """Draws the shown step again where facts of it may have come after it. A followed run is drawn anyway."""
        session, drawing = self.session, self.session.drawing
        if drawing is None or session.follows_live:
            return
        is_late = len(session.timeline) - 1 - drawing.step.index <= LATE_STEPS
        if self._looks_left or (is_late and not drawing.is_complete):
            self._looks_left = max(self._looks_left - 1, 0)
            self._draw()

    @Slot()
    def _draw(self) -> None:
        """Asks for the shown step, compared with the pinned one or the one on screen before it."""
        session = self.session
        if self._draftsman is None or session.step < 0:
            return
        shown = None if self._drawn is None else (self._drawn.step, self._drawn.compared_step)
        compared = compared_step(session.step, session.pinned_step, shown, session.follows_live)
        self._draftsman.ask(Question(session.step, compared, session.options, self._appearance.theme))

    @Slot()
    def _on_pinned(self) -> None:
        if self.session.pinned_step is None:
            # What was compared with the pinned step is no longer.
            self._drawn = None
        self._draw()

    def _release(self, stops_run: bool) -> None:
        """Ends every thread of the tape; its training is ended or left alone."""
        if stops_run:
            self._end_process()
        else:
            self._let_run_on()
        self.control.release()
        if self._follower is not None:
            self._follower.finish()
            self._follower = None
        if self._draftsman is not None:
            self._draftsman.finish()
            self._draftsman = None
        for export in tuple(self._exports):
            export.wait()

    def _show_tape(self, path: Path, is_live: bool, script: str) -> None:
        self._looks_left = 0
        self._drawn = None
        self._draftsman = Draftsman(path, self)
        self._draftsman.drawn.connect(self._on_drawn)
        self._draftsman.explained.connect(self._on_explained)
        self._draftsman.failed.connect(self._on_not_drawn)
        self._draftsman.progressed.connect(self.layout_progressed)
        self._draftsman.start()
        self._follower = Follower(path, self)
        self._follower.opened.connect(self._on_opened)
        self._follower.exception_found.connect(self._on_exception)
        self._follower.batch_read.connect(self._on_batch)
        self._follower.state_read.connect(self._on_state)
        self._follower.last_finite_found.connect(self._on_last_finite)
        self._follower.failed.connect(self._on_tape_failed)
        self._follower.start()
        # Meanwhile: what the first tape needs of the window takes as long as to read a long one.
        self.session.open(path, follows_live=is_live)
        self.breakpoints.open(script)

    def _show_kept_output(self, tape: Path) -> None:
        """The output of a run started in the app lies beside its tape."""
        for path, is_error in zip(output_paths(tape), (False, True), strict=True):
            if path.is_file():
                self.output_read.emit(path.read_bytes(), is_error)

    def _end_process(self) -> None:
        self.control.terminate()
        if self._process is not None:
            self._process.finish()
            self._process = None

    def _let_run_on(self) -> None:
        if self.session.run_state == "paused":
            self.control.continue_()
        if self._process is not None:
            self._process.release()
            self._process = None


def _ending(code: int) -> str:
    if code == 0:
        return "The script finished"
    if code < 0:
        return f"The script was ended by signal {-code}"
    return f"The script ended with exit code {code}"


def _has_content(tape: Path) -> bool:
    return tape.is_file() and tape.stat().st_size > 0
