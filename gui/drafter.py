"""From a step to what the canvas shows: union of the structures seen, view, layout, scene. No widget; runs in a worker.

The layout is that of the union, so going from step to step moves nothing; it is made anew when the union grows or other
modules are open, and then starts from the one before. Whatever several steps share is made once.
"""

from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace

import networkx as nx

from gui import foresight
from gui.canvas.emphasis import changes_only
from gui.canvas.figure import figure_of
from gui.canvas.fit import Fit, fit, fit_against
from gui.canvas.scene import Scene, scene_of
from gui.colorings import colorings
from gui.comparison import NOTHING_BEFORE, Counterpart, scene_before
from gui.drawing import LATE_STEPS, ON_THE_WAY, Drawing, DrawingOptions, Explained, Question, Undrawn
from gui.facts import graph_rows
from gui.foresight import Foresight
from gui.models.modules import call_rows
from gui.recent import Recent
from gui.source_lines import lines_of
from gui.step_graphs import StepGraphs, key_of
from tracer import GraphDiff, Step, Tape
from tracer.errors import TapeError
from tracer.layout import Layout, LayoutCache, lay_out
from tracer.model.call_tree import call_tree
from tracer.model.focus import Focus, focused_on
from tracer.model.statistics import Statistics
from tracer.model.step_table import StepTable
from tracer.model.union import Union
from tracer.model.view_builder import ViewOptions, build_view, default_open

CACHED_LAYOUTS, CACHED_FITS, CACHED_SCENES = 12, 48, 48


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured in `step`; None where nothing was, or it is not there: then `missing` says why."""

    statistics: Statistics | None
    step: int = -1
    missing: str = ""


class Drafter:
    """Draws steps of one tape, in the thread that made it."""

    def __init__(
        self,
        tape: Tape,
        cancelled: Callable[[], bool],
        progress: Callable[[float], None] | None = None,
        steps_read: deque[StepTable] | None = None,
    ) -> None:
        """`steps_read` gets what another thread reads of the tape's steps, which saves reading them here."""
        self._tape = tape
        self._steps_read = steps_read
        self._cancelled = cancelled
        self._progress = progress
        self._graphs = StepGraphs(tape)
        self._union = Union()
        self._in_union: set[Hashable] = set()
        self._foresight = Foresight()
        self._is_outdated = False
        self._layouts: Recent[Layout] = Recent(CACHED_LAYOUTS)
        self._fits: Recent[Fit] = Recent(CACHED_FITS)
        self._scenes: Recent[Scene] = Recent(CACHED_SCENES)
        self._opened: Recent[frozenset[str]] = Recent(CACHED_LAYOUTS)
        self._opened_before: dict[Hashable, frozenset[str]] = {}
        self._calls: frozenset[str] = frozenset()
        self._last_layout: Layout | None = None
        self._layout_cache = LayoutCache()

    def draw(self, question: Question) -> Drawing:
        """Raises TapeError where the step's graph was not recorded, `tracer.layout.Cancelled` when no longer wanted."""
        self._is_outdated = False
        self._catch_up()
        self._foresee(foresight.FORESEEN_AT_ONCE)
        step = self._tape.step(question.step)
        compared = self._compared(question)
        before = compared if compared is not None and self._has_graph(compared) else None
        self._add(step)
        changes = None
        if before is not None and before.index != step.index:
            changes = self._graphs.diff(before, step)
        if before is not None and changes is not None:
            self._add(before)
        self._is_outdated = False
        view_options = self._view_options(question.options)
        layout = self._layout(view_options, question.options.focus)
        measured = self._measured(step)
        scene = self._scene(layout, step, before if changes is not None else None, changes, question, measured)
        # Made here once for each graph, so that no dock makes them in the window's thread.
        graph_rows(scene.graph), call_rows(scene.graph), lines_of(scene.graph)
        graph_before = self._graphs.of(before) if before is not None and changes is not None else None
        return Drawing(
            question,
            step,
            scene.graph,
            changes,
            changes_only(scene, question.theme) if question.options.changes_only and changes is not None else scene,
            view_options.open_groups,
            self._known_calls(),
            self._graphs.has_lines(step),
            measured.statistics,
            measured.missing,
            measured.step,
            self._counterpart(question, scene, compared) if question.options.side_by_side else None,
            before=graph_before,
            call_tree=call_tree(self._union.graph),
            compared_lines=None if graph_before is None else lines_of(graph_before),
        )

    def explain(self, drawing: Drawing) -> Explained:
        """Why the drawn step differs from the compared one: takes as long as to find that it does."""
        if drawing.diff is None:
            return Explained(drawing, ())
        before = self._tape.step(drawing.question.compared_step)
        return Explained(drawing, self._graphs.causes(before, drawing.step))

    def look_ahead(self) -> bool:
        """Takes in one structure that was not asked for yet; whether there was one."""
        return self._foresee(1)

    @property
    def is_outdated(self) -> bool:
        """Whether the last drawing would be another one by now: since then it was looked ahead."""
        return self._is_outdated

    def undrawn(self, question: Question, why: str) -> Undrawn:
        """What there is of a step that cannot be drawn."""
        try:
            return Undrawn(question, self._tape.step(question.step), why)
        except (TapeError, IndexError):
            return Undrawn(question, None, why)

    def fit(self, layout: Layout, graph: nx.MultiDiGraph) -> Fit:
        """How a layout fits a graph; the same object for all steps that share it."""
        return self._fits.get((layout, graph), lambda: fit(layout, graph))

    def _fit_against(self, fitted: Fit, before: nx.MultiDiGraph) -> Fit:
        return self._fits.get((fitted, before), lambda: fit_against(fitted, set(before)))

    def _catch_up(self) -> None:
        if self._steps_read is None:
            self._foresight.note(self._tape.refresh(with_scalars=False).steps)
            return
        self._tape.catch_up()
        while self._steps_read:
            self._foresight.note(self._steps_read.popleft())

    def _known_calls(self) -> frozenset[str]:
        if not self._calls:
            self._calls = frozenset(call["key"] for call in self._union.graph.graph["module_calls"])
        return self._calls

    def _compared(self, question: Question) -> Step | None:
        return self._tape.step(question.compared_step) if question.compared_step >= 0 else None

    def _has_graph(self, step: Step) -> bool:
        """Whether it was recorded, and is still there."""
        try:
            self._graphs.of(step)
        except TapeError:
            return False
        return True

    def _scene(
        self,
        layout: Layout,
        step: Step,
        before: Step | None,
        changes: GraphDiff | None,
        question: Question,
        measured: Measured,
    ) -> Scene:
        """The same object wherever nothing of it would differ."""
        fitted = self.fit(layout, self._graphs.of(step))
        if before is not None:
            fitted = self._fit_against(fitted, self._graphs.of(before))
        numbers = None if measured.statistics is None else measured.step
        compared = None if before is None else key_of(before)
        options = question.options
        key = fitted, compared, options.coloring, options.shows_ghosts, question.theme.name, numbers

        def make() -> Scene:
            coloring = colorings()[options.coloring]
            scene = scene_of(fitted, changes, coloring, question.theme, measured.statistics)
            return replace(scene, shows_ghosts=options.shows_ghosts)

        return self._scenes.get(key, make)

    def _counterpart(self, question: Question, scene: Scene, step: Step | None) -> Counterpart:
        if step is None:
            return Counterpart(None, None, NOTHING_BEFORE)
        try:
            fitted = self.fit(scene.layout, self._graphs.of(step))
        except TapeError as error:
            return Counterpart(step, None, str(error))
        statistics = None
        with suppress(TapeError):
            statistics = self._tape.statistics(step.index)
        coloring = colorings()[question.options.coloring]
        before = scene_before(scene, fitted, coloring, question.theme, statistics)
        before = replace(before, shows_ghosts=scene.shows_ghosts)
        return Counterpart(step, changes_only(before, question.theme) if question.options.changes_only else before)

    def _measured(self, step: Step) -> Measured:
        try:
            return Measured(self._tape.statistics(step.index), step.index)
        except TapeError as error:
            return self._measured_earlier(step, str(error))

    def _measured_earlier(self, step: Step, why: str) -> Measured:
        """In a step of the same structure just before, while the numbers of the step are still on their way."""
        if len(self._tape) - 1 - step.index >= LATE_STEPS or self._tape.state != "live":
            return Measured(None, missing=why)
        for index in range(step.index - 1, max(step.index - LATE_STEPS, 0) - 1, -1):
            with suppress(TapeError):
                earlier = self._tape.step(index)
                if (earlier.topology_id, earlier.level) == (step.topology_id, step.level):
                    return Measured(self._tape.statistics(index), index, ON_THE_WAY)
        return Measured(None, missing=ON_THE_WAY)

    def _foresee(self, node_count: int) -> bool:
        """Take in structures until so many nodes were read; whether there was any to take in."""
        read = 0
        while read < node_count and (index := self._foresight.next(len(self._union))) is not None:
            read += 1
            with suppress(TapeError):
                step = self._tape.step(index)
                self._add(step)
                read += len(self._graphs.of(step))
        return read > 0

    def _add(self, step: Step) -> None:
        """Take the graph of a step into the union, which looks at every edge: once for all steps that share it."""
        graph, key = self._graphs.of(step), key_of(step)
        if key in self._in_union:
            return
        self._in_union.add(key)
        if self._union.add(graph, step.topology_id):
            for made in (self._layouts, self._fits, self._scenes, self._opened):
                made.clear()
            self._calls = frozenset()
            self._is_outdated = True

    def _view_options(self, options: DrawingOptions) -> ViewOptions:
        opened = options.open_calls
        if opened is None:
            opened = self._default_open(options)
        return ViewOptions(
            opened,
            options.shows_parameters,
            options.shows_bookkeeping,
            options.shows_forward_only,
            options.folds_repeats,
            options.unfolded,
        )

    def _default_open(self, options: DrawingOptions) -> frozenset[str]:
        """What was open by default stays so while the union grows, as long as that is good to look at."""
        key = options.shows_parameters, options.shows_bookkeeping, options.folds_repeats, options.unfolded

        def choose() -> frozenset[str]:
            opened = default_open(
                self._union.graph,
                show_parameters=options.shows_parameters,
                show_bookkeeping=options.shows_bookkeeping,
                folds_repeats=options.folds_repeats,
                unfolded=options.unfolded,
                before=self._opened_before.get(key),
            )
            self._opened_before[key] = opened
            return opened

        return self._opened.get(key, choose)

    def _layout(self, options: ViewOptions, focus: Focus | None) -> Layout:
        self._last_layout = self._layouts.get((options, focus), lambda: self._lay_out(options, focus))
        return self._last_layout

    def _lay_out(self, options: ViewOptions, focus: Focus | None) -> Layout:
        view = focused_on(build_view(self._union.graph, options), self._union.graph, focus)
        layout = lay_out(
            view, self._last_layout, cache=self._layout_cache, cancelled=self._cancelled, progress=self._progress
        )
        figure_of(layout)
        return layout
