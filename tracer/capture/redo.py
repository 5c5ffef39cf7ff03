"""The output of one op again, from inputs that autograd kept: to tell an op that spoilt a value from one that passed it
on. No module, function or hook of the user's runs."""

from collections.abc import Callable
from typing import Any

import torch

from tracer.capture.aside import aside
from tracer.capture.saved import saved_tensors
from tracer.capture.walk import AccumulateGrad

Saved = dict[str, torch.Tensor]


def output_of(node: Any) -> torch.Tensor | None:
    """None where the op is not known here, or autograd did not keep all its inputs. A bias is left out."""
    redo = _OPS.get(node.name())
    if redo is None:
        return None
    names, compute = redo
    saved = {name: tensor for name, tensor in saved_tensors(node) if name in names}
    if weight := _unsaved_weight(node, set(names) - saved.keys()):
        saved.update(weight)
    if saved.keys() != set(names) or not all(_is_plain(tensor) for tensor in saved.values()):
        return None
    with aside():
        return compute(node, saved)


def exact_output_of(node: Any) -> torch.Tensor | None:
    """The same, None also where a bias is left out."""
    return None if node.name() in _WITH_BIAS else output_of(node)


def _is_plain(tensor: torch.Tensor) -> bool:
    return type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout == torch.strided


def _unsaved_weight(node: Any, missing: set[str]) -> Saved:
    """A first layer keeps no weight, as nobody asks for its input's gradient; but the weight hangs in the graph."""
    slot = _WEIGHT_SLOTS.get(node.name())
    if slot is None or missing != {slot[0]} or slot[1] >= len(node.next_functions):
        return {}
    child = node.next_functions[slot[1]][0]
    is_transposed = child is not None and child.name() == "TBackward0"
    leaf = child.next_functions[0][0] if is_transposed else child
    if type(leaf) is not AccumulateGrad:
        return {}
    weight = leaf.variable
    return {slot[0]: weight.t() if is_transposed and _is_plain(weight) else weight}


def _unary(function: Callable[[torch.Tensor], torch.Tensor]) -> tuple[tuple[str, ...], Callable[..., torch.Tensor]]:
    return ("self",), lambda _, saved: function(saved["self"])


def _binary(
    function: Callable[..., torch.Tensor], left: str = "self", right: str = "other"
) -> tuple[tuple[str, ...], Callable[..., torch.Tensor]]:
    return (left, right), lambda _, saved: function(saved[left], saved[right])


def _convolve(node: Any, saved: Saved) -> torch.Tensor:
    return torch.ops.aten.convolution(  # type: ignore[no-any-return]
        saved["input"],
        saved["weight"],
        None,
        node._saved_stride,
        node._saved_padding,
        node._saved_dilation,
        node._saved_transposed,
        node._saved_output_padding,
        node._saved_groups,
    )


_WEIGHT_SLOTS = {"AddmmBackward0": ("mat2", 2), "ConvolutionBackward0": ("weight", 1), "MmBackward0": ("mat2", 1)}

_WITH_BIAS = ("AddmmBackward0", "ConvolutionBackward0")

# Biases are left out: they are parameters and looked at by themselves.
_OPS: dict[str, tuple[tuple[str, ...], Callable[..., torch.Tensor]]] = {
    "AcosBackward0": _unary(torch.acos),
    "AcoshBackward0": _unary(torch.acosh),
    "AddmmBackward0": _binary(torch.mm, "mat1", "mat2"),
    "AsinBackward0": _unary(torch.asin),
    "AtanhBackward0": _unary(torch.atanh),
    "BmmBackward0": _binary(torch.bmm, "self", "mat2"),
    "ConvolutionBackward0": (("input", "weight"), _convolve),
    "CoshBackward0": _unary(torch.cosh),
    "DivBackward0": _binary(torch.div),
    "Log10Backward0": _unary(torch.log10),
    "Log1PBackward0": _unary(torch.log1p),
    "Log2Backward0": _unary(torch.log2),
    "LogBackward0": _unary(torch.log),
    "MmBackward0": _binary(torch.mm, "self", "mat2"),
    "MulBackward0": _binary(torch.mul),
    "PowBackward0": (("self",), lambda node, saved: torch.pow(saved["self"], node._saved_exponent)),
    "SinhBackward0": _unary(torch.sinh),
    "XlogyBackward0": _binary(torch.xlogy),
}
