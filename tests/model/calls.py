"""Graphs made for their module calls: records by hand, and random ones."""

from typing import Any

import networkx as nx
from hypothesis import strategies as st


def record(
    path: str, parent: int | None = None, grad: bool = True, call: int = 0, fed_by: tuple[int, ...] = (), count: int = 1
) -> dict[str, Any]:
    """One of a graph's `module_calls`; the class is the last word of the path, capitalised."""
    return {
        "path": path,
        "class": (path.rpartition(".")[2] or "net").capitalize(),
        "call": call,
        "key": f"{path}#{call}",
        "parent": parent,
        "training": grad,
        "grad_enabled": grad,
        "count": count,
        "fed_by": list(fed_by),
    }


def graph_of(records: list[dict[str, Any]], *ops_in: str) -> nx.MultiDiGraph:
    """A graph with one op in each of the calls of these keys, each fed by the one before."""
    graph = nx.MultiDiGraph(module_calls=records, unreached=[])
    above = None
    for number, call in enumerate(ops_in):
        key = f"{call}/MulBackward0:{number}"
        graph.add_node(
            key, kind="op", op="MulBackward0", call_key=call, shapes=[[2]], dtype="float32", device="cpu", opaque=False
        )
        if above is not None:
            graph.add_edge(above, key, output_nr=0, input_nr=0)
        above = key
    return graph


@st.composite
def graphs(draw: st.DrawFn) -> nx.MultiDiGraph:
    """Any calls, also such as no capture would write: keys that repeat, parents that come later, flow to oneself."""
    count = draw(st.integers(0, 10))
    records = [
        record(
            draw(st.sampled_from(["", "a", "b", "a.c", "dropout"])),
            draw(st.one_of(st.none(), st.integers(0, count - 1))),
            draw(st.booleans()),
            draw(st.integers(0, 2)),
            tuple(draw(st.lists(st.integers(0, count - 1), max_size=3))),
            draw(st.sampled_from([1, 1, 5])),
        )
        for _ in range(count)
    ]
    keys = [each["key"] for each in records]
    return graph_of(records, *(draw(st.lists(st.sampled_from(keys), max_size=4)) if keys else []))
