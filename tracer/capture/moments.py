"""Mean, spread and extremes of tensors, in as few passes over the data as there are, and of several tensors together.

A measured tensor is a row of `COLUMNS`: on the CPU of numbers, in pieces that fit the cache; on an accelerator still on
its device, nothing waited for. `combine` makes one row of several.
"""

from collections.abc import Iterator, Sequence
from math import isfinite, nan

import numpy as np
import torch
from numpy.typing import NDArray

COLUMNS = ("mean", "squares", "min", "max", "zeros", "nans", "infs")
"""`squares`: the sum of the squared distances from the mean. The last three are counts."""

RESULTS = ("mean", "std", "min", "max", "zeros", "nans", "infs")
"""`zeros` is a share; std as `torch.std` gives it (unbiased)."""

PIECE = 1 << 20  # elements; what the scratch memory holds

Row = Sequence[float] | torch.Tensor


class Scratch:
    """Memory for intermediate values, so that a step touches no fresh pages for each tensor."""

    def __init__(self) -> None:
        self._memory: dict[torch.dtype, torch.Tensor] = {}

    def of(self, like: torch.Tensor) -> torch.Tensor:
        """One-dimensional, as long as `like`, on the CPU."""
        length = like.numel()
        found = self._memory.get(like.dtype)
        if found is None or found.numel() < length:
            with torch.inference_mode(False):  # what is made in inference mode cannot be written to outside of it
                found = self._memory[like.dtype] = torch.empty(length, dtype=like.dtype, device="cpu")
        return found[:length]


def measure(tensor: torch.Tensor, scratch: Scratch) -> Iterator[tuple[int, int, Row]]:
    """(number of values with a mean, number of all values, row) for each piece of a floating or complex tensor.

    Of complex values only zeros, NaN and Inf are counted, of a sparse tensor's the last two. To be called inside
    `aside`.
    """
    if tensor.numel() == 0:
        return
    if tensor.layout != torch.strided:
        values = tensor._values() if tensor.layout == torch.sparse_coo else tensor.values()
        yield 0, 0, _counts(values, with_zeros=False)
    elif tensor.is_complex():
        yield 0, tensor.numel(), _counts(tensor, with_zeros=True)
    elif tensor.is_cpu:
        for piece in torch.split(flat(tensor), PIECE):
            yield piece.numel(), piece.numel(), _numbers(piece, scratch)
    else:
        yield tensor.numel(), tensor.numel(), _queued(tensor)


def combine(
    rows: NDArray[np.float64], with_mean: NDArray[np.int64], sizes: NDArray[np.int64], starts: Sequence[int]
) -> NDArray[np.float64]:
    """`RESULTS` of each group of rows, (groups, 7) float64; a group reaches from its start to the next one's, none is
    empty. `with_mean` and `sizes` count the values behind each row."""
    mean, squares, low, high, zeros, nans, infs = rows.T
    n, size = np.add.reduceat(with_mean, starts), np.add.reduceat(sizes, starts)
    group = np.repeat(np.arange(len(starts)), np.diff([*starts, len(rows)]))
    has_mean = with_mean > 0

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.add.reduceat(np.where(has_mean, values, 0.0), starts)

    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(n > 0, total(mean * with_mean) / n, nan)
        spread = total(squares + with_mean * (mean - means[group]) ** 2)
        std = np.where(n > 1, np.sqrt(spread / (n - 1)), nan)
        lowest = np.minimum.reduceat(np.where(has_mean, low, np.inf), starts)
        highest = np.maximum.reduceat(np.where(has_mean, high, -np.inf), starts)
        share = np.where(size > 0, np.add.reduceat(zeros, starts) / size, nan)
    lowest, highest = np.where(n > 0, lowest, nan), np.where(n > 0, highest, nan)
    return np.stack(
        [means, std, lowest, highest, share, np.add.reduceat(nans, starts), np.add.reduceat(infs, starts)], axis=1
    )


def _numbers(values: torch.Tensor, scratch: Scratch) -> Row:
    """Two passes for the spread, so that a large mean does not drown it; NaN and Inf are counted only where the sum
    tells of some. Extremes and zeros by numpy, whose loops are two to ten times as fast on one core."""
    n = values.numel()
    if values.dtype not in (torch.float32, torch.float64):
        values = values.float()
    array = values.numpy()
    mean = values.sum().item() / n
    squares = torch.linalg.vector_norm(torch.sub(values, mean, out=scratch.of(values))).item() ** 2
    with np.errstate(invalid="ignore"):
        low, high = float(array.min()), float(array.max())
    is_finite = isfinite(mean)
    zeros = int(np.count_nonzero(array == 0)) if low <= 0 <= high or not is_finite else 0
    nans, infs = (0, 0) if is_finite else (int(values.isnan().sum()), int(values.isinf().sum()))
    return mean, squares, low, high, zeros, nans, infs


def _queued(values: torch.Tensor) -> torch.Tensor:
    """The row as a tensor on the accelerator; float32, which every accelerator has."""
    if values.dtype != torch.float64:
        values = values.float()
    variance, mean = torch.var_mean(values, correction=0)
    low, high = torch.aminmax(values)
    counts = [_count(condition) for condition in (values == 0, values.isnan(), values.isinf())]
    return torch.stack([number.float() for number in (mean, variance * values.numel(), low, high, *counts)])


def _counts(values: torch.Tensor, with_zeros: bool) -> Row:
    conditions = [values == 0, values.isnan(), values.isinf()]
    counts = torch.stack([_count(condition) for condition in conditions])
    row = torch.cat([torch.zeros(4, device=counts.device), counts])
    if not with_zeros:
        row[4] = 0
    return row.tolist() if row.is_cpu else row


def _count(condition: torch.Tensor) -> torch.Tensor:
    return condition.sum(dtype=torch.float32)


def flat(tensor: torch.Tensor) -> torch.Tensor:
    """All values in some order, without a copy wherever they lie close together in memory."""
    if torch.ops.aten.is_non_overlapping_and_dense(tensor):
        return tensor.as_strided((tensor.numel(),), (1,), tensor.storage_offset())
    return tensor.reshape(-1)
