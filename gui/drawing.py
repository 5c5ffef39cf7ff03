"""From a step to what the canvas shows: union of the structures seen, view, layout, scene. No widget; runs in a worker.

The layout is that of the union, so going from step to step moves nothing; it is made anew when the union grows or other
modules are open, and then starts from the one before.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace

import networkx as nx

from gui.canvas.emphasis import changes_only
from gui.canvas.scene import Scene, scene_for
from gui.colorings import colorings
from gui.comparison import NOTHING_BEFORE, Counterpart, scene_before
from gui.theme import Theme
from tracer import GraphDiff, Step, Tape
from tracer.errors import TapeError
from tracer.layout import Layout, LayoutCache, lay_out
from tracer.model.diff import diff, diff_of_calls
from tracer.model.statistics import Statistics
from tracer.model.union import Union
from tracer.model.view_builder import ViewOptions, build_view, default_open

LATE_STEPS = 4
"""So many steps later source lines, or numbers from an accelerator, may still come."""

ON_THE_WAY = "The numbers of this step are still on their way from the accelerator"

CACHED_GRAPHS = 64
CACHED_LAYOUTS = 12
FORESEEN_STRUCTURES, FORESEEN_NODES = 48, 4_000
"""So much of what the tape holds is laid out before it is asked for, so that going there moves nothing."""


@dataclass(frozen=True, slots=True)
class DrawingOptions:
    """What of a graph is drawn, and how. `open_calls` are keys of module calls, None for the default depth.

    `side_by_side` asks for the compared step as well; `changes_only` for what did not change to step back.
    """

    shows_parameters: bool = True
    shows_bookkeeping: bool = False
    shows_forward_only: bool = True
    open_calls: frozenset[str] | None = None
    coloring: str = "kind"
    side_by_side: bool = False
    changes_only: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What to draw. `compared_step` is the step shown before, -1 for none."""

    step: int
    compared_step: int
    options: DrawingOptions
    theme: Theme


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """The answer. `diff` leads from the compared step to this one, if there is one; `calls` are all calls ever seen.

    `statistics` is None where the step was not measured, or what was measured is not there: then `missing` says why.
    `compared` is the compared step, where it is to be drawn beside.
    Numbers on an accelerator come a step later: of the latest step those of `measured_step` before it are shown.
    """

    question: Question
    step: Step
    graph: nx.MultiDiGraph
    diff: GraphDiff | None
    scene: Scene
    open_calls: frozenset[str]
    calls: frozenset[str]
    has_lines: bool = False
    statistics: Statistics | None = None
    missing: str = ""
    measured_step: int = -1
    compared: Counterpart | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the step can still come: source lines and numbers from an accelerator may be late."""
        return self.has_lines and not self.missing


@dataclass(frozen=True, slots=True)
class Undrawn:
    """Why the question has no drawing, in one sentence; `step` is what is known without a graph, None for nothing."""

    question: Question
    step: Step | None
    why: str


def inside_of(drawing: Drawing | None, key: str) -> nx.MultiDiGraph | None:
    """The graph that a node of the drawn step stands for, None where it hides none, or none is known."""
    if drawing is None or key not in drawing.graph:
        return None
    inside: nx.MultiDiGraph | None = drawing.graph.nodes[key].get("inside")
    return inside


class Drafter:
    """Draws steps of one tape, in the thread that made it."""

    def __init__(self, tape: Tape, cancelled: Callable[[], bool]) -> None:
        self._tape = tape
        self._cancelled = cancelled
        self._union = Union()
        self._foreseen_keys: set[tuple[str, int]] = set()
        self._graphs: OrderedDict[Hashable, tuple[bytes | None, nx.MultiDiGraph]] = OrderedDict()
        self._layouts: OrderedDict[ViewOptions, Layout] = OrderedDict()
        self._last_layout: Layout | None = None
        self._layout_cache = LayoutCache()

    def draw(self, question: Question) -> Drawing:
        """Raises TapeError where the step's graph was not recorded, `tracer.layout.Cancelled` when no longer wanted."""
        self._foresee(self._tape.refresh().steps)
        step = self._tape.step(question.step)
        graph = self._graph(step)
        changes = self._diff(question.compared_step, step, graph)
        self._add(graph, step)
        if changes is not None:
            before = self._tape.step(question.compared_step)
            self._add(self._graph(before), before)
        options = self._view_options(question.options)
        layout = self._layout(options)
        coloring = colorings()[question.options.coloring]
        scene = scene_for(layout, graph, changes, coloring, question.theme)
        compared = self._counterpart(question, scene) if question.options.side_by_side else None
        if question.options.changes_only and changes is not None:
            scene = changes_only(scene, question.theme)
        calls = frozenset(call["key"] for call in self._union.graph.graph["module_calls"])
        has_lines = self._graphs[_graph_key(step)][0] is not None
        drawing = Drawing(question, step, graph, changes, scene, options.open_groups, calls, has_lines)
        drawing = replace(drawing, compared=compared)
        try:
            return replace(drawing, statistics=self._tape.statistics(step.index), measured_step=step.index)
        except TapeError as error:
            return self._with_earlier_statistics(drawing, str(error))

    def undrawn(self, question: Question, why: str) -> Undrawn:
        """What there is of a step that cannot be drawn."""
        try:
            return Undrawn(question, self._tape.step(question.step), why)
        except (TapeError, IndexError):
            return Undrawn(question, None, why)

    def _with_earlier_statistics(self, drawing: Drawing, why: str) -> Drawing:
        """With those of a step of the same structure just before, while those of the step are still on their way."""
        latest, step = len(self._tape) - 1, drawing.step
        if latest - step.index >= LATE_STEPS or self._tape.state != "live":
            return replace(drawing, missing=why)
        for index in range(step.index - 1, max(step.index - LATE_STEPS, 0) - 1, -1):
            with suppress(TapeError):
                earlier = self._tape.step(index)
                if (earlier.topology_id, earlier.level) == (step.topology_id, step.level):
                    statistics = self._tape.statistics(index)
                    return replace(drawing, statistics=statistics, measured_step=index, missing=ON_THE_WAY)
        return replace(drawing, missing=ON_THE_WAY)

    def _foresee(self, steps: tuple[Step, ...]) -> None:
        """Take structures, and what runs without grad beside them, into the union before they are shown, in the order
        of the tape, while it stays small."""
        for step in steps:
            if len(self._foreseen_keys) >= FORESEEN_STRUCTURES or len(self._union) >= FORESEEN_NODES:
                return
            key = step.topology_id, _evaluations(step)
            if step.topology_id and key not in self._foreseen_keys:
                self._foreseen_keys.add(key)
                self._add(self._graph(step), step)

    def _add(self, graph: nx.MultiDiGraph, step: Step) -> None:
        if self._union.add(graph, step.topology_id):
            self._layouts.clear()

    def _graph(self, step: Step) -> nx.MultiDiGraph:
        key, lines = _graph_key(step), self._tape.lines_digest(step.index)
        if key not in self._graphs or self._graphs[key][0] != lines:
            self._graphs[key] = lines, self._tape.graph(step.index)
            if len(self._graphs) > CACHED_GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        return self._graphs[key][1]

    def _diff(self, compared_step: int, step: Step, graph: nx.MultiDiGraph) -> GraphDiff | None:
        if compared_step < 0 or compared_step == step.index:
            return None
        before = self._tape.step(compared_step)
        if not before.topology_id:
            return None
        compare = diff_of_calls if before.shape_id == step.shape_id else diff
        return compare(self._graph(before), graph)

    def _counterpart(self, question: Question, scene: Scene) -> Counterpart:
        if question.compared_step < 0:
            return Counterpart(None, None, NOTHING_BEFORE)
        step = self._tape.step(question.compared_step)
        try:
            graph = self._graph(step)
        except TapeError as error:
            return Counterpart(step, None, str(error))
        statistics = None
        with suppress(TapeError):
            statistics = self._tape.statistics(step.index)
        coloring = colorings()[question.options.coloring]
        before = scene_before(scene, graph, coloring, question.theme, statistics)
        return Counterpart(step, changes_only(before, question.theme) if question.options.changes_only else before)

    def _view_options(self, options: DrawingOptions) -> ViewOptions:
        opened = options.open_calls
        if opened is None:
            opened = default_open(
                self._union.graph,
                show_parameters=options.shows_parameters,
                show_bookkeeping=options.shows_bookkeeping,
            )
        return ViewOptions(opened, options.shows_parameters, options.shows_bookkeeping, options.shows_forward_only)

    def _layout(self, options: ViewOptions) -> Layout:
        if options not in self._layouts:
            view = build_view(self._union.graph, options)
            self._layouts[options] = lay_out(
                view, self._last_layout, cache=self._layout_cache, cancelled=self._cancelled
            )
            if len(self._layouts) > CACHED_LAYOUTS:
                self._layouts.popitem(last=False)
        self._layouts.move_to_end(options)
        self._last_layout = self._layouts[options]
        return self._last_layout


def _graph_key(step: Step) -> Hashable:
    """Steps of one shape share their graph, unless forward-only passes add module calls of their own."""
    return step.index if _evaluations(step) else step.shape_id


def _evaluations(step: Step) -> int:
    return sum(one.kind == "forward" for one in step.passes)
