"""Comparisons of a query, on arrays."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.model.query import Number

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}


def compared(number: Number, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the comparison holds, (n,); never where a value is NaN, which stands for none."""
    if number.modulus is not None:
        with np.errstate(invalid="ignore"):  # of what is not finite nothing is left
            values = np.mod(values, number.modulus)
    holds: NDArray[np.bool_] = _OPERATORS[number.operator](values, number.value) & ~np.isnan(values)
    return holds


def is_so(comparison: str, value: float, bound: float) -> bool:
    return bool(_OPERATORS[comparison](value, bound))
