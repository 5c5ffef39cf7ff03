"""What the canvas shows: a layout, and how each box and link of it stands in the current step.

The layout is that of the union of the structures seen, so that going from step to step moves nothing: what the
step lacks stays in its place as a ghost.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gui.canvas.colors import colored
from gui.canvas.fit import Fit, fit
from gui.canvas.frame_states import frame_states
from gui.canvas.states import Diff, box_states
from gui.coloring import Coloration, Coloring, LegendEntry
from gui.theme import Swatch, Theme
from tracer.layout.result import Layout
from tracer.model.call_tree import Call
from tracer.model.statistics import Statistics
from tracer.model.view import Box, Group


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A layout coloured for one step.

    `states`, uint8 (n,), follow the boxes of `fit`, as `coloration` does; `group_states`, uint8 (m,), its frames.
    `changes_only` tells that what did not change is to step back, links too; `shows_ghosts` that what the step lacks
    is drawn in its place.
    """

    fit: Fit
    states: NDArray[np.uint8]
    group_states: NDArray[np.uint8]
    coloration: Coloration
    changes_only: bool = False
    shows_ghosts: bool = True

    @property
    def layout(self) -> Layout:
        return self.fit.layout

    @property
    def colors(self) -> NDArray[np.uint8]:
        """Indices into `swatches`."""
        return self.coloration.colors

    @property
    def swatches(self) -> tuple[Swatch, ...]:
        return self.coloration.swatches

    @property
    def legend(self) -> tuple[LegendEntry, ...]:
        return self.coloration.legend

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes as this step has them."""
        return self.fit.boxes

    @property
    def groups(self) -> tuple[Group, ...]:
        return self.fit.groups

    @property
    def graph(self) -> nx.MultiDiGraph:
        """The step's."""
        return self.fit.graph

    @property
    def calls(self) -> Mapping[str, Call]:
        return self.fit.calls

    @property
    def links_present(self) -> NDArray[np.bool_]:
        return self.fit.links_present


def scene_for(
    layout: Layout,
    graph: nx.MultiDiGraph,
    diff: Diff | None,
    coloring: Coloring,
    theme: Theme,
    statistics: Statistics | None = None,
) -> Scene:
    """The layout as the step with this graph shows it; `diff` leads to it from the step shown before, if any was."""
    return scene_of(fit(layout, graph), diff, coloring, theme, statistics)


def scene_of(
    fit: Fit, diff: Diff | None, coloring: Coloring, theme: Theme, statistics: Statistics | None = None
) -> Scene:
    """The same where it is known how the layout fits the graph."""
    states = box_states(fit, diff)
    groups = frame_states(fit, states, diff)
    return Scene(fit, states, groups, colored(fit, states, groups, coloring, statistics, theme))
