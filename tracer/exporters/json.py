"""The graph of a step as networkx node-link JSON; `networkx.node_link_graph` reads it back."""

import json
from pathlib import Path

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
    content = json.dumps(nx.node_link_data(graph, edges="edges"), indent=1)
    try:
        out.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ExportError(f"Cannot write {out}: {error.strerror}. Choose a place that can be written.") from None
