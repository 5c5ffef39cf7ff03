"""The walk over `grad_fn.next_functions`: iterative, just before the engine frees the graph.

Two speeds. `walk` collects what tells one graph from another as one flat list of integers (about half a microsecond a
node); only when that list is new are names, shapes and parameters read into records (`describe`). Nothing here keeps a
node alive longer than the call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tracer.model.structure import Shape

_leaf_use: Any = torch.ones(1, requires_grad=True).expand(1).grad_fn
AccumulateGrad = type(_leaf_use.next_functions[0][0])

# not -1, whose hash equals that of -2
LEAF_NUMBER = 1 << 62
_NULL = -3
_LEAF = -4
_END = -5

# what of a node's shape and dtype follows from its inputs, if these all are nodes of the graph
_NOTHING, _DTYPE, _ALL = range(3)


@dataclass(frozen=True, slots=True)
class Walk:
    """One traversal. `nodes` are alive autograd nodes in order from the roots, `numbers` their sequence numbers
    relative
    to a base (`LEAF_NUMBER` for AccumulateGrad, which has none); `codes` tells this walk from others."""

    roots: tuple[torch.Tensor, ...]
    nodes: list[Any]
    numbers: list[int]
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


class NodeTypes:
    """Small integers for kinds of nodes. `known` maps a class to its code and to how its metadata follows from its
    inputs."""

    def __init__(self) -> None:
        self.known: dict[type, tuple[int, int]] = {}
        self._codes: dict[tuple[type, str], int] = {}

    def learn(self, node: Any) -> tuple[int, int]:
        """Code and following of a node whose class is not in `known`. C++ functions without a Python class of their own
        share one class and differ by name, so that class never gets there."""
        cls, name = type(node), node.name()
        follows = _ALL if name in _FOLLOWING else _DTYPE if name in _VIEWS else _NOTHING
        learnt = self._codes.setdefault((cls, name), len(self._codes)), follows
        if cls.__name__ == name:
            self.known[cls] = learnt
        return learnt


def sequence_nr(root: torch.Tensor) -> int:
    """The number of the node that made `root`."""
    return int(_node(root)._sequence_nr())


def _node(root: torch.Tensor) -> Any:
    return root.grad_fn if root.grad_fn is not None else torch.autograd.graph.get_gradient_edge(root).node


def walk(
    roots: Sequence[torch.Tensor],
    types: NodeTypes,
    leaf_codes: Mapping[int, int],
    leaf_code: Callable[[torch.Tensor], int],
    base: int,
) -> Walk:
    """Visit every node the roots reach, breadth first, in the order of `next_functions`.

    Reading sizes is the dearest part, so it is left out where they follow from the sizes of the inputs, all of which
    the walk visits. Sequence numbers count from `base`. `leaf_codes` maps ids of
    known leaf tensors to their codes, `leaf_code` finds that of another.
    """
    nodes: list[Any] = []
    codes: list[int] = []
    position: dict[Any, int] = {}
    numbers: list[int] = []
    known = types.known
    add = codes.append
    add_number = numbers.append
    for root in roots:
        node = _node(root)
        if node not in position:
            position[node] = len(nodes)
            nodes.append(node)
        add(position[node])
        add(root.output_nr)
    for node in nodes:
        cls = type(node)
        if cls is AccumulateGrad:
            leaf = node.variable
            code = leaf_codes.get(id(leaf))
            add(_LEAF)
            add(leaf_code(leaf) if code is None else code)
            add_number(LEAF_NUMBER)
            continue
        number = node._sequence_nr() - base
        add_number(number)
        add(number << 3)  # never one of the signs above
        code, follows = known.get(cls) or types.learn(node)
        add(code)
        for child, output_nr in node.next_functions:
            if child is None:
                add(_NULL)
                follows = _NOTHING
                continue
            at = position.get(child)
            if at is None:
                at = position[child] = len(nodes)
                nodes.append(child)
            add(at + (output_nr << 32))
        if follows == _ALL:
            continue
        for metadata in node._input_metadata:
            add(_END)
            codes += _sizes(metadata)
            if follows == _NOTHING:
                add(id(metadata.dtype))
    return Walk(tuple(roots), nodes, numbers, codes)


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


def _backward_names(ops: str) -> frozenset[str]:
    return frozenset(f"{op}Backward{number}" for op in ops.split() for number in range(2))


_FOLLOWING = _backward_names(
    """Abs Add Addbmm Addmm Addmv Baddbmm Bmm Clamp Cos Div Dot Elu Exp Gelu HardTanh Hardsigmoid Hardswish LeakyRelu
    Log Mish Mm Mul Mv NativeBatchNorm NativeDropout NativeLayerNorm Neg Pow Reciprocal Relu Rsqrt Sigmoid Silu Sin
    Softplus Sqrt Sub T Tanh Where"""
)
_VIEWS = _backward_names(
    """AsStrided Diagonal Expand Narrow Permute ReshapeAlias Select Slice Squeeze Transpose UnsafeView Unsqueeze View"""
)
