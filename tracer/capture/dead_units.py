"""Units of an output that are zero for every sample of a batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.modules.dropout import _DropoutNd

from tracer.capture import moments

FEWEST_VALUES = 8
"""So many values a unit must have; of fewer it is chance that a rectifier lets none through."""

_CERTAIN = (
    torch.nn.ReLU,
    torch.nn.ReLU6,
    torch.nn.Threshold,
    torch.nn.Hardshrink,
    torch.nn.Softshrink,
    torch.nn.Hardsigmoid,
    torch.nn.Hardswish,
)
_PART = 8
_ZEROS = moments.COLUMNS.index("zeros")
_OF_NUMPY = (torch.float32, torch.float64)

Count = tuple[float | torch.Tensor, int]
"""How many units are dead, on an accelerator still there, of how many."""


def may_be_dead(module: torch.nn.Module, values: torch.Tensor, rows: Sequence[tuple[int, int, Any]]) -> bool:
    """Whether to look for dead units in an output, by its rows of `moments`: where it has as many zeros as a unit has
    values. Not of modules that have modules in them, whose outputs are mostly those of the last one, nor of a dropout
    that has no more zeros than it made; on an accelerator, which is not waited for, of rectifiers only."""
    if values.dim() < 2 or values.layout != torch.strided or values.is_complex() or module._modules:
        return False
    n_values = values.numel() // max(values.shape[unit_dim(values)], 1)
    if n_values < FEWEST_VALUES:
        return False
    if not values.is_cpu:
        return isinstance(module, _CERTAIN)
    zeros: float = sum(row[_ZEROS] for _, _, row in rows)
    is_dropped = isinstance(module, _DropoutNd) and zeros < 2 * module.p * values.numel()
    return zeros >= n_values and not is_dropped


def unit_dim(values: torch.Tensor) -> int:
    """The channels of images and volumes, (batch, channel, height, width, …); the last of all else, so of sequences
    (batch, time, feature)."""
    return 1 if values.dim() >= 4 else values.dim() - 1


def count_dead(values: torch.Tensor) -> Count:
    """NaN is not zero. To be called inside `aside`. On the CPU most units are known to live after the first samples;
    only the rest is looked at to the end."""
    dim = unit_dim(values)
    n_units = values.shape[dim]
    others = tuple(at for at in range(values.dim()) if at != dim)
    if not values.is_cpu:
        return (values == 0).all(others).sum(dtype=torch.float32), n_units
    array = (values if values.dtype in _OF_NUMPY else values.float()).numpy()
    n_first = max(len(array) // _PART, 1)
    suspects = np.flatnonzero(~array[:n_first].any(axis=others))
    if not len(suspects) or n_first == len(array):
        return len(suspects), n_units
    lives = array[n_first:].take(suspects, axis=dim).any(axis=others)
    return int(np.count_nonzero(~lives)), n_units
