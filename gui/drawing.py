"""What the window asks of the worker that draws, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import networkx as nx

from gui.canvas.scene import Scene
from gui.colorings import DEFAULT
from gui.comparison import Counterpart
from gui.source_lines import Lines
from gui.theme import Theme
from tracer import Cause, GraphDiff, Step
from tracer.model.call_tree import Call
from tracer.model.focus import Focus
from tracer.model.statistics import Statistics

LATE_STEPS = 4
"""So many steps later source lines, or numbers from an accelerator, may still come."""

ON_THE_WAY = "The numbers of this step are still on their way from the accelerator"


@dataclass(frozen=True, slots=True)
class DrawingOptions:
    """What of a graph is drawn, and how. `open_calls` are keys of module calls, None for the default depth; `unfolded`
    those of folds that are taken apart.

    `side_by_side` asks for the compared step as well; `changes_only` for what did not change to step back;
    `shows_ghosts` for what the step lacks, in its place; `focus` for nothing but what is near something.
    """

    shows_parameters: bool = True
    shows_bookkeeping: bool = False
    shows_forward_only: bool = True
    open_calls: frozenset[str] | None = None
    coloring: str = DEFAULT
    side_by_side: bool = False
    changes_only: bool = False
    shows_ghosts: bool = True
    focus: Focus | None = None
    folds_repeats: bool = True
    unfolded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """What to draw. `compared_step` is the step shown before, -1 for none."""

    step: int
    compared_step: int
    options: DrawingOptions
    theme: Theme


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """The answer. `diff` leads from the compared step to this one, if there is one; `calls` are all calls ever seen,
    `call_tree` says how they lie in each other.

    `statistics` is None where the step was not measured, or what was measured is not there: then `missing` says why.
    `compared` is the compared step, where it is to be drawn beside; `before` its graph, and `compared_lines` its source
    lines, wherever there is a `diff`.
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
    before: nx.MultiDiGraph | None = None
    call_tree: Mapping[str, Call] = field(default_factory=dict)
    compared_lines: Mapping[str, Lines] | None = None

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


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Why the step of a drawing differs from the compared one, the most telling cause first; comes after it."""

    drawing: Drawing
    causes: tuple[Cause, ...]


def inside_of(drawing: Drawing | None, key: str) -> nx.MultiDiGraph | None:
    """The graph that a node of the drawn step stands for, None where it hides none, or none is known."""
    if drawing is None or key not in drawing.graph:
        return None
    inside: nx.MultiDiGraph | None = drawing.graph.nodes[key].get("inside")
    return inside
