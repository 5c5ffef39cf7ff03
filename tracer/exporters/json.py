"""The graph of a step as networkx node-link JSON; `networkx.node_link_graph` reads it back."""

import json
import math
from pathlib import Path
from typing import Any

import networkx as nx

from tracer.errors import ExportError
from tracer.store.reader import Tape

FORMAT = "json"
SUFFIX = ".json"
TITLE = "JSON (networkx node-link)"


def export(tape: Tape, step: int, out: Path) -> None:
    """Write the graph with its attributes and, under "graph", the step's record. Raises ExportError where `out`
    cannot be written."""
    graph = tape.graph(step)
    record = tape.steps[step]
    graph.graph["step"] = record.index
    graph.graph["topology_id"] = record.topology_id
    graph.graph["shape_id"] = record.shape_id
    graph.graph["scalars"] = dict(record.scalars)
    for node in graph.nodes.values():
        if node["inside"] is not None:
            node["inside"] = nx.node_link_data(node["inside"], edges="edges")
    content = to_json(nx.node_link_data(graph, edges="edges"), indent=1)
    try:
        out.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ExportError(f"Cannot write {out}: {error.strerror}. Choose a place that can be written.") from None


def to_json(content: object, indent: int) -> str:
    """JSON that any parser reads and that steers no terminal; not finite numbers become "NaN", "Infinity", "-Infinity",
    as in protobuf's."""
    try:
        text = json.dumps(content, indent=indent, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(content), indent=indent, allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # the one control character that it does not escape by itself


def _finite(content: Any) -> Any:
    if isinstance(content, float) and not math.isfinite(content):
        return json.dumps(content)
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return content
