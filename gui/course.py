"""The course of a backward pass: its nodes in the order they run, and the boxes that show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gui import format as fmt
from gui.canvas.geometry import Floats, Ints
from gui.canvas.scene import Scene
from gui.drawing import Drawing
from gui.names import Names
from tracer import Pass, Step
from tracer.layout.result import Layout
from tracer.model.backward_order import backward_order, passes_of, recorded_order
from tracer.model.statistics import EMPTY, Table


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One pass of a step on one layout. `is_recorded`: nodes were seen to run in this order, it is not computed.

    `passes` are those of the step whose beginning is known. Node i of `order` is shown by the boxes
    `rows[starts[i]:starts[i + 1]]`; `sizes` (boxes,) are how many nodes of the pass each box shows.
    """

    step: int
    graph: nx.MultiDiGraph
    layout: Layout
    passes: tuple[int, ...]
    pass_index: int
    order: tuple[str, ...]
    is_recorded: bool
    starts: Ints
    rows: Ints
    sizes: Ints

    def __len__(self) -> int:
        return len(self.order)

    def shares(self, position: int) -> Floats:
        """By box: how much of what it shows has run when node `position`, from 1, is the one that runs."""
        ran = np.bincount(self.rows[: self.starts[position]], minlength=len(self.sizes))
        shares: Floats = ran / np.maximum(self.sizes, 1)
        return shares

    def rows_at(self, position: int) -> Ints:
        """The boxes that show node `position`, from 1; none for what is not drawn by itself, and for 0."""
        return self.rows[self.starts[position - 1] : self.starts[position]] if position else self.rows[:0]


def course_of(step: Step, scene: Scene, pass_index: int, nodes: Table | None = None) -> Course:
    """The course of a pass; of the first that is known where this is none. `nodes` is what was measured of them."""
    graph = scene.graph
    passes = passes_of(graph)
    if pass_index not in passes and passes:
        pass_index = passes[0]
    accumulates = (one := pass_of(step, pass_index)) is None or one.kind == "backward"
    order = backward_order(graph, pass_index, accumulates=accumulates)
    recorded = recorded_order(graph, pass_index, order, EMPTY if nodes is None else nodes)
    found = order if recorded is None else recorded
    starts, rows = _rows(scene, found)
    sizes = np.bincount(rows, minlength=len(scene.boxes))
    return Course(step.index, graph, scene.layout, passes, pass_index, found, recorded is not None, starts, rows, sizes)


def pass_of(step: Step, pass_index: int) -> Pass | None:
    """A backward of the step by its number; forward-only passes do not count."""
    backwards = [one for one in step.passes if one.kind != "forward"]
    return backwards[pass_index] if pass_index < len(backwards) else None


def pass_text(step: Step, pass_index: int) -> str:
    """ "1: backward, loss 0.25"."""
    one = pass_of(step, pass_index)
    kind = "backward" if one is None or one.kind == "backward" else "autograd.grad"
    loss = "" if one is None or one.loss is None else f", loss {fmt.number(one.loss)}"
    return f"{pass_index + 1}: {kind}{loss}"


def running_text(drawing: Drawing, key: str) -> str:
    """The node that runs, in one line: what it is, where it was made, what was measured of it."""
    node, name = drawing.graph.nodes[key], Names(drawing.graph).of(key)
    source = node["source"]
    if node["kind"] == "parameter":
        parts = [f"Accumulates the gradient of {name}"]
    else:
        module = node["module"]
        parts = [name, "" if module is None else f"in {module or 'the model'}"]
        parts.append(f"{source['file'].replace(chr(92), '/').rpartition('/')[2]}:{source['line']}" if source else "")
    return "  ·  ".join(part for part in (*parts, *_measured(drawing, key, node)) if part)


def _measured(drawing: Drawing, key: str, node: Mapping[str, object]) -> Sequence[str]:
    if drawing.statistics is None:
        return ()
    if node["kind"] == "parameter":
        norm = _value(drawing.statistics.parameters, str(node["parameter"]), "grad_norm")
        return () if norm is None else (f"gradient norm {fmt.number(norm)}",)
    secs = _value(drawing.statistics.nodes, key, "backward_secs")
    return () if secs is None else (f"backward {fmt.duration(secs)}",)


def _value(table: Table, key: str, column: str) -> float | None:
    if key not in table.keys or column not in table.columns:
        return None
    value = table.row(key)[column]
    return None if np.isnan(value) else value


def _rows(scene: Scene, order: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A parameter is part of boxes that the step lacks, too, which are not meant."""
    boxes_of: dict[str, list[int]] = {}
    for row in np.flatnonzero(scene.fit.is_present).tolist():
        box = scene.boxes[row]
        for member in box.members or (box.key,):
            boxes_of.setdefault(member, []).append(row)
    found = [boxes_of.get(key, ()) for key in order]
    starts = np.concatenate([[0], np.cumsum([len(rows) for rows in found])]).astype(np.int64)
    return starts, np.array([row for rows in found for row in rows], np.int64)
