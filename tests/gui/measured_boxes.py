"""A small graph with everything that colourings read, and statistics of it with numbers known by heart."""

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np

from gui.coloring import Subject
from tracer.model.statistics import EMPTY, Operator, Statistics, Table
from tracer.model.view import Box

NAN, INF = float("nan"), float("inf")

LINEAR, RELU = "enc.lin#0/AddmmBackward0:0", "enc#0/ReluBackward0:0"
ADDMM, MUL = "dec#0/AddmmBackward0:0", "dec#0/MulBackward0:0"
LOSS = "NllLossBackward0:0"

ENC = Box("enc#0", "module", "enc", "", "#0", ("enc.lin.weight", "enc.lin.bias", LINEAR, RELU), (LINEAR, RELU))
DEC_OPS = (Box(ADDMM, "op", "Addmm", "", "dec#0", (ADDMM,)), Box(MUL, "op", "Mul", "", "dec#0", (MUL,)))
DEC_WEIGHT = Box("dec.weight", "parameter", "weight", "", "dec#0", ("dec.weight",), (ADDMM,))
LAST = (Box(LOSS, "op", "NllLoss", "", None, (LOSS,)), Box("loss", "output", "loss", "", None, ("loss",)))
BOXES = (ENC, *DEC_OPS, DEC_WEIGHT, *LAST)
"""A closed module, the content of an open one, and what follows."""


def graph_of(
    calls: Mapping[str, str | None], nodes: Mapping[str, Mapping[str, Any]], edges: Sequence[tuple[str, str]]
) -> nx.MultiDiGraph:
    """`calls` are the keys of calls with that of the call around each."""
    keys = list(calls)
    records = [
        {
            "key": key,
            "path": key.partition("#")[0],
            "class": "Module",
            "call": int(key.partition("#")[2]),
            "parent": None if above is None else keys.index(above),
            "training": True,
            "grad_enabled": True,
        }
        for key, above in calls.items()
    ]
    graph = nx.MultiDiGraph(module_calls=records, unreached=[])
    for key, attributes in nodes.items():
        plain = {"kind": "op", "call_key": None, "module": None, "parameter": None, "shapes": [], "op": ""}
        graph.add_node(key, **(plain | attributes))
    graph.add_edges_from((source, target, {"output_nr": 0, "input_nr": 0}) for source, target in edges)
    return graph


def op(key: str, **more: Any) -> dict[str, Any]:
    call, _, name = key.rpartition("/")
    return {
        "kind": "op",
        "op": name.partition(":")[0],
        "call_key": call or None,
        "module": call.partition("#")[0],
    } | more


def parameter(name: str, *shape: int, **more: Any) -> dict[str, Any]:
    return {"kind": "parameter", "parameter": name, "shapes": [list(shape)]} | more


def encoder_and_decoder() -> nx.MultiDiGraph:
    """enc (lin, then ReLU) and dec (Addmm, then Mul), then a loss."""
    on = {"device": "cuda:0", "dtype": "float32"}
    return graph_of(
        {"#0": None, "enc#0": "#0", "enc.lin#0": "enc#0", "dec#0": "#0"},
        {
            "enc.lin.weight": parameter("enc.lin.weight", 8, 4, **on),
            "enc.lin.bias": parameter("enc.lin.bias", 8, **on),
            LINEAR: op(LINEAR, **(on | {"dtype": "float16"})),
            RELU: op(RELU, **(on | {"dtype": "float16"})),
            "dec.weight": parameter("dec.weight", 2, 8, **on),
            ADDMM: op(ADDMM, **on),
            MUL: op(MUL, **on),
            LOSS: op(LOSS, device="cpu", dtype="float32"),
            "loss": {"kind": "output"},
        },
        [
            *(("enc.lin.weight", LINEAR), ("enc.lin.bias", LINEAR), (LINEAR, RELU), (RELU, ADDMM)),
            *(("dec.weight", ADDMM), (ADDMM, MUL), (MUL, LOSS), (LOSS, "loss")),
        ],
    )


def table(columns: str, rows: Mapping[str, Sequence[float]]) -> Table:
    return Table(tuple(rows), tuple(columns.split()), np.array(list(rows.values()), dtype=np.float64))


CALLS = "mean std zeros nans infs forward_secs"
PARAMETERS = "value_norm grad_norm update_norm update_ratio has_grad"
NODES = "backward_secs saved_bytes"


def measured(
    calls: Mapping[str, Sequence[float]] | None = None,
    parameters: Mapping[str, Sequence[float]] | None = None,
    nodes: Mapping[str, Sequence[float]] | None = None,
    operators: Sequence[tuple[str, str | None, float]] = (),
) -> Statistics:
    """Of each operator its name, call and seconds."""
    return Statistics(
        table(CALLS, calls) if calls else EMPTY,
        table(PARAMETERS, parameters) if parameters else EMPTY,
        table(NODES, nodes) if nodes else EMPTY,
        tuple(Operator(name, call, "forward", True, (), "float32", "cpu", None) for name, call, _ in operators),
        np.array([secs for _, _, secs in operators]),
    )


def subject_of(
    statistics: Statistics | None, boxes: tuple[Box, ...] = BOXES, graph: nx.MultiDiGraph | None = None
) -> Subject:
    graph = encoder_and_decoder() if graph is None else graph
    return Subject(boxes, np.ones(len(boxes), dtype=np.bool_), graph, statistics)
