"""The graph that a forward pass had built when it broke off, found from the tensors on the traceback."""

from collections.abc import Iterable
from types import FrameType
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from tracer.capture.locals import tensors_in_locals
from tracer.capture.walk import AccumulateGrad


def unfinished_edges(frames: Iterable[FrameType], since: int) -> list[GradientEdge]:
    """Where the graph ends that was made from the sequence number `since` on, as far as variables hold it: of what
    leads to another end only that one."""
    found: dict[tuple[Any, int], None] = {}
    with torch._C.DisableTorchFunctionSubclass():
        for frame in frames:
            for tensor in tensors_in_locals(frame):
                node = tensor.grad_fn
                if node is not None and node._sequence_nr() >= since:
                    found.setdefault((node, tensor.output_nr))
    ends = _unreached({node for node, _ in found}, since)
    edges = [(node, output_nr) for node, output_nr in found if node in ends]
    return [GradientEdge(*edge) for edge in sorted(edges, key=lambda edge: (edge[0]._sequence_nr(), edge[1]))]


def _unreached(nodes: set[Any], since: int) -> set[Any]:
    """Those that no other leads back to."""
    reached: set[Any] = set()
    waiting = [child for node in nodes for child, _ in node.next_functions]
    while waiting:
        node = waiting.pop()
        # what a node was made of is older than the node
        if node is None or node in reached or type(node) is AccumulateGrad or node._sequence_nr() < since:
            continue
        reached.add(node)
        waiting += [child for child, _ in node.next_functions]
    return nodes - reached
