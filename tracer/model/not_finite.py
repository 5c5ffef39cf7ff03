"""What an event `not_finite` says of the op where a NaN or an Inf began: its inputs and its output.

    inputs   a list in the order of the op's arguments, each with
             input_nr   its place in `next_functions`, None where that is not known
             name       what PyTorch calls it ("self", "mat1"), None where the op does not keep it
             node       the key of the op or parameter that it came from, None from outside of the graph
             parameter  the parameter that it is, or is the transpose of
             shape, dtype, values
    output   shape, dtype, values
    values   count, nans, infs, zeros; min, max, mean of the finite ones. None where the tensor was gone.

Tapes of earlier versions lack these fields, and a tape may come from anywhere: what makes no sense is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

_COUNTS = ("count", "nans", "infs", "zeros")
_MOST_INPUTS = 100


@dataclass(frozen=True, slots=True)
class Values:
    """`lowest`, `highest` and `mean` are of the finite values, None where there are none."""

    count: int
    nans: int
    infs: int
    zeros: int
    lowest: float | None
    highest: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class Operand:
    """One input of an op, or its output."""

    name: str
    node: str
    parameter: str
    shape: tuple[int, ...] | None
    dtype: str
    values: Values | None


def unsearched_text(data: Mapping[str, Any]) -> str:
    """Why an event has no origin, in words."""
    if data.get("late"):
        return "an accelerator tells it a step late, and the graph of the next step shows no cause"
    return "the graph of this step was not recorded"


def origin_text(data: Mapping[str, Any]) -> str:
    """Where a NaN or an Inf came from, in words."""
    value = {"nan": "NaN", "inf": "Inf"}.get(str(data.get("value")), "not finite")
    if data.get("what") == "gradient":
        return f"{value} in the gradient of {data.get('parameter')}"
    if data.get("origin") is None:
        return f"{value} in the loss; {unsearched_text(data)}"
    call = str(data.get("call") or "")
    op = f"{data.get('op')} in {'the model itself' if call.startswith('#') else call or 'no module'}"
    left = f"parameter {data.get('parameter')}, as the update before left it, taken by {op}"
    thing = {"parameter": left, "input": f"input of {op}"}
    source = data.get("source") or {}
    where = f", {source.get('file')}:{source.get('line')}" if source else ""
    return f"{value} first in the {thing.get(str(data.get('origin')), f'output of {op}')}{where}"


def inputs_of(data: Mapping[str, Any]) -> tuple[Operand, ...]:
    """Of the op where it began; empty where the event does not say."""
    found = data.get("inputs")
    return (
        tuple(_operand(one) for one in found[:_MOST_INPUTS] if isinstance(one, dict)) if isinstance(found, list) else ()
    )


def output_of(data: Mapping[str, Any]) -> Operand | None:
    found = data.get("output")
    return _operand(found) if isinstance(found, dict) else None


def place_of(operand: Operand) -> str:
    """Where an input came from: a parameter, a node's key, or outside of the graph."""
    return operand.parameter or operand.node or "from outside the graph"


def values_text(values: Values, number: Callable[[float], str], count: Callable[[int], str]) -> str:
    """ "-8.3 to -0.2, mean -3.1", "all 12 are NaN", "0 to 4, mean 1; of 12 values 3 are 0". `number` and `count` write
    the numbers."""
    bad = [(values.nans, "NaN"), (values.infs, "Inf"), (values.zeros, "0")]
    for n, what in bad:
        if n == values.count:
            return f"all {count(n)} are {what}" if n > 1 else what
    notes = [f"{count(n)} {'is' if n == 1 else 'are'} {what}" for n, what in bad if n]
    rest = f"; of {count(values.count)} values {', '.join(notes)}" if notes else ""
    if values.lowest is None or values.highest is None or values.mean is None:
        return rest.removeprefix("; ")
    if values.lowest == values.highest:
        return f"{number(values.lowest)}{rest}"
    return f"{number(values.lowest)} to {number(values.highest)}, mean {number(values.mean)}{rest}"


def _operand(data: Mapping[str, Any]) -> Operand:
    shape = data.get("shape")
    sizes = shape if isinstance(shape, list) and all(type(size) is int for size in shape) else None
    return Operand(
        _text(data.get("name")) or _numbered(data.get("input_nr")),
        _text(data.get("node")),
        _text(data.get("parameter")),
        None if sizes is None else tuple(sizes),
        _text(data.get("dtype")),
        _values(data.get("values")),
    )


def _values(data: object) -> Values | None:
    if not isinstance(data, dict):
        return None
    counts = [count for name in _COUNTS if type(count := data.get(name)) is int and count >= 0]
    if len(counts) < len(_COUNTS) or not counts[0]:
        return None
    count, nans, infs, zeros = counts
    low, high, mean = (_number(data.get(name)) for name in ("min", "max", "mean"))
    return Values(count, nans, infs, zeros, low, high, mean)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _numbered(input_nr: object) -> str:
    return f"input {input_nr}" if type(input_nr) is int else "input"
