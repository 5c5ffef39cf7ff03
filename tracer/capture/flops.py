"""FLOPs of operators by the formulas of `torch.utils.flop_counter`, computed once for each operator and sizes."""

from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode, flop_registry

_MAX_KNOWN = 100_000
_ABSENT, _PARTS, _NESTED = object(), object(), object()

_NUMBERS = (int, float, complex, str, type(None))

_Signature = tuple[object, ...]


class Flops:
    """Counts by operator and the sizes of its arguments."""

    def __init__(self) -> None:
        self._formulas: dict[Any, Any] = {}  # by operator: how to count it, None where that is unknown
        self._known: dict[_Signature, int | None] = {}

    def count(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int | None:
        """None where there is no formula. Must run with the dispatch mode out of the way."""
        formula = self._formulas.get(func, _ABSENT)
        if formula is _ABSENT:
            formula = self._formulas[func] = _formula(func)
        if formula is None:
            return None
        signature = func, *map(_size, args), *((name, _size(value)) for name, value in kwargs.items())
        try:
            return self._known[signature]
        except KeyError:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            count = self._known[signature] = _count(formula, func, args, kwargs, result)
            return count
        except TypeError:  # symbolic sizes have no hash
            return _count(formula, func, args, kwargs, result)


def _size(value: Any) -> object:
    if isinstance(value, torch.Tensor):
        return _NESTED if value.is_nested else value.shape
    if isinstance(value, (list, tuple)):
        return tuple(map(_size, value))
    return value if isinstance(value, _NUMBERS) else type(value)


def _formula(func: Any) -> Any:
    packet = getattr(func, "_overloadpacket", func)
    return flop_registry.get(packet) or (_PARTS if _is_composite(func) else None)


def _is_composite(func: Any) -> bool:
    """Whether it runs as other operators, which modes see one by one only where autograd is at work; in inference mode
    they see the whole."""
    return (
        isinstance(func, torch._ops.OpOverload)
        and func.namespace != "prim"
        and bool(torch._C._dispatch_has_kernel_for_dispatch_key(str(func._name), "CompositeImplicitAutograd"))
    )


def _count(formula: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int | None:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if any(tensor.is_nested for tensor in tensors):  # formulas want sizes that are numbers
        return None
    try:
        if formula is not _PARTS:
            if not hasattr(formula, "__wrapped__"):  # reads lengths out of tensors; without data it takes the longest
                args, kwargs, result = tree_map(_without_data, (args, kwargs, result))
            return int(formula(*args, **kwargs, out_val=result))
        if tensors and all(type(tensor) in _PLAIN and tensor.layout == torch.strided for tensor in tensors):
            return _count_parts(func, args, kwargs)
    except (AssertionError, RuntimeError, TypeError, ValueError):  # not made for these arguments
        pass
    return None


def _count_parts(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """What the operators that `func` runs as add up to, found out without data."""
    args, kwargs = tree_map(_without_data, (args, kwargs))
    counter = FlopCounterMode(display=False)
    with counter:
        func(*args, **kwargs)
    total: int = counter.get_total_flops()
    return total or None


_PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


def _without_data(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
