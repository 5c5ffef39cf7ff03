"""The walk over `grad_fn.next_functions`: iterative, just before the engine frees the graph.

Two speeds. `walk` collects what tells one graph from another as flat lists of integers; only when these are new are
names, shapes and parameters read into records (`describe`). By the time of a backward the nodes are cold in memory, so
each attribute is read in a loop of its own, and only of the nodes where it can differ: which these are is remembered
for the graph's outline (its classes and edges). Nothing here keeps a node alive longer than the call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.graph import GradientEdge

from tracer.capture.known import Known
from tracer.model.structure import Inside, Shape

_leaf_use: Any = torch.ones(1, requires_grad=True).expand(1).grad_fn
AccumulateGrad = type(_leaf_use.next_functions[0][0])

LEAF_NUMBER = 1 << 62
_NULL = -3  # not -1, whose hash equals that of -2
_MAX_KNOWN_NODES = 400_000  # of outlines, some 30 bytes each

# what of a node's shape and dtype follows from its inputs, if these all are nodes of the graph
_NOTHING, _DTYPE, _ALL = range(3)


@dataclass(frozen=True, slots=True)
class Root:
    """What a pass starts from: a node, and which of its outputs."""

    node: Any
    output_nr: int
    given: torch.Tensor | GradientEdge


@dataclass(frozen=True, slots=True)
class Walk:
    """One traversal. `nodes` are alive autograd nodes in order from the roots, `numbers` their sequence numbers
    relative to a base (`LEAF_NUMBER` for what has none, AccumulateGrad above all), `roots` the positions of the roots'
    nodes; `key` is the same for equal walks."""

    nodes: list[Any]
    numbers: list[int]
    roots: tuple[int, ...]
    key: int


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
    inside: Inside | None = None


@dataclass(frozen=True, slots=True)
class _Outline:
    """What to read of the nodes of graphs with the same classes and edges, by their positions in the walk.

    `named` are those whose class does not tell their op, `sized` those whose sizes do not follow from their inputs',
    `typed` those whose dtype does not either.
    """

    leaves: tuple[int, ...]
    ops: tuple[int, ...]
    named: tuple[int, ...]
    sized: tuple[int, ...]
    typed: tuple[int, ...]


class Walker:
    """Walks graphs and remembers their outlines. `leaf_codes` maps ids of known leaf tensors to their codes,
    `leaf_code` finds that of another."""

    def __init__(self, leaf_codes: Mapping[int, int], leaf_code: Callable[[torch.Tensor], int]) -> None:
        self._outlines: Known[_Outline] = Known(_MAX_KNOWN_NODES)
        self._leaf_codes = leaf_codes
        self._leaf_code = leaf_code

    def walk(self, roots: Sequence[Root], base: int) -> Walk:
        """Visit every node the roots reach, breadth first, in the order of `next_functions`. Sequence numbers count
        from `base`."""
        nodes, edges = _visit(roots)
        # CPython's hash of a tuple of integers is xxHash: 64 bits at a fifth of the price of a digest over bytes
        key = hash((*map(type, nodes), *edges))
        outline = self._outlines.get(key)
        if outline is None:
            outline = _outline(nodes)
            self._outlines.add(key, outline, len(nodes))
        numbers = [LEAF_NUMBER] * len(nodes)
        for at in outline.ops:
            numbers[at] = nodes[at]._sequence_nr() - base
        for at in outline.named:
            numbers[at] = min(numbers[at], LEAF_NUMBER)  # an Error node has none either, seen in torch 2.11
        get = self._leaf_codes.get
        leaves = [nodes[at].variable for at in outline.leaves]
        codes = [get(id(leaf)) for leaf in leaves]
        if None in codes:
            codes = [self._leaf_code(leaf) for leaf in leaves]
        try:
            sizes = [tuple(metadata.shape) for at in outline.sized for metadata in nodes[at]._input_metadata]
        except RuntimeError:  # one is a nested tensor
            sizes = [tuple(_sizes(metadata)) for at in outline.sized for metadata in nodes[at]._input_metadata]
        dtypes = [metadata.dtype for at in outline.typed for metadata in nodes[at]._input_metadata]
        names = [nodes[at].name() for at in outline.named]
        key = hash((key, *numbers, *codes, *sizes, *dtypes, *names))
        return Walk(nodes, numbers, tuple(edges[: 2 * len(roots) : 2]), key)


def _visit(roots: Sequence[Root]) -> tuple[list[Any], list[int]]:
    """The nodes, and as integers: position and output of each root, then for each entry of each node's next_functions
    the other node's position, its output in the upper half."""
    position: dict[Any, int] = {None: _NULL}
    nodes: list[Any] = []
    edges: list[int] = []
    for root in roots:
        at = position.setdefault(root.node, len(nodes))
        if at == len(nodes):
            nodes.append(root.node)
        edges += (at, root.output_nr)
    n_nodes = len(nodes)
    place, add, see = position.setdefault, edges.append, nodes.append
    for node in nodes:
        for child, output_nr in node.next_functions:
            at = place(child, n_nodes)
            if at == n_nodes:
                see(child)
                n_nodes += 1
            add(at + (output_nr << 32) if output_nr else at)
    return nodes, edges


def _outline(nodes: Sequence[Any]) -> _Outline:
    leaves, ops, named, sized, typed = (list[int]() for _ in range(5))
    for at, node in enumerate(nodes):
        if type(node) is AccumulateGrad:
            leaves.append(at)
            continue
        ops.append(at)
        name = node.name()
        if type(node).__name__ != name:  # C++ functions without a Python class of their own share one
            named.append(at)
        follows = _ALL if name in _FOLLOWING else _DTYPE if name in _VIEWS else _NOTHING
        if any(child is None for child, _ in node.next_functions):
            follows = _NOTHING
        if follows != _ALL:
            sized.append(at)
        if follows == _NOTHING:
            typed.append(at)
    return _Outline(tuple(leaves), tuple(ops), tuple(named), tuple(sized), tuple(typed))


def root_of(given: torch.Tensor | GradientEdge) -> Root | None:
    """Where the graph of what a pass was started from begins, None where it has none."""
    if isinstance(given, GradientEdge):
        return Root(given.node, given.output_nr, given)
    if not given.requires_grad:
        return None
    node = given.grad_fn if given.grad_fn is not None else torch.autograd.graph.get_gradient_edge(given).node
    return Root(node, given.output_nr, given)


def looks(root: Root) -> tuple[Shape, str, str]:
    """Sizes, dtype and device of what a pass started from."""
    given: Any = root.given
    described = root.node._input_metadata[root.output_nr] if isinstance(given, GradientEdge) else given
    return plain_sizes(described), plain_dtype(described.dtype), str(described.device)


def describe(
    found: Walk, leaf_code: Callable[[torch.Tensor], int], inside_of: Callable[[Any], Inside | None]
) -> tuple[NodeFacts, ...]:
    """The facts of every node of the walk, in its order."""
    position = {node: at for at, node in enumerate(found.nodes)}
    return tuple(_facts(node, position, leaf_code, inside_of) for node in found.nodes)


def _facts(
    node: Any,
    position: dict[Any, int],
    leaf_code: Callable[[torch.Tensor], int],
    inside_of: Callable[[Any], Inside | None],
) -> NodeFacts:
    name = node.name()
    if type(node) is AccumulateGrad:
        leaf = node.variable
        return NodeFacts(
            name, leaf_code(leaf), (), (tuple(leaf.shape),), plain_dtype(leaf.dtype), str(leaf.device), False
        )
    inputs = tuple(
        (position[child], output_nr, slot)
        for slot, (child, output_nr) in enumerate(node.next_functions)
        if child is not None
    )
    metadata = node._input_metadata
    shapes = tuple(plain_sizes(item) for item in metadata)
    dtype, device = (plain_dtype(metadata[0].dtype), str(metadata[0].device)) if metadata else ("", "")
    return NodeFacts(name, None, inputs, shapes, dtype, device, _is_opaque(name), inside_of(node))


def _sizes(metadata: Any) -> list[int]:
    """Sizes of the output the node belongs to; empty for a nested tensor, whose sizes are not numbers."""
    try:
        return metadata.shape  # type: ignore[no-any-return]
    except RuntimeError:
        return []


def plain_sizes(metadata: Any) -> Shape:
    """Sizes as integers that say nothing of this very tensor: -1 for the ragged dimension of a jagged one."""
    return tuple(size if isinstance(size, int) else -1 for size in _sizes(metadata))


def plain_dtype(dtype: torch.dtype) -> str:
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


# Sizes that a call is given may differ where nothing else in the graph does; dimensions (of a transpose) hardly do.
_FOLLOWING = _backward_names(
    """Abs Add Addbmm Addmm Addmv Baddbmm Bmm Clamp Clone Cos Div Dot Elu Exp Gelu HardTanh Hardsigmoid Hardswish
    LeakyRelu Log LogSoftmax Mish Mm Mul Mv NativeBatchNorm NativeDropout NativeLayerNorm Neg Permute Pow Reciprocal
    Relu Rsqrt SafeSoftmax Select Sigmoid Silu Sin Softmax Softplus Sqrt Squeeze Sub T Tanh Transpose Unsqueeze"""
)
_VIEWS = _backward_names("AsStrided Diagonal Expand Narrow ReshapeAlias Slice UnsafeView View")
