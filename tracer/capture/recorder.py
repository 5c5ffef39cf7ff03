"""One recording: where steps begin and end, and what goes to the tape."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from tracer.capture import hooks
from tracer.capture.control_events import ControlEvents
from tracer.capture.ended_step import EndedStep
from tracer.capture.grad_scaler import ScaledLosses, on_grad_scalers
from tracer.capture.gradients import StepGradients
from tracer.capture.guard import guarded
from tracer.capture.live_changes import LiveChanges
from tracer.capture.measuring import Measuring
from tracer.capture.not_finite import BadLoss, NotFinite
from tracer.capture.optimizers import Optimizers
from tracer.capture.passes import See
from tracer.capture.place import is_in_optimizer
from tracer.capture.post_mortem import PostMortem
from tracer.capture.run_facts import run_facts
from tracer.capture.scalars import Number, StepScalars, learning_rates, loss_of
from tracer.capture.step_graph import StepGraph
from tracer.capture.summary_writer import watch_summary_writers
from tracer.control.run_control import RunControl, Stop
from tracer.control.server import ControlServer
from tracer.errors import ControlError
from tracer.model.records import Pass
from tracer.model.step_facts import StepFacts
from tracer.model.structure import ModuleCall
from tracer.options import Options, Sampling
from tracer.rank import Rank
from tracer.store.records import EventRecord, ScalarRecord, SourceRecord, StatisticsRecord, StepRecord, StructureRecord
from tracer.store.writer import Writer


class Recorder:
    """Records from `start` to `stop`. Hooks run on the training thread, in microseconds; the writer's thread does the
    rest."""

    def __init__(
        self, path: str | os.PathLike[str], options: Options, command: list[str], rank: Rank | None = None
    ) -> None:
        """Create the tape. `command` is what the user ran, `rank` which process of a job. Raises TapeError where the
        file cannot be written."""
        self.path = Path(path)
        self.options = options
        self._control = RunControl(
            options.on_detach,
            _how_to_continue(self.path),
            breakpoints=options.all_breakpoints,
            is_expected=options.expects_client,
        )
        self._server = _listen(self._control) if options.control else None
        self._writer = self._open(command, rank)
        self._graph = StepGraph()
        self._scalars = StepScalars()
        self._passes: list[Pass] = []
        self._index = 0
        self._begun_ns = 0
        self._undo: list[hooks.Undo] = []
        self._in_optimizer = False
        self._is_manual = False
        self._is_capturing = True
        self._optimizers = Optimizers()
        self._scaled_losses = ScaledLosses()
        self._has_stepped = False
        self._ended: EndedStep | None = None
        self._early: StepRecord | None = None  # on the tape already: the step stopped before its optimizer
        self._topologies: set[str] = set()
        self._started_secs = time.monotonic()
        self._witness = ControlEvents(self, LiveChanges(self._optimizers, self._graph.names))
        self._identify: Callable[..., None] | None = None
        self._sampling = options.sampling
        self._measuring = Measuring(self._graph.log, options.level)
        self._not_finite = NotFinite()
        self._search = self._guard_alone(self._not_finite.search)
        self._ask = self._guard_alone(self._ask_breakpoints)
        self._end = self._guard(self._end_graph)
        self._measure = self._guard(self._take_measurements)

    def start(self) -> None:
        """Begin the tape and put the hooks in."""
        self._event("started", **asdict(self._sampling))
        if self._control.breakpoints:
            self._witness.breakpoints_set(self._control.breakpoints)
        self.resume()

    def resume(self) -> None:
        """Put the hooks in again after `suspend`."""
        self._undo = [
            hooks.hold_module_hooks(),
            hooks.keep_out_of_strict_export(),
            hooks.on_first_call(self._start_clock),
            hooks.on_optimizer_steps(self._guard(self._before_optimizer), self._guard(self._after_optimizer)),
            hooks.on_backward(
                self._guard(self._before_backward),
                self._guard(self._after_backward),
                self._guard(self._graph.record_within),
            ),
            watch_summary_writers(self._guard_alone(self._log_anything)),
            self._graph.watch(self._guard, self._guard_alone),
            on_grad_scalers(
                self._guard_alone(self._scaled_losses.note),
                self._guard(self._before_scaler),
                self._guard(self._after_scaler),
            ),
        ]
        self._sample()
        self._start_clock()

    def stop(self, error: BaseException | None = None) -> None:
        """Take the hooks out and close the tape. An `error` that ended the training is noted with the step that it left
        unfinished; with `break_on_exception` the training waits there before it ends, SystemExit where it is told to
        end at once."""
        try:
            if isinstance(error, Exception):
                self._note_exception(error)
            else:
                self._close_evaluations()
        finally:
            self._close()

    def _note_exception(self, error: Exception) -> None:
        index, facts = self._index, dict[str, object]()
        self._guard_alone(self._examine)(error, facts)
        text = "".join(traceback.format_exception(error))
        data = {"type": type(error).__name__, "message": "", "traceback": text, **facts}
        self.suspend()
        self._append_arrived(wait=True)
        self._writer.append(EventRecord("exception", index, time.time_ns(), data))
        if self.options.break_on_exception:
            self._control.stop_now(Stop("exception", text=f"{data['type']}: {data['message']}"), self._witness)

    def _examine(self, error: Exception, facts: dict[str, object]) -> None:
        """Fill in the facts of the event, and put the step on the tape that the exception left unfinished, if one had
        begun. What is found before something fails stays."""
        post_mortem = PostMortem(error)
        facts |= post_mortem.facts
        try:
            self._append_unfinished(post_mortem)
            post_mortem.look_at_frames()
        finally:
            facts |= post_mortem.facts
        facts["message"] = str(error)

    def _append_unfinished(self, post_mortem: PostMortem) -> None:
        place = post_mortem.place
        if self._graph.is_attached and post_mortem.complete(self._graph):
            self._passes.append(Pass("partial"))
        if place.where == "outside" and not (self._graph.has_begun or self._passes):
            self._close_evaluations()
            return
        optimizer = None if place.optimizer is None else self._optimizers.name(place.optimizer)
        post_mortem.facts["optimizer"] = optimizer
        self._identify = self._guard_alone(post_mortem.identify)
        try:
            self._append_step(optimizer, "partial")
        finally:
            self._identify = None  # it holds what the traceback does

    def _close(self) -> None:
        self.suspend()
        if self._index:
            self._witness.ended(self._control.unanswered)
        self._append_arrived(wait=True)
        self._put_bad_loss(self._not_finite.end())
        self._event("closed", state="closed")
        self._writer.close("closed")
        if self._server is not None:
            self._server.close()

    def suspend(self) -> None:
        """Take the hooks out and leave the tape as it is; what a forked child does for good. An unfinished step is
        dropped."""
        self._measuring.detach()
        self._graph.detach()
        while self._undo:
            self._undo.pop()()

    def set_level(self, level: str, every: int = 1) -> None:
        """From the step being formed on record every `every`-th step at `level`, see `tracer.options.Sampling`, which
        may raise UsageError."""
        before, self._sampling = self._sampling, Sampling(level, every)
        self._measuring.use(level)
        self.put_event(self.shown_index, "level", level=level, every=every, before=asdict(before))
        if self._early is None:
            self._sample()

    def trace_sources(self) -> None:
        """Note the source lines of the next step, also where they are known."""
        self._graph.trace_sources()
        self._sample()

    def log(self, name: str, number: Number) -> None:
        """A scalar of the step being formed, or, where nothing of that has happened yet, of the step that just
        closed."""
        if self._graph.has_begun or self._index == 0:
            self._scalars.set(name, number)
            return
        value = self._scalars.read(name, self._index - 1, number)
        if value is not None:
            self._writer.append(ScalarRecord(self._index - 1, name, value))

    def step(self) -> None:
        """Close a step here, and from now on only here."""
        if self._is_manual or self._graph.has_begun:
            self._close_step(None)
        self._is_manual = True

    def _log_anything(self, name: str, number: object) -> None:
        """What a SummaryWriter was given: a number, a tensor or an array with one value; anything else is its own
        business."""
        if isinstance(number, (int, float, torch.Tensor)):
            self.log(name, number)
        elif getattr(number, "size", 0) == 1:
            self.log(name, number.item())  # type: ignore[attr-defined]

    def _before_backward(self, roots: list[torch.Tensor], kind: str) -> None:
        loss = loss_of(self._scaled_losses.unscaled(roots)) if kind == "backward" else None
        if loss is not None:
            # not where its step has raised, and the script went on
            self._in_optimizer = self._in_optimizer and is_in_optimizer()
            is_repeated = self._in_optimizer and any(item.kind == "backward" for item in self._passes)
            self._scalars.add_loss(loss, is_repeated)
        self._passes.append(Pass(kind, loss if isinstance(loss, float) else None))
        is_bad = loss is not None and self._not_finite.is_new(loss)
        if self._graph.is_attached:
            self._graph.record(roots, kind, self._onlooker(roots, is_bad))
        elif is_bad:
            self._put_bad_loss(self._not_finite.without_graph(self._index, loss))

    def _onlooker(self, roots: list[torch.Tensor], is_bad: bool) -> See | None:
        """Who is to see the nodes of a backward: nobody in a healthy step that is not measured."""
        if not (is_bad or self._measuring.is_attached):
            return None

        def see(nodes: Sequence[Any]) -> None:
            if is_bad:
                self._search(roots[0], nodes, self._measuring.suspects())
            self._measuring.before_backward(nodes)

        return see

    def _after_backward(self, kind: str) -> None:
        self._measuring.after_backward()
        if kind == "backward" and not self._is_manual and not self._optimizers.exist(self._graph.reached):
            self._close_step(None)

    def _before_optimizer(self, optimizer: torch.optim.Optimizer, args: object, kwargs: object) -> None:
        self._in_optimizer = True
        self._note_rates(optimizer)
        self._measuring.before_optimizer(optimizer)
        if self._control.is_watching and not self._is_manual:
            self._ask(optimizer)

    def _note_rates(self, optimizer: torch.optim.Optimizer) -> None:
        for name, rate in learning_rates(optimizer).items():
            self._scalars.set(name, rate)

    def _ask_breakpoints(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop before the weights change, where a breakpoint wants it: with the step on the tape, to be looked at."""
        name = self._optimizers.name(optimizer)
        whose = name if self._optimizers.are_several else None
        scalars = self._scalars.so_far(whose)
        structure = self._graph.so_far() if self._graph.is_attached else None

        def close() -> None:
            self._early = self._put_step(name, "train")

        self._control.before_optimizer(self._facts(scalars, structure, self._graph.evaluated()), self._witness, close)
        if self._early is not None:
            self._begun_ns = time.perf_counter_ns() - self._early.duration_ns  # the pause does not count
            self._note_rates(optimizer)

    def _facts(
        self, scalars: Mapping[str, float], structure: StructureRecord | None, evaluated: tuple[ModuleCall, ...]
    ) -> StepFacts:
        topology, shape = ("", "") if structure is None else (structure.topology_id, structure.shape_id)
        return StepFacts(
            self._index,
            topology,
            shape,
            scalars,
            self._control.history.values,
            None if structure is None else structure.structure,
            evaluated,
            bool(topology) and topology not in self._topologies,
            time.monotonic() - self._started_secs,
            StepGradients(self._graph.names),
        )

    def _after_optimizer(self, optimizer: torch.optim.Optimizer, args: object, kwargs: object) -> None:
        self._in_optimizer, self._has_stepped = False, True
        self._measuring.after_optimizer(optimizer)
        name = self._optimizers.name(optimizer)
        if not self._is_manual:
            self._close_step(name)

    def _before_scaler(self, optimizer: torch.optim.Optimizer) -> None:
        self._has_stepped = False

    def _after_scaler(self, optimizer: torch.optim.Optimizer) -> None:
        """Where a gradient is not finite a GradScaler does not step the optimizer. The step ends all the same."""
        if not self._has_stepped:
            self._before_optimizer(optimizer, (), {})
            self._after_optimizer(optimizer, (), {})

    def _close_step(self, optimizer: str | None) -> None:
        facts = self._append_step(optimizer, "train")
        self._control.boundary(facts, self._witness)
        self._sample()
        if self._index == self.options.max_steps:
            raise SystemExit(0)
        self._start_clock()

    def _append_step(self, optimizer: str | None, phase: str) -> StepFacts:
        """Put the step that was being formed on the tape, wholly, and begin the next."""
        record = self._put_step(optimizer, phase) if self._early is None else self._put_rest(self._early, phase)
        if self._graph.is_attached:
            self._measure()
        self._append_arrived()
        structure = record.structure
        facts = self._facts(record.scalars, structure, record.evaluated)
        if structure is not None:
            self._topologies.add(structure.topology_id)
        self._control.history.append(record.scalars)
        self._passes, self._ended, self._early = [], None, None
        self._index += 1
        return facts

    def _put_step(self, optimizer: str | None, phase: str) -> StepRecord:
        """Put the step as it is now on the tape."""
        duration_ns = time.perf_counter_ns() - self._begun_ns
        self._scalars.set("step_secs", duration_ns / 1e9)
        n_evaluations = self._graph.n_evaluations
        level = self._sampling.level if self._measuring.is_attached else "structure"
        self._ended = None
        if self._graph.is_attached:
            self._end()  # where it fails the step is recorded without its graph
        ended = self._ended
        passes = (*([Pass("forward", count=n_evaluations)] if n_evaluations else ()), *self._passes)
        record = StepRecord(
            self._index,
            None if ended is None else ended.structure,
            () if ended is None else ended.evaluated,
            phase,
            optimizer,
            time.time_ns() - duration_ns,
            duration_ns,
            level,
            passes,
            self._scalars.take(self._index, optimizer if self._optimizers.are_several else None),
        )
        self._writer.append(record)
        if ended is not None and ended.lines is not None:
            self._writer.append(SourceRecord(ended.structure, tuple(ended.lines)))
        return record

    def _put_rest(self, opened: StepRecord, phase: str) -> StepRecord:
        """What a step that is on the tape already has come to since: its whole duration, other learning rates."""
        duration_ns = time.perf_counter_ns() - self._begun_ns
        self._scalars.set("step_secs", duration_ns / 1e9)
        new = self._scalars.take(self._index)
        changed = {name: value for name, value in new.items() if opened.scalars.get(name) != value}
        whole = replace(opened, phase=phase, duration_ns=duration_ns)
        self._writer.append(replace(whole, scalars=changed))
        return replace(whole, scalars={**opened.scalars, **changed})

    def _end_graph(self) -> None:
        ended = self._graph.end()
        found = self._not_finite.loss_event(ended, self._graph.line)
        if found is not None:
            self._event("not_finite", **found)
        self._put_bad_loss(self._not_finite.unexplained())
        self._ended = ended

    def _take_measurements(self) -> None:
        try:
            if self._ended is not None:
                self._measuring.take(self._index, self._ended)
                if self._identify is not None:
                    self._identify(self._ended, self._graph)
        finally:
            self._graph.clear()

    def _sample(self) -> None:
        """Attach or detach for the step that begins."""
        if not self._is_capturing:
            return
        if self._sampling.takes_graph(self._index):
            self._graph.attach(self._guard)
        else:
            self._graph.detach()
        if self._sampling.measures(self._index):
            self._measuring.attach(self._guard)

    def settle(self) -> None:
        """Wait until all that happened so far is on the tape, numbers from an accelerator included."""
        self._append_arrived(wait=True)
        self._writer.flush()

    def _close_evaluations(self) -> None:
        """Forward-only passes after the last step: an event, or, where nothing was trained at all, the only step."""
        if self._graph.n_evaluations and self._index == 0:
            self._append_step(None, "eval")
        elif self._graph.n_evaluations:
            modules = sorted({call.path or call.class_name for call in self._graph.evaluated() if call.parent is None})
            self._event("evaluated", passes=self._graph.n_evaluations, modules=modules)

    def _append_arrived(self, wait: bool = False) -> None:
        for name, step, value in self._scalars.arrived(wait):
            self._writer.append(ScalarRecord(step, name, value))
            self._control.history.append({name: value})
            if name == "loss":
                self._not_finite.arrived(step, value)
        for step, statistics in self._measuring.arrived(wait):
            self._writer.append(StatisticsRecord(step, statistics))
            found = self._not_finite.gradient_event(statistics)
            if found is not None:
                self._writer.append(EventRecord("not_finite", step, time.time_ns(), found))

    def _put_bad_loss(self, loss: BadLoss | None) -> None:
        if loss is not None:
            self.put_event(loss.step, "not_finite", **loss.data)

    def _event(self, kind: str, **data: object) -> None:
        self.put_event(self._index, kind, **data)

    def put_event(self, step: int, kind: str, **data: object) -> None:
        self._writer.append(EventRecord(kind, step, time.time_ns(), data))

    @property
    def index(self) -> int:
        """The step being formed."""
        return self._index

    @property
    def shown_index(self) -> int:
        """The last step on the tape, which a paused app shows: the one that closed, or one that stopped before its
        optimizer."""
        return self._index - 1 if self._early is None else self._index

    def _start_clock(self) -> None:
        self._begun_ns = time.perf_counter_ns()

    def _guard(self, hook: Callable[..., None]) -> Callable[..., None]:
        return guarded(hook, self._capture_failed, self.options.strict)

    def _guard_alone(self, hook: Callable[..., None]) -> Callable[..., None]:
        """Where the hook fails, the rest goes on."""
        return guarded(hook, self._hook_failed, self.options.strict)

    def _capture_failed(self, hook: str, trace: str) -> None:
        """From here on steps are recorded without their graphs."""
        self._is_capturing = False
        self._measuring.detach()
        self._graph.detach()
        self._hook_failed(hook, trace)

    def _hook_failed(self, hook: str, trace: str) -> None:
        self._event("capture_failed", hook=hook, traceback=trace)

    def _open(self, command: list[str], rank: Rank | None) -> Writer:
        try:
            facts = run_facts(command, self._server.file if self._server else None, rank)
            return Writer(self.path, facts, self.options.kept)
        except BaseException:
            if self._server is not None:
                self._server.close()
            raise


def _how_to_continue(path: Path) -> str:
    return f"To look: tapescope open {path}. To go on: tapescope continue {path}"


def _listen(control: RunControl) -> ControlServer | None:
    """A recording that cannot be controlled (no place for a socket) is still a recording."""
    try:
        return ControlServer(control)
    except (OSError, ControlError) as error:
        print(f"tapescope: recording without run control: {error}", file=sys.stderr)
        return None
