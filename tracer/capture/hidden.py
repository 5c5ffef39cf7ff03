"""What a backward within a backward reaches: the graph that a reentrant checkpoint, one node, hides."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from tracer.capture.walk import AccumulateGrad


def parameters_below(roots: Sequence[Any]) -> Iterator[torch.nn.Parameter]:
    """The parameters that the roots of a backward (tensors or `GradientEdge`s) reach."""
    edge_of = torch.autograd.graph.get_gradient_edge
    nodes: list[Any] = [edge_of(root).node if isinstance(root, torch.Tensor) else root.node for root in roots]
    seen = set(nodes)
    for node in nodes:
        if type(node) is AccumulateGrad and isinstance(node.variable, torch.nn.Parameter):
            yield node.variable
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                nodes.append(child)
