"""The ranks of a distributed job side by side, step by step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tracer.model.step_table import NONE, Ints

if TYPE_CHECKING:
    from tracer.store.reader import Tape


def aligned(tapes: Sequence["Tape"], name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(steps (n,), values (tapes, n)) of one scalar, NaN where a tape has none. KeyError where no tape has it."""
    series = [tape.series(name) if name in tape.scalars else None for tape in tapes]
    parts = [part for part in series if part is not None]
    if not parts:
        tapes[0].series(name)  # says which there are
    steps = np.unique(np.concatenate([steps for steps, _ in parts]))
    values = np.full((len(tapes), len(steps)), np.nan)
    for row, part in zip(values, series, strict=True):
        if part is not None:
            row[np.searchsorted(steps, part[0])] = part[1]
    return steps, values


def disagreements(tapes: Sequence["Tape"]) -> NDArray[np.int64]:
    """The steps, growing, at which the tapes have graphs of different topologies. What a tape has no graph of is not
    compared."""
    columns = [_topologies(tape) for tape in tapes]
    steps = np.unique(np.concatenate([steps for steps, *_ in columns]))
    first = np.full(len(steps), NONE)
    differ = np.zeros(len(steps), bool)
    numbers: dict[str, int] = {}
    for own_steps, topologies, texts in columns:
        shared = np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)[topologies]
        places = np.searchsorted(steps, own_steps)
        differ[places] |= (first[places] != NONE) & (first[places] != shared)
        first[places] = shared
    return steps[differ]


def _topologies(tape: "Tape") -> tuple[Ints, Ints, tuple[str, ...]]:
    """Of the steps with a graph their indices, and the numbers of their topologies in the texts that follow."""
    table = tape.table
    steps, topologies = table.column("steps"), table.column("topologies")
    has_graph = topologies != NONE
    return steps[has_graph], topologies[has_graph], table.names["topologies"].texts
