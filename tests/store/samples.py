"""Records to write in tests: small structures, steps with scalars, tapes of them."""

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Self
from unittest.mock import patch

import numpy as np

from tracer.model.keep import Keep
from tracer.model.records import Pass
from tracer.model.statistics import Operator, Statistics, Table
from tracer.model.structure import Edge, Inside, InsideNode, ModuleCall, Node, SourceLine, Structure
from tracer.store import schema
from tracer.store.appender import Appender
from tracer.store.new_tape import create
from tracer.store.records import (
    EventRecord,
    Record,
    ScalarRecord,
    SourceRecord,
    StatisticsRecord,
    StepRecord,
    StructureRecord,
)
from tracer.store.writer import Writer

META = {"state": "live", "pid": "0", "process_start": "", "command": "train.py", "control": ""}


def structure(n_ops: int = 2, name: str = "fc") -> Structure:
    """A chain of ops in one module call, from one parameter to one output."""
    nodes = [
        Node(
            f"{name}.weight",
            "parameter",
            "torch::autograd::AccumulateGrad",
            None,
            name,
            0,
            ((2, 2),),
            "float32",
            "cpu",
            False,
            f"{name}.weight",
        )
    ]
    nodes += [
        Node(f"{name}#0/MulBackward0:{k}", "op", "MulBackward0", 0, name, 0, ((2, 2),), "float32", "cpu")
        for k in range(n_ops)
    ]
    nodes.append(Node("output:0", "output", "output", None, None, 0, ((),), "float32", "cpu"))
    edges = tuple(Edge(at, at + 1, 0, 0) for at in range(len(nodes) - 1))
    return Structure(tuple(nodes), edges, (ModuleCall(name, "Linear", 0, None, True, True),), ("unused",))


def structure_record(n_ops: int = 2, name: str = "fc") -> StructureRecord:
    return StructureRecord(structure(n_ops, name), f"topology-{n_ops}-{name}", f"shape-{n_ops}-{name}")


def compiled_record() -> StructureRecord:
    """One op in the chain stands for an FX graph; an evaluation's data flow."""
    inside = Inside(
        "torch.compile, backend inductor",
        (
            InsideNode("x", "placeholder", "L_x_", (), (2, 2), "float32"),
            InsideNode("mul", "call_function", "mul", (0, 0), (2, 2), "float32", SourceLine("net.py", 4, "f")),
            InsideNode("output", "output", "output", (1,), None, ""),
        ),
    )
    plain = structure(1)
    nodes = tuple(replace(node, inside=0, opaque=True) if node.kind == "op" else node for node in plain.nodes)
    return StructureRecord(replace(plain, nodes=nodes, insides=(inside,)), "topology-compiled", "shape-compiled")


def statistics(scale: float = 1.0) -> Statistics:
    return Statistics(
        calls=Table(("fc#0",), ("mean", "nans"), np.array([[scale, 0.0]])),
        parameters=Table(("fc.weight", "unused"), ("grad_norm",), np.array([[2 * scale], [float("nan")]])),
        operators=(Operator("aten.mm.default", "fc#0", "forward", True, ((2, 2),), "float32", "cpu", 16),),
        operator_secs=np.array([scale / 8]),
    )


def step_record(index: int, graph: StructureRecord | None = None, **scalars: float) -> StepRecord:
    return StepRecord(
        index, graph, (), "train", "SGD", 1_000 + index, 2_000_000, "structure", (Pass("backward", 0.5),), scalars
    )


def write_tape(path: Path, n_steps: int = 6) -> Path:
    """A closed tape: the graph grows by one op in the second half, one event, two scalars."""
    writer = Writer(path, META)
    early, late = structure_record(2), structure_record(3)
    for index in range(n_steps):
        writer.append(step_record(index, early if index < n_steps // 2 else late, loss=1 / (index + 1), lr=0.1))
    writer.append(EventRecord("stopped", n_steps, 5_000, {"reason": "pause"}))
    writer.close("closed")
    return path


def write_rich_tape(path: Path) -> Path:
    """A closed tape of all there can be: two steps whose ops have source lines, then one with an op that has an inside,
    an evaluation and measurements."""
    writer = Writer(path, META)
    plain = structure_record(2)
    for index in range(2):
        writer.append(step_record(index, plain, loss=1 / (index + 1)))
    lines = (SourceLine("train.py", 7, "Net.forward") if node.kind == "op" else None for node in plain.structure.nodes)
    writer.append(SourceRecord(plain, tuple(lines)))
    first = ModuleCall("fc", "Linear", 0, None, False, False)
    evaluated = first, ModuleCall("act", "ReLU", 0, None, False, False, 1, (0,))
    writer.append(replace(step_record(2, compiled_record(), loss=1 / 3), evaluated=evaluated, level="statistics"))
    writer.append(StatisticsRecord(2, statistics()))
    writer.append(EventRecord("stopped", 3, 5_000, {"reason": "pause"}))
    writer.close("closed")
    return path


class Recording:
    """Writes in the caller's thread, each call one transaction; `with` closes the tape."""

    def __init__(self, path: Path, keep: Keep | None = None) -> None:
        self.connection = create(path, META)
        self._appender = Appender(self.connection, keep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self._appender.write_end("closed")
        self.connection.execute("COMMIT")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(sqlite3.Error):  # a reader is still there
            self.connection.execute("PRAGMA journal_mode=DELETE")
        self.connection.close()

    def lose(self, step: int, reason: str) -> None:
        """Note that a step was not recorded."""
        self._appender.write_gaps([(step, reason)])

    def write(self, *records: Record) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self._appender.write(records)
        if self._appender.has_to_fold:
            self._appender.fold()
        self.connection.execute("COMMIT")
        self._appender.committed()


N_FOLDED = 140


def write_folded_tape(path: Path) -> Path:
    """A closed tape of all that comes with many steps: blocks and chunks, values that came late or again, structures
    that lean on others, graphs and measurements that were thinned out. The rest is as in `write_rich_tape`."""
    plain, compiled = structure_record(2), compiled_record()
    leaning = [structure_record(40 + k, "cell") for k in range(4)]
    gone = structure_record(5, "gone")
    call = ModuleCall("fc", "Linear", 0, None, False, False)
    with patch.multiple(schema, BLOCK_STEPS=32, YOUNG_STEPS=16), Recording(path, Keep(last=30)) as recording:
        for index in range(N_FOLDED):
            known = (plain, compiled) if index < 20 else (gone,) if index < 80 else (plain, compiled, *leaning)
            graph = known[index % len(known)]
            step = step_record(index, graph, loss=1 / (index + 1), lr=0.1 if index % 50 else float("nan"))
            step = replace(step, level="statistics", evaluated=(call,) if index % 3 else ())
            if index == 70:
                step = replace(step, structure=None, scalars={"loss": -0.0, "extra": float("inf")})
            if index != 33:  # it was lost
                recording.write(step, StatisticsRecord(index, statistics(index)))
            if index % 5 == 4:
                recording.write(ScalarRecord(index - 3, "late", float(index)), ScalarRecord(index - 1, "loss", 0.5))
            if index % 60 == 59:
                recording.write(ScalarRecord(2, "late", -float(index)), EventRecord("note", index, 5_000, {"n": index}))
        lines = (SourceLine("train.py", 7, "Net.forward") for _ in plain.structure.nodes)
        recording.write(SourceRecord(plain, tuple(lines)))
        recording.lose(33, "it could not be stored")
    return path
