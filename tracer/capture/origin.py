"""Where a NaN or an Inf came from: the search in a graph that is about to run backward from a loss that is not finite.

Autograd keeps some tensors of the forward pass; each says of the op that made it whether its output was finite. From
the loss the search goes backwards over all edges but those that a finite tensor is known to have crossed: what it
reaches may have spoilt the loss. There the first parameter, input or output in forward order that is not finite is the
origin, or, where nothing was kept of the ops just before it, the one of them that is likeliest to do such a thing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from tracer.capture.aside import aside, numbers_of
from tracer.capture.redo import output_of
from tracer.capture.saved import saved_tensors
from tracer.capture.walk import AccumulateGrad
from tracer.model.statistics import Statistics

Value = Literal["nan", "inf"]


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What was not finite first.

    `kind` "op": the output of the node `number`; "input": what that node took from outside the graph, under the name
    `source`; "parameter": `leaf`, which that node took. `number` is autograd's sequence number.
    """

    kind: Literal["op", "parameter", "input"]
    number: int | None
    leaf: torch.Tensor | None
    source: str | None
    value: Value


@dataclass(frozen=True, slots=True)
class BadGradients:
    """Parameters with a gradient that is not finite, the one closest to the loss first."""

    parameters: tuple[str, ...]
    value: Value


def find_origin(loss: torch.Tensor, nodes: Sequence[Any], suspects: Sequence[range] = ()) -> Origin | None:
    """Search the alive `nodes` that `loss` reaches; None where the loss is finite or has no graph.

    `suspects` are `Measuring.suspects`, where the step is measured. Reads values: waits for an accelerator.
    """
    value = _value_of(loss)
    if value is None:
        return None
    if loss.grad_fn is None:
        return Origin("parameter", None, loss, None, value)
    with torch.no_grad():
        return _Search(loss, value, nodes).origin(suspects)


def bad_gradients(statistics: Statistics) -> BadGradients | None:
    """Those of a measured step; None where all gradients are finite, or not measured."""
    table = statistics.parameters
    if "grad_norm" not in table.columns:
        return None
    norms, has_grad = table.column("grad_norm"), table.column("has_grad")
    bad = [at for at in np.flatnonzero(has_grad == 1).tolist() if not np.isfinite(norms[at])]
    if not bad:
        return None
    names = tuple(table.keys[at] for at in reversed(bad))  # rows stand in the order of the forward pass
    return BadGradients(names, "nan" if np.isnan(norms[bad]).any() else "inf")


class _Search:
    """Nodes go by their index in the given order."""

    def __init__(self, loss: torch.Tensor, value: Value, nodes: Sequence[Any]) -> None:
        self._nodes = nodes
        self._index: dict[Any, int] = {node: at for at, node in enumerate(nodes)}
        self._root = self._index[loss.grad_fn]
        self._value = value
        self._outputs: dict[tuple[int, int], Value | None] = {}  # by node and number of the output; None: finite
        self._inputs: dict[int, tuple[str, Value]] = {}  # by the node that took it
        self._redone: set[int] = set()
        for at, node in enumerate(nodes):
            self._read(at, node)
        self._outputs[self._root, loss.output_nr] = value

    def origin(self, suspects: Sequence[range]) -> Origin:
        reached = self._reach([self._root])
        for at in sorted(reached, key=self._number):
            if leaves := reached[at]:
                leaf = leaves[0]
                return Origin("parameter", self._number(at), self._nodes[leaf].variable, None, self._spoilt(leaf))
            if at in self._inputs:
                source, value = self._inputs[at]
                return Origin("input", self._number(at), None, source, value)
            found = self._of(at)
            if found is not None and not self._is_meant(at, found):
                return self._choose(at, found, suspects)
        return self._choose(self._root, self._value, suspects)

    def _choose(self, spoilt: int, value: Value, suspects: Sequence[range]) -> Origin:
        """Among the node whose output is known not to be finite, and those before it of which nothing is known."""
        candidates = sorted(self._reach([spoilt]), key=self._number)
        for span in suspects:
            inside = [at for at in candidates if self._number(at) in span]
            if inside:
                candidates = inside
                break
        chosen = min(candidates, key=self._innocence)
        return Origin("op", self._number(chosen), None, None, self._of(chosen) or value)

    def _read(self, at: int, node: Any) -> None:
        if type(node) is AccumulateGrad:
            self._outputs[at, 0] = _value_of(node.variable)
            return
        for name, tensor in saved_tensors(node):
            value = _value_of(tensor)
            maker = tensor.grad_fn
            if maker is None and name.startswith("result"):  # of batch norm: what has no gradient of its own
                if value is not None:
                    self._outputs.setdefault((at, 0), value)
            elif maker is not None:
                made_at = self._index.get(maker)
                if made_at is not None:
                    self._outputs[made_at, tensor.output_nr] = value
            elif value is not None and not tensor.requires_grad and _is_data(node, name):
                self._inputs.setdefault(at, (name, value))

    def _reach(self, start: list[int]) -> dict[int, list[int]]:
        """The ops from which something not known to be finite reaches these, with the spoilt leaves that each took."""
        reached: dict[int, list[int]] = {}
        while start:
            at = start.pop()
            if at in reached:
                continue
            reached[at] = leaves = []
            for child, output_nr in self._nodes[at].next_functions:
                source = self._index.get(child)
                if source is None:
                    continue
                if type(child) is AccumulateGrad:
                    if self._outputs[source, 0] is not None:
                        leaves.append(source)
                elif self._may_be_spoilt(source, output_nr):
                    start.append(source)
        return reached

    def _may_be_spoilt(self, at: int, output_nr: int) -> bool:
        if (at, output_nr) not in self._outputs and at not in self._redone:
            self._redone.add(at)
            output = None if self._takes_spoilt_leaf(at) else output_of(self._nodes[at])
            if output is not None:
                self._outputs[at, 0] = _value_of(output)
        return self._outputs.get((at, output_nr), self._value) is not None

    def _takes_spoilt_leaf(self, at: int) -> bool:
        return any(
            type(child) is AccumulateGrad and self._outputs[self._index[child], 0] is not None
            for child, _ in self._nodes[at].next_functions
        )

    def _of(self, at: int) -> Value | None:
        """What is wrong with the outputs of a node, as far as known."""
        values = [self._outputs.get((at, nr)) for nr in range(len(self._nodes[at]._input_metadata))]
        return "nan" if "nan" in values else "inf" if "inf" in values else None

    def _spoilt(self, leaf: int) -> Value:
        value = self._outputs[leaf, 0]
        assert value is not None, "only spoilt leaves are asked for"
        return value

    def _is_meant(self, at: int, value: Value) -> bool:
        """Whether Inf is what the op was told to put there: a mask."""
        return value == "inf" and _stem(self._nodes[at]) in _MASKS

    def _innocence(self, at: int) -> tuple[int, int]:
        """Least for the likeliest; among equals the first decides."""
        node = self._nodes[at]
        stem = _stem(node)
        if stem in _HARMLESS or stem in _MASKS:
            return 3, self._number(at)
        if stem == "ToCopy":  # to half precision, perhaps
            return 2, self._number(at)
        is_prone = stem in _PRONE and not (stem == "Div" and _divides_by_no_zero(node))
        return (0 if is_prone or _is_opaque(node) else 1), self._number(at)

    def _number(self, at: int) -> int:
        return int(self._nodes[at]._sequence_nr())


def _value_of(tensor: torch.Tensor) -> Value | None:
    """What is not finite among the values; None where they all are, or have no such thing."""
    with aside():
        found = [_value_of_plain(values) for values in numbers_of(tensor)]
    return "nan" if "nan" in found else "inf" if "inf" in found else None


def _value_of_plain(values: torch.Tensor) -> Value | None:
    if values.layout == torch.sparse_coo:
        values = values._values()
    if values.dtype.itemsize <= 2:
        values = values.float()
    # One pass where all is well: a sum is finite only of finite numbers. Of a Python number that autograd saved as a
    # tensor torch 2.15 returns a sum that is garbage.
    if bool((values.sum() if values.dim() else values).isfinite()):
        return None
    return "nan" if bool(values.isnan().any()) else "inf" if bool(values.isinf().any()) else None


def _is_data(node: Any, name: str) -> bool:
    """Whether a tensor from outside the graph is one that must be finite, and was there before the op: not a mask, nor
    the running statistics that batch norm has just updated."""
    return "mask" not in name and not (name.startswith("running_") and node._saved_training)


def _divides_by_no_zero(node: Any) -> bool:
    with aside():  # a mode would be given the number that a tensor wraps, in its place
        return any(name == "other" and not bool((tensor == 0).any()) for name, tensor in saved_tensors(node))


def _is_opaque(node: Any) -> bool:
    """Whether the node stands for code of which autograd knows nothing."""
    return isinstance(node, torch.autograd.function.BackwardCFunction) or node.name().startswith("CppNode<")


def _stem(node: Any) -> str:
    return re.sub(r"Backward\d*$", "", str(node.name()))


# ops that turn ordinary finite numbers into others: domain errors, poles, growth
_PRONE = frozenset(
    """Acos Acosh Addcdiv Asin Atanh CholeskyInverse Cosh Cumprod Digamma Div Erfinv Exp Exp2 Expm1 Lgamma
    LinalgCholeskyEx LinalgEigh LinalgInvEx LinalgSlogdet LinalgSolveEx LinalgSvd Log Log10 Log1P Log2 LogSoftmax
    LogSigmoid Logit NllLoss NllLoss2D Polygamma Pow Prod Reciprocal Rsqrt Sinh Softmax Sqrt Std StdMean Tan Var VarMean
    Xlog1Py Xlogy""".split()
)

# ops that only move numbers, choose among them, bound or normalise them
_HARMLESS = frozenset(
    """Abs Alias Amax Amin AsStrided AvgPool2D Cat Ceil Clamp ClampMax ClampMin Clone Cos Detach Diagonal Elu Embedding
    Expand Flip Floor Gather Gelu Hardsigmoid Hardswish Hardtanh Index IndexSelect LeakyRelu Max MaxPool2DWithIndices
    Maximum Min Minimum Narrow NativeBatchNorm NativeGroupNorm NativeLayerNorm Neg Permute Relu Repeat ReshapeAlias Roll
    Round Select Sigmoid Sign Silu Sin Slice Sort Split SplitWithSizes Squeeze Stack T Tanh Topk Transpose Unbind Unfold
    UnsafeSplit UnsafeView Unsqueeze View""".split()
)

# ops that may be told to put Inf somewhere
_MASKS = frozenset("ConstantPadNd CopySlices Fill IndexFill IndexPut MaskedFill MaskedScatter Scatter Where".split())
