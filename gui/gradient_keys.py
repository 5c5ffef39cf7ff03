"""From the names by which gradients are measured, modules' paths and parameters, to the keys of a graph, and back."""

from collections.abc import Collection

import networkx as nx

from tracer.model.call_keys import call_keys
from tracer.model.gradient_flow import module_of


def key_of(graph: nx.MultiDiGraph, name: str) -> str:
    """The parameter of this name, the first call of the module with this path, or the first parameter in it; "" for
    what the step has not."""
    if name in graph:
        return name
    calls = zip(call_keys(graph), graph.graph["module_calls"], strict=True)
    found = next((key for key, call in calls if call["path"] == name), "")
    return found or next((key for key in graph if "#" not in key and module_of(key) == name and "." in key), "")


def name_of(graph: nx.MultiDiGraph, key: str, names: Collection[str]) -> str | None:
    """Which of the names a selected node or module call belongs to; None for none of them."""
    if key in graph and graph.nodes[key]["kind"] == "op":
        path = graph.nodes[key]["module"]
    elif key in names:
        return key
    elif key in graph:
        path = module_of(key) if graph.nodes[key]["kind"] == "parameter" else None
    else:
        path = key.rpartition("#")[0] if "#" in key else None
    return path if path in names else None
