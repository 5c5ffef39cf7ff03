"""What makes two steps' graphs the same: hashes over plain records, equal in any process and on any machine."""

from collections.abc import Iterable
from hashlib import blake2b

from tracer.model.structure import Structure

_DIGEST_BYTES = 12


def topology_id(structure: Structure) -> str:
    """24 hex digits over node keys, kinds, op names and edges. Shapes, dtypes and devices do not enter."""
    nodes = (f"{node.key}\0{node.kind}\0{node.op}" for node in structure.nodes)
    edges = (f"{edge.source} {edge.target} {edge.output_nr} {edge.input_nr}" for edge in structure.edges)
    return _digest((*nodes, "\1", *edges))


def shape_id(structure: Structure, topology: str) -> str:
    """24 hex digits over the topology id and every node's shapes, dtype and device."""
    return _digest((topology, *(f"{node.shapes}\0{node.dtype}\0{node.device}" for node in structure.nodes)))


def _digest(parts: Iterable[str]) -> str:
    return blake2b("\n".join(parts).encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
