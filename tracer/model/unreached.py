"""Which parameters the backward of a step did not reach."""

import networkx as nx


def unreached_parameters(graph: nx.MultiDiGraph) -> tuple[str, ...]:
    """Trainable ones, by name; none where the training ended before a backward ran: that is no fault of theirs."""
    return () if graph.graph.get("lacks_backward") else tuple(graph.graph["unreached"])
