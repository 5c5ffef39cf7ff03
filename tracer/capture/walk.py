"""The walk over `grad_fn.next_functions`: iterative, just before the engine frees the graph.

Two speeds. `walk` collects what tells one graph from another as one flat list of integers (about half a microsecond a
node); only when that list is new are names, shapes and parameters read into records (`describe`). Nothing here keeps a
node alive longer than the call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tracer.model.structure import Shape

_leaf_use: Any = torch.ones(1, requires_grad=True).expand(1).grad_fn
AccumulateGrad = type(_leaf_use.next_functions[0][0])

_NULL = -1
_LEAF = -2
_END = -3


@dataclass(frozen=True, slots=True)
class Walk:
    """One traversal. `nodes` are alive autograd nodes in traversal order from the roots; `codes` describes them and
    their edges."""

    roots: tuple[torch.Tensor, ...]
    nodes: list[Any]
    codes: list[int]


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is read of one autograd node. `inputs` are (position of the other node, output_nr, input_nr) for each non-
    null entry."""

    name: str
    leaf: int | None  # code of the leaf tensor for AccumulateGrad, None for an op
    inputs: tuple[tuple[int, int, int], ...]
    shapes: tuple[Shape, ...]
    dtype: str
    device: str
    opaque: bool


class TypeCodes:
    """Small integers for node classes. C++ functions without a Python class of their own are told apart by name."""

    def __init__(self) -> None:
        self._codes: dict[object, int] = {}

    def of(self, node: Any) -> int:
        cls = type(node)
        key: object = cls if cls.__name__ == node.name() else (cls, node.name())
        return self._codes.setdefault(key, len(self._codes))

    def generic(self, node: Any) -> bool:
        return bool(type(node).__name__ != node.name())


def walk(
    roots: Sequence[torch.Tensor],
    types: dict[type, int | None],
    type_codes: TypeCodes,
    leaf_code: Callable[[torch.Tensor], int],
) -> Walk:
    """Visit every node the roots reach, breadth first, in the order of `next_functions`.

    `types` caches the codes of classes (None for a class shared by functions of several names).
    """
    nodes: list[Any] = []
    codes: list[int] = []
    position: dict[Any, int] = {}
    add = codes.append
    for root in roots:
        node = root.grad_fn if root.grad_fn is not None else torch.autograd.graph.get_gradient_edge(root).node
        if node not in position:
            position[node] = len(nodes)
            nodes.append(node)
        add(position[node])
        add(root.output_nr)
    for node in nodes:
        cls = type(node)
        if cls is AccumulateGrad:
            add(_LEAF)
            add(leaf_code(node.variable))
            continue
        try:
            code = types[cls]
        except KeyError:
            code = types[cls] = None if type_codes.generic(node) else type_codes.of(node)
        add(type_codes.of(node) if code is None else code)
        for child, output_nr in node.next_functions:
            if child is None:
                add(_NULL)
                continue
            at = position.get(child)
            if at is None:
                at = position[child] = len(nodes)
                nodes.append(child)
            add(at)
            add(output_nr)
        for metadata in node._input_metadata:
            add(_END)
            codes.extend(_sizes(metadata))
            add(id(metadata.dtype))
    return Walk(tuple(roots), nodes, codes)


def sequence_numbers(nodes: list[Any]) -> NDArray[np.uint64]:
    """(n,) numbers in order of creation on this thread; 2**64 - 1 for AccumulateGrad."""
    return np.array([node._sequence_nr() for node in nodes], dtype=np.uint64)


def digest(codes: list[int], *arrays: NDArray[Any]) -> bytes:
    """16 bytes that tell two walks apart within this process."""
    hasher = blake2b(np.array(codes, dtype=np.int64).data, digest_size=16)
    for array in arrays:
        hasher.update(np.ascontiguousarray(array).data)
    return hasher.digest()


def describe(found: Walk, leaf_code: Callable[[torch.Tensor], int]) -> tuple[NodeFacts, ...]:
    """The facts of every node of the walk, in its order."""
    position = {node: at for at, node in enumerate(found.nodes)}
    return tuple(_facts(node, position, leaf_code) for node in found.nodes)


def _facts(node: Any, position: dict[Any, int], leaf_code: Callable[[torch.Tensor], int]) -> NodeFacts:
    name = node.name()
    if type(node) is AccumulateGrad:
        leaf = node.variable
        return NodeFacts(name, leaf_code(leaf), (), (tuple(leaf.shape),), _plain(leaf.dtype), str(leaf.device), False)
    inputs = tuple(
        (position[child], output_nr, slot)
        for slot, (child, output_nr) in enumerate(node.next_functions)
        if child is not None
    )
    metadata = node._input_metadata
    shapes = tuple(tuple(_sizes(item)) for item in metadata)
    dtype, device = (_plain(metadata[0].dtype), str(metadata[0].device)) if metadata else ("", "")
    return NodeFacts(name, None, inputs, shapes, dtype, device, _is_opaque(name))


def _sizes(metadata: Any) -> list[int]:
    """Sizes of the output the node belongs to; empty for a nested tensor, whose sizes are not numbers."""
    try:
        return metadata.shape  # type: ignore[no-any-return]
    except RuntimeError:
        return []


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _is_opaque(name: str) -> bool:
    """Whether the node stands for computation whose inner graph autograd hides."""
    return name in _OPAQUE or name.startswith("CppNode<")


_OPAQUE = frozenset(
    {
        "CheckpointFunctionBackward",
        "CompiledFunctionBackward",
        "torch::jit::(anonymous namespace)::DifferentiableGraphBackward",
    }
)
