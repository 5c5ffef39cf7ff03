"""What autograd nodes keep for their backward, read without running anything of the user's.

A saved tensor under hooks (a checkpoint, offloading) is left alone: to unpack it would run its part of the forward pass
again. Those that an earlier backward freed, or that were changed in place since, cannot be read.
"""

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch

_RAW = "_raw_saved_"


def saved_tensors(node: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) of what can be read: the names of derivatives.yaml, or "saved:k" for a `torch.autograd.Function`.

    A tensor's `grad_fn` and `output_nr` tell who made it, be it the node itself.
    """
    for name in dir(node):
        if name == "_raw_saved_tensors":
            tensors = _read(node, name, "saved_tensors")
            yield from ((f"saved:{at}", tensor) for at, tensor in enumerate(tensors) if tensor is not None)
        elif name.startswith(_RAW):
            plain = name.removeprefix(_RAW)
            yield from ((plain, tensor) for tensor in _read(node, name, f"_saved_{plain}") if tensor is not None)


def _read(node: Any, raw_name: str, name: str) -> tuple[torch.Tensor | None, ...]:
    try:
        raw = getattr(node, raw_name)
        # before torch 2.15 a saved tensor does not tell whether it has hooks
        if any(getattr(each, "unpack_hook", True) is not None for each in _tuple(raw) if each is not None):
            return ()
        return _tuple(getattr(node, name))
    except RuntimeError:
        return ()


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def is_freed(node: Any) -> bool | None:
    """Whether a backward has freed what the node had saved; None for a node that saves nothing, or does not tell."""
    held = []
    for name in _raw_names(type(node)):
        try:
            raw = _tuple(getattr(node, name))
        except RuntimeError:  # a `torch.autograd.Function` says it so
            return True
        held += [each.data is not None for each in raw if hasattr(each, "data")]
    return not any(held) if held else None


def is_overwritten(node: Any) -> bool:
    """Whether something that the node saved was changed in place since."""
    return any(_is_overwritten(node, name) for name in _raw_names(type(node)))


_names: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


def _raw_names(kind: type) -> tuple[str, ...]:
    if kind not in _names:
        _names[kind] = tuple(name for name in dir(kind) if name.startswith(_RAW))
    return _names[kind]


def _is_overwritten(node: Any, raw_name: str) -> bool:
    name = "saved_tensors" if raw_name == "_raw_saved_tensors" else raw_name.removeprefix("_raw")
    try:
        raw = getattr(node, raw_name)
        if any(getattr(each, "unpack_hook", True) is not None for each in _tuple(raw) if each is not None):
            return False
        getattr(node, name)
    except RuntimeError as error:
        return "inplace operation" in str(error)
    return False
