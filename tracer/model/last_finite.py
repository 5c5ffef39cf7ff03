"""The last step before a NaN or an Inf in which the op or parameter where it began was there, and all was finite.

A pure question to what was recorded, asked by readers; the training pays nothing for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from tracer.errors import TapeError
from tracer.model.records import Event, Step
from tracer.model.statistics import Statistics

MOST_STEPS, MOST_GRAPHS = 10_000, 16
"""How far back is looked, and in how many other structures: a structure is read in milliseconds."""


class Recorded(Protocol):
    """What is asked of a tape."""

    @property
    def scalars(self) -> list[str]: ...

    def series(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...

    def step(self, index: int) -> Step: ...

    def graph(self, index: int) -> nx.MultiDiGraph: ...

    def statistics(self, index: int) -> Statistics | None: ...


@dataclass(frozen=True, slots=True)
class LastFinite:
    """`measured` is the row of statistics of the module call, or of the parameter, `measured_key`; empty where the step
    was not measured."""

    step: int
    measured_key: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)


def last_finite(tape: Recorded, event: Event) -> LastFinite | None:
    """For an event `not_finite`; None where there is no such step, or it lies too far back. Raises TapeError where the
    tape is damaged."""
    for step in _steps_with_node(tape, event):
        key, row = _measured(tape, event, step)
        if event.data.get("what") != "gradient" or np.isfinite(row.get("grad_norm", 0.0)):
            return LastFinite(step.index, key, row)
    return None


def _steps_with_node(tape: Recorded, event: Event) -> Iterator[Step]:
    """Steps with a finite loss that have what the event names, the latest first. A structure is looked at once."""
    spoilt = _step(tape, event.step)
    known = {spoilt.topology_id: True} if spoilt is not None else {}
    key = _node_key(event)
    n_read = 0
    for index in _finite_steps(tape, event.step):
        step = _step(tape, index)
        if step is None or (key and not step.topology_id):
            continue
        has_node = not key or known.get(step.topology_id)
        if has_node is None and n_read < MOST_GRAPHS:
            n_read += 1
            has_node = known[step.topology_id] = _has(tape, index, key)
        if has_node:
            yield step


def _finite_steps(tape: Recorded, before: int) -> Sequence[int]:
    """Those of which every loss is finite, the latest first."""
    if "loss" not in tape.scalars:
        return ()
    steps, losses = tape.series("loss")
    earlier = steps < before
    bad = set(steps[earlier & ~np.isfinite(losses)].tolist())
    found = np.unique(steps[earlier])[: -MOST_STEPS - 1 : -1].tolist()
    return [index for index in found if index not in bad]


def _measured(tape: Recorded, event: Event, step: Step) -> tuple[str, Mapping[str, float]]:
    if step.level == "structure":
        return "", {}
    try:
        statistics = tape.statistics(step.index)
    except TapeError:  # still on its way, or lost
        return "", {}
    if statistics is None:
        return "", {}
    is_parameter = event.data.get("origin") == "parameter"
    table = statistics.parameters if is_parameter else statistics.calls
    key = str(event.data.get("parameter" if is_parameter else "call") or "")
    return (key, table.row(key)) if key in table.keys else ("", {})


def _node_key(event: Event) -> str:
    return str(event.data.get("node") or event.data.get("parameter") or "")


def _step(tape: Recorded, index: int) -> Step | None:
    try:
        return tape.step(index)
    except (TapeError, IndexError):
        return None


def _has(tape: Recorded, index: int, key: str) -> bool:
    try:
        return key in tape.graph(index)
    except TapeError:
        return False
