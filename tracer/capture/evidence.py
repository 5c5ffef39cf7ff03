"""What the op that spoilt a value took and gave: numbers of those tensors that autograd keeps, or that are its leaves.

Read while the graph is alive, once for a row of bad steps. What a checkpoint would have to compute again is left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tracer.capture.aside import aside, numbers_of
from tracer.capture.moments import PIECE, flat
from tracer.capture.redo import exact_output_of
from tracer.capture.saved import saved_tensors
from tracer.capture.walk import AccumulateGrad, plain_dtype, plain_sizes

_COUNTS = ("count", "nans", "infs", "zeros")
_Ends = dict[tuple[Any, int], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Values:
    """How many values there are, which of them are not finite or zero, and where the finite ones lie; of complex values
    that is their distance from zero. None where none is finite."""

    count: int
    nans: int
    infs: int
    zeros: int
    min: float | None
    max: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A tensor: its sizes and dtype, and its values where it is still there and has floating numbers."""

    shape: tuple[int, ...]
    dtype: str
    values: Values | None


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """One input. `name` is what PyTorch calls it, where the op keeps it; `input_nr` its place in `next_functions`.

    `number` is the sequence number of the node it came from, None for a leaf and for what came from outside the graph;
    `leaf` is the parameter it is, or is the transpose of.
    """

    input_nr: int | None
    name: str | None
    number: int | None
    leaf: torch.Tensor | None
    seen: Seen


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Inputs in the order of the op's arguments, those without a known place last."""

    inputs: tuple[Taken, ...] = ()
    output: Seen | None = None


def gather(loss: torch.Tensor, nodes: Sequence[Any], number: int | None) -> Evidence:
    """Of the op with the sequence number `number` among the alive `nodes`. Reads values: waits for an accelerator."""
    ops = (node for node in nodes if type(node) is not AccumulateGrad)
    op = next((node for node in ops if node._sequence_nr() == number), None)
    if op is None:
        return Evidence()
    with torch.no_grad():
        kept = _kept_around(op, nodes)
        if loss.grad_fn is op:
            kept[op, loss.output_nr] = loss
        inputs = (*_from_graph(op, kept), *_from_outside(op))
        in_order = sorted(inputs, key=lambda taken: len(inputs) if taken.input_nr is None else taken.input_nr)
        return Evidence(tuple(in_order), _given(op, kept))


def values_of(tensor: torch.Tensor) -> Values | None:
    """None where the tensor has no floating or complex numbers to be read."""
    with aside():
        parts = [_values_of_piece(piece) for plain in numbers_of(tensor) if plain.numel() for piece in _pieces(plain)]
    return _together(parts) if parts else None


def _kept_around(op: Any, nodes: Sequence[Any]) -> _Ends:
    """Outputs of the op and of those it takes from, by node and output: kept by one that takes or makes them."""
    makers = {child for child, _ in op.next_functions if child is not None} | {op}
    keepers = {node for node in nodes if not makers.isdisjoint(child for child, _ in node.next_functions)} | makers
    kept: _Ends = {}
    for node in keepers:
        for _, tensor in saved_tensors(node):
            if tensor.grad_fn in makers:
                kept[tensor.grad_fn, tensor.output_nr] = tensor
    return kept


def _from_graph(op: Any, kept: _Ends) -> list[Taken]:
    saved = list(saved_tensors(op))
    names = {(tensor.grad_fn, tensor.output_nr): name for name, tensor in saved if tensor.grad_fn is not None}
    leaf_names = {id(tensor): name for name, tensor in saved if tensor.grad_fn is None}
    found = []
    for at, (child, output_nr) in enumerate(op.next_functions):
        if child is None:
            continue
        leaf = _leaf_of(child)
        if type(child) is AccumulateGrad:
            found.append(Taken(at, leaf_names.get(id(leaf)), None, leaf, _seen(child.variable)))
            continue
        tensor = kept.get((child, output_nr))
        if tensor is None and output_nr == 0:
            tensor = exact_output_of(child)
        seen = _unseen(child, output_nr, leaf) if tensor is None else _seen(tensor)
        found.append(Taken(at, names.get((child, output_nr)), child._sequence_nr(), leaf, seen))
    return found


def _from_outside(op: Any) -> list[Taken]:
    """Data, and numbers in the code. They have a place only where there are as many as places without a node."""
    places = [at for at, (child, _) in enumerate(op.next_functions) if child is None]
    outside = [
        (name, tensor)
        for name, tensor in saved_tensors(op)
        if tensor.grad_fn is None and not tensor.requires_grad and _is_argument(name, tensor)
    ]
    known = places if len(places) == len(outside) else [None] * len(outside)
    pairs = zip(known, outside, strict=True)
    return [Taken(at, name, None, None, _seen(tensor)) for at, (name, tensor) in pairs]


def _is_argument(name: str, tensor: torch.Tensor) -> bool:
    """Whether a tensor that a node keeps is what the op was given, and has numbers that could be wrong."""
    is_made = name.startswith(("result", "running_", "total_weight", "output")) or "mask" in name
    return not is_made and (tensor.is_floating_point() or tensor.is_complex())


def _leaf_of(child: Any) -> torch.Tensor | None:
    """The parameter that a node stands for, or transposes: what a linear layer takes."""
    if child.name() == "TBackward0":
        child = child.next_functions[0][0]
    return child.variable if type(child) is AccumulateGrad else None


def _given(op: Any, kept: Mapping[tuple[Any, int], torch.Tensor]) -> Seen | None:
    """The first output that is known not to be finite, else the first that is known."""
    found = [_seen(kept[op, nr]) for nr in range(len(op._input_metadata)) if (op, nr) in kept]
    again = None if found else exact_output_of(op)
    if again is not None:
        return _seen(again)
    if not found:
        return _unseen(op, 0) if op._input_metadata else None
    return next((seen for seen in found if seen.values and seen.values.nans + seen.values.infs), found[0])


def _seen(tensor: torch.Tensor) -> Seen:
    return Seen(plain_sizes(tensor), plain_dtype(tensor.dtype), values_of(tensor))


def _unseen(node: Any, output_nr: int, leaf: torch.Tensor | None = None) -> Seen:
    """An output that nobody keeps; a transposed leaf has the values of the leaf."""
    metadata = node._input_metadata[output_nr]
    return Seen(plain_sizes(metadata), plain_dtype(metadata.dtype), None if leaf is None else values_of(leaf))


def _pieces(values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """So small that what is computed of one takes no memory to speak of."""
    if values.layout != torch.strided:
        values = values._values() if values.layout == torch.sparse_coo else values.values()
    if not values.dim():
        # Of a Python number that autograd saved as a tensor, operators other than `item` tell garbage (torch 2.15).
        values = torch.tensor([values.item()], dtype=values.dtype)
    return torch.split(flat(values), PIECE)


def _values_of_piece(values: torch.Tensor) -> Values:
    if values.is_complex():
        values = values.abs()
    if values.dtype.itemsize <= 2:
        values = values.float()
    finite = values[values.isfinite()]
    nans, zeros = int(values.isnan().sum()), int((values == 0).sum())
    infs = values.numel() - finite.numel() - nans
    if not finite.numel():
        return Values(values.numel(), nans, infs, zeros, None, None, None)
    low, high = torch.aminmax(finite)
    wide = torch.float32 if values.device.type == "mps" else torch.float64  # which has no more
    return Values(values.numel(), nans, infs, zeros, low.item(), high.item(), finite.mean(dtype=wide).item())


def _together(parts: Sequence[Values]) -> Values:
    count, nans, infs, zeros = (sum(getattr(part, name) for part in parts) for name in _COUNTS)
    finite = [(part.min, part.max, part.mean, part.count - part.nans - part.infs) for part in parts]
    known = [(low, high, mean, n) for low, high, mean, n in finite if low is not None]
    if not known:
        return Values(count, nans, infs, zeros, None, None, None)
    lows, highs, means, counts = zip(*known, strict=True)
    mean = sum(mean * n for mean, n in zip(means, counts, strict=True)) / sum(counts)
    return Values(count, nans, infs, zeros, min(lows), max(highs), mean)
