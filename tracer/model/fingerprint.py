"""What makes two steps' graphs the same: hashes over plain records, equal in any process and on any machine."""

from collections.abc import Iterable
from hashlib import blake2b

from tracer.model.structure import Node, Structure

_DIGEST_BYTES = 12


def topology_id(structure: Structure) -> str:
    """24 hex digits over the graph as a walk from its outputs meets it: of each node its kind, op name, module path and
    parameter, and where each of its inputs comes from.

    Keys do not enter: a call whose outputs lead nowhere, or another order of independent branches, gives the same graph
    other keys. Nor do shapes, dtypes and devices.
    """
    order, inputs = _walked(structure)
    place = {at: position for position, at in enumerate(order)}
    return _digest(_line(structure.nodes[at], inputs[at], place) for at in order)


def shape_id(structure: Structure, topology: str) -> str:
    """24 hex digits over the topology id and every node's key, shapes, dtype and device: steps of one shape id share
    their drawing."""
    nodes = (f"{node.key}\0{node.shapes}\0{node.dtype}\0{node.device}" for node in structure.nodes)
    return _digest((topology, *nodes))


_Inputs = list[tuple[int, int, int]]  # (input_nr, source, output_nr) of each edge into a node


def _walked(structure: Structure) -> tuple[list[int], list[_Inputs]]:
    """Indices of the nodes, depth first from the outputs, inputs in order; what no output reaches comes last. With it
    the inputs of each node, by its index."""
    inputs: list[_Inputs] = [[] for _ in structure.nodes]
    for edge in structure.edges:
        inputs[edge.target].append((edge.input_nr, edge.source, edge.output_nr))
    for entries in inputs:
        entries.sort()
    outputs = [at for at, node in enumerate(structure.nodes) if node.kind == "output"]
    order: dict[int, None] = {}
    pending = [*range(len(structure.nodes) - 1, -1, -1), *reversed(outputs)]
    while pending:
        at = pending.pop()
        if at not in order:
            order[at] = None
            pending += [source for _, source, _ in reversed(inputs[at])]
    return list(order), inputs


def _line(node: Node, inputs: _Inputs, place: dict[int, int]) -> str:
    entries = " ".join(f"{input_nr},{place[source]},{output_nr}" for input_nr, source, output_nr in inputs)
    return f"{node.kind}\0{node.op}\0{node.module}\0{node.parameter}\0{entries}"


def _digest(parts: Iterable[str]) -> str:
    return blake2b("\n".join(parts).encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
