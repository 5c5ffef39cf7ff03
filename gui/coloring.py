"""What a colouring is given, and what it makes of it: the contract of the files in `gui/colorings/`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gui.theme import Swatch, Theme
from tracer.model.statistics import Statistics
from tracer.model.view import Box


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One line of the legend; `mark` is the badge of a state, "" for a colour; `trait` that of the boxes meant."""

    label: str
    swatch: Swatch
    mark: str = ""
    is_ghost: bool = False
    trait: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is coloured: the boxes as the step has them, the step's graph, what was measured in it (None: nothing).

    `is_present` (n,) tells the boxes of which the step has something; the others are not asked about.
    """

    boxes: tuple[Box, ...]
    is_present: NDArray[np.bool_]
    graph: nx.MultiDiGraph
    statistics: Statistics | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Coloration:
    """Colours of boxes: `colors` uint8 (n,) are indices into `swatches`; `legend` explains those that occur."""

    colors: NDArray[np.uint8]
    swatches: tuple[Swatch, ...]
    legend: tuple[LegendEntry, ...]


class Coloring(Protocol):
    """A file of `gui/colorings/`."""

    NAME: str
    TITLE: str

    def colored(self, subject: Subject, theme: Theme) -> Coloration:
        """The colours of the boxes that are present; the other rows do not matter."""


def by_label(
    subject: Subject,
    label_of: Callable[[Box, nx.MultiDiGraph], str],
    swatch_of: Callable[[str, int, Theme], Swatch],
    theme: Theme,
) -> Coloration:
    """Boxes sorted into labelled categories; `swatch_of` is told how many categories came before."""
    colors = np.zeros(len(subject.boxes), dtype=np.uint8)
    index_of: dict[str, int] = {}
    for row in np.flatnonzero(subject.is_present).tolist():
        label = label_of(subject.boxes[row], subject.graph)
        colors[row] = index_of.setdefault(label, min(len(index_of), 249))
    swatches = tuple(swatch_of(label, order, theme) for order, label in enumerate(index_of))
    return Coloration(colors, swatches, _entries(index_of, swatches))


def _entries(labels: Iterable[str], swatches: tuple[Swatch, ...]) -> tuple[LegendEntry, ...]:
    return tuple(LegendEntry(label, swatch) for label, swatch in zip(labels, swatches, strict=True))
