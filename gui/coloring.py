"""What a colouring is given, and what it makes of it: the contract of the files in `gui/colorings/`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gui import format as fmt
from gui.box_index import BoxIndex, index_of
from gui.scales import Scale, Tick, alarm_swatch, ramp, steady_scale
from gui.theme import Swatch, Theme
from tracer.model.statistics import Statistics, Table
from tracer.model.view import Box

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ALARM = "!"
"""The mark of a box whose value is NaN or infinite."""

LOOP = "↻"
"""The mark of what leads on to the next copy of a fold: a link against the flow, a box that feeds itself."""

MOST_LABELS = 250
"""Colours are bytes, and some belong to the states; what comes later shares the last one's."""

UNMEASURED = "Not measured in this step; record with --level {0}"


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One line of the legend; `mark` is the badge of a state or an alarm, "" for a colour; `trait` that of the boxes
    meant."""

    label: str
    swatch: Swatch
    mark: str = ""
    is_ghost: bool = False
    trait: str = ""


@dataclass(frozen=True, slots=True)
class ColorBar:
    """The colours of a scale from little to much, and the numbers under it."""

    colors: tuple[str, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is coloured: the boxes as the step has them, the step's graph, what was measured in it (None: nothing).

    `is_present` (n,) tells the boxes of which the step has something; the others are not asked about.
    """

    boxes: tuple[Box, ...]
    is_present: Bools
    graph: nx.MultiDiGraph
    statistics: Statistics | None = None

    @property
    def index(self) -> BoxIndex:
        """What the boxes stand for; the same for all steps of one graph."""
        return index_of(self.boxes, self.graph)

    def is_measured(self, table: str, column: str) -> bool:
        """Whether the step's statistics have such a column."""
        return self.statistics is not None and column in getattr(self.statistics, table).columns

    def measured(self, table: str, column: str) -> tuple[tuple[str, ...], Floats]:
        """The keys of a table of the statistics, the values of one of its columns; none where it was not measured."""
        if not self.is_measured(table, column):
            return (), np.empty(0)
        found: Table = getattr(self.statistics, table)
        return found.keys, found.column(column)


@dataclass(frozen=True, slots=True, eq=False)
class Coloration:
    """Colours of boxes: `colors` uint8 (n,) are indices into `swatches`; `legend` explains those that occur, `bar` the
    colours of a scale.

    `alarms` bool (n,), or empty, tells the boxes that get the mark ALARM beside their colour. `note` is what else the
    legend says in one sentence; `is_unmeasured` where it says why nothing is coloured.
    """

    colors: NDArray[np.uint8]
    swatches: tuple[Swatch, ...]
    legend: tuple[LegendEntry, ...]
    title: str = ""
    bar: ColorBar | None = None
    note: str = ""
    is_unmeasured: bool = False
    alarms: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


class Coloring(Protocol):
    """A file of `gui/colorings/`. Those that colour by number stand in a `GROUP` after "structure", and say in LEVEL
    what a step must have been recorded at: "structure", "statistics" or "full"."""

    NAME: str
    TITLE: str
    GROUP: str
    ORDER: int  # in the group
    LEVEL: str

    def colored(self, subject: Subject, theme: Theme) -> Coloration:
        """The colours of the boxes that are present; the other rows do not matter."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """How numbers are coloured and told. `text` writes one on the colour bar.

    `scale` is for quantities whose bounds are known; the others have one from the smallest to the largest number. Zero
    has a colour of its own, as on a logarithmic scale it has no place, but not between two signs. `lacking`, `zero` and
    `spoilt` are said of the boxes without a number, of those that have zero, and of those with an alarm instead.
    `folds` says what the number of a fold is: its copies' "sum", "greatest" or "mean".
    """

    text: Callable[[float], str]
    folds: str
    ramp: str = "viridis"
    is_log: bool = True
    is_signed: bool = False
    is_binary: bool = False
    scale: Scale | None = None
    lacking: str = "Not measured"
    zero: str = "Zero"
    spoilt: str = "NaN or Inf"


def by_number(
    subject: Subject, quantity: Quantity, theme: Theme, values: Floats, spoilt: Bools, marked: Bools | None = None
) -> Coloration:
    """Boxes by a number each, float64 (n,), NaN for none.

    Those that are `spoilt`, bool (n,), have the colour and the mark of an alarm; those `marked` the mark alone.
    """
    alarms = spoilt & subject.is_present
    numbers = np.where(subject.is_present & ~alarms & np.isfinite(values), values, np.nan)
    scale = quantity.scale or steady_scale(
        numbers, is_log=quantity.is_log, is_signed=quantity.is_signed, is_binary=quantity.is_binary
    )
    colors = np.zeros(len(values), dtype=np.uint8)
    if scale is not None:
        colors = np.where(np.isnan(numbers), _NONE, scale.entries(numbers) + _FIRST).astype(np.uint8)
    if not quantity.is_signed:
        colors[numbers == 0] = _ZERO
    colors[alarms] = _ALARM
    swatches = (theme.neutral, alarm_swatch(theme), theme.kinds["module"], *ramp(quantity.ramp, theme))
    counts = np.bincount(colors[subject.is_present], minlength=_FIRST)
    bar = None
    if scale is not None and counts[_FIRST:].any():
        bar = ColorBar(tuple(swatch.fill for swatch in swatches[_FIRST:]), scale.ticks(quantity.text))
    labels = {
        _ALARM: f"{quantity.spoilt}: {fmt.plural(int(counts[_ALARM]), 'box', 'boxes')}",
        _ZERO: quantity.zero,
        _NONE: quantity.lacking,
    }
    legend = tuple(
        LegendEntry(label, swatches[color], mark=ALARM if color == _ALARM else "")
        for color, label in labels.items()
        if counts[color]
    )
    note = _fold_note(subject, quantity, colors)
    if marked is not None:
        alarms = alarms | (marked & subject.is_present)
    return Coloration(colors, swatches, legend, bar=bar, note=note, alarms=alarms)


def nowhere(subject: Subject) -> Bools:
    """No box at all, bool (n,)."""
    return np.zeros(len(subject.boxes), dtype=np.bool_)


def unmeasured(subject: Subject, level: str, theme: Theme) -> Coloration:
    """Of a step that was not recorded at the level: nothing is coloured, and the legend says why."""
    colors = np.zeros(len(subject.boxes), dtype=np.uint8)
    return Coloration(colors, (theme.neutral,), (), note=UNMEASURED.format(level), is_unmeasured=True)


_NONE, _ALARM, _ZERO, _FIRST = range(4)
_FOLD_NOTES = {
    "sum": "×n: sum of all copies",
    "greatest": "×n: greatest of all copies",
    "mean": "×n: mean of all copies",
}


def _fold_note(subject: Subject, quantity: Quantity, colors: NDArray[np.uint8]) -> str:
    is_told = bool((subject.index.is_folded & subject.is_present & (colors != _NONE)).any())
    return _FOLD_NOTES[quantity.folds] if is_told else ""


def by_label(
    subject: Subject,
    name: str,
    label_of: Callable[[Box, nx.MultiDiGraph], str],
    swatch_of: Callable[[str, int, Theme], Swatch],
    theme: Theme,
) -> Coloration:
    """Boxes sorted into labelled categories; `swatch_of` is told how many categories came before.

    A box has its label for as long as the graph is there: labels are asked for once, and are kept under `name`.
    """
    numbers, labels = subject.index.labels(name, lambda box: label_of(box, subject.graph))
    colors = np.minimum(numbers, MOST_LABELS - 1).astype(np.uint8)
    swatches = tuple(swatch_of(label, order, theme) for order, label in enumerate(labels[:MOST_LABELS]))
    occurring = np.flatnonzero(np.bincount(numbers[subject.is_present], minlength=len(labels))).tolist()
    legend = (LegendEntry(labels[number], swatches[min(number, MOST_LABELS - 1)]) for number in occurring)
    return Coloration(colors, swatches, tuple(legend))
