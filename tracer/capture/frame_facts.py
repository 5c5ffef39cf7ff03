"""What a tape keeps of the frames that an exception came through: places, and variables in a few words each. Runs no
code of the user's, so an object is told by its type alone."""

import itertools
from collections.abc import Iterable, Sequence
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any

import torch

from tracer.capture.aside import aside, numbers_of
from tracer.capture.frames import Frames, Spot
from tracer.capture.locals import is_tensor, locals_of

_MAX_FRAMES = 24
_MAX_LOCALS = 40  # of one frame
_MAX_TEXT = 80
_MAX_COUNTED = 1 << 20  # elements of a tensor, a millisecond
_MAX_INT_BITS = 256

_SIZED = (str, bytes, list, tuple, dict, set, frozenset)
_DEFINED = (ModuleType, FunctionType, BuiltinFunctionType, type)


def frame_facts(spots: Sequence[Spot], frames: Frames) -> list[dict[str, object]]:
    """Of each frame file, line, function and locals, outermost first; of very many the innermost."""
    return [
        {**source_facts(spot, frames), "locals": _variables(spot[0])}
        for spot in spots[max(0, len(spots) - _MAX_FRAMES) :]
    ]


def source_facts(spot: Spot, frames: Frames) -> dict[str, object]:
    frame, line = spot
    source = frames.line((frame.f_code, line))
    return {"file": source.file, "line": source.line, "function": source.function}


def _variables(frame: FrameType) -> list[dict[str, object]]:
    with locals_of(frame) as names:
        shown = (
            (name, value)
            for name, value in names.items()
            if not name.startswith("__") and not issubclass(type(value), _DEFINED)
        )
        return variable_facts(shown)


def variable_facts(named: Iterable[tuple[str, Any]]) -> list[dict[str, object]]:
    """Of each its name beside `value_facts`; of very many the first."""
    return [{"name": name, **value_facts(value)} for name, value in itertools.islice(named, _MAX_LOCALS)]


def value_facts(value: Any) -> dict[str, object]:
    """The type, and of a tensor how it looks, of a number or a text what it says, of a container how much it holds."""
    kind = type(value)
    facts: dict[str, object] = {"type": kind.__name__}
    if is_tensor(value):
        return facts | tensor_facts(value)
    if kind in (bool, float, complex, type(None)) or (kind is int and value.bit_length() <= _MAX_INT_BITS):
        return facts | {"value": repr(value)}
    if kind is str:
        return facts | {"value": repr(value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + "…")}
    return facts | {"length": len(value)} if kind in _SIZED else facts


def tensor_facts(tensor: torch.Tensor) -> dict[str, object]:
    """Sizes (-1 for one that is no number), dtype and device; how many values are NaN or infinite where counting is
    quick."""
    with torch._C.DisableTorchFunctionSubclass():
        try:
            sizes = [size if type(size) is int else -1 for size in tensor.shape]
        except RuntimeError:  # a nested tensor
            sizes = []
        facts: dict[str, object] = {
            "shape": sizes,
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "device": str(tensor.device),
            "requires_grad": tensor.requires_grad,
        }
        is_plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
        if is_plain and tensor.device.type == "cpu" and tensor.numel() <= _MAX_COUNTED:
            facts |= _not_finite(tensor) if sizes else {"value": _number(tensor)}
    return facts


def _not_finite(tensor: torch.Tensor) -> dict[str, object]:
    with aside():
        values = list(numbers_of(tensor))
        return {
            "nans": sum(int(each.isnan().sum()) for each in values),
            "infs": sum(int(each.isinf().sum()) for each in values),
        }


def _number(tensor: torch.Tensor) -> str:
    with aside():
        return repr(tensor.detach().item())
