"""What is inside an opaque node, as a graph that is drawn like any other."""

from collections.abc import Mapping
from typing import Any

import networkx as nx

# What Dynamo puts into the name of a placeholder that is no input of the region but belongs to a module in it.
_OF_A_MODULE = ("_parameters_", "_buffers_")


def as_drawable(inside: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The FX graph of a node's `inside` with the attributes of a step's graph, to draw it by the same means.

    `target` is what each node calls, in full.
    """
    graph = nx.MultiDiGraph(module_calls=[], unreached=[])
    for name, node in inside.nodes.items():
        kind = _kind_of(name, node["op"])
        graph.add_node(
            name,
            kind=kind,
            op=_last_word(node["target"]),
            target=node["target"],
            parameter=_without_owner(node["target"]) if kind == "parameter" else None,
            shapes=[] if node["shape"] is None else [list(node["shape"])],
            dtype=node["dtype"],
            device="",
            source=node["source"],
            opaque=False,
            inside=None,
            module=None,
            call_key=None,
        )
    for source, target, data in inside.edges(data=True):
        graph.add_edge(source, target, output_nr=0, input_nr=data["input_nr"])
    return graph


def node_text(name: str, node: Mapping[str, Any]) -> str:
    """One line on a node of a drawable graph: its name, what it calls, its tensor, where it was written. The name that
    Dynamo gives a placeholder says less than what it stands for."""
    shape = "×".join(map(str, node["shapes"][0])) if node["shapes"] else ""
    tensor = " ".join(part for part in (shape, node["dtype"]) if part)
    source = node["source"]
    where = f"{source['file']}:{source['line']} in {source['function']}" if source else ""
    words = (name, node["target"]) if node["kind"] == "op" else (node["target"],)
    return "   ·   ".join(part for part in (*words, tensor, where) if part)


def _kind_of(name: str, op: str) -> str:
    if op == "placeholder":
        return "parameter" if any(mark in name for mark in _OF_A_MODULE) else "input"
    return {"get_attr": "parameter", "output": "output"}.get(op, "op")


def _last_word(target: str) -> str:
    return target.rpartition(".")[2] or target


def _without_owner(target: str) -> str:
    """`self.stem.weight` is "stem.weight"."""
    return target.partition(".")[2] or target
