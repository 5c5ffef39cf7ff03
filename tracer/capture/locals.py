"""The local variables of frames, read without running anything of the user's and without leaving a trace."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any

import torch

_MAX_DEPTH = 3
_MAX_ITEMS = 1_000  # of one container
_MAX_TENSORS = 20_000


@contextmanager
def locals_of(frame: FrameType) -> Iterator[Mapping[str, Any]]:
    """The variables by name; to be used inside the `with` alone.

    Before Python 3.13 a function's frame keeps what it was asked for, which would hold tensors for as long as it runs.
    """
    names = frame.f_locals
    try:
        yield names
    finally:
        if frame.f_code.co_flags & CO_OPTIMIZED and type(names) is dict:
            names.clear()


def is_tensor(value: object) -> bool:
    """As `isinstance` says it, which would ask the object itself."""
    return issubclass(type(value), torch.Tensor)


def tensors_in_locals(frame: FrameType) -> Iterator[torch.Tensor]:
    """Tensors that the frame's variables are or hold, in containers of Python's own, a few levels deep."""
    with locals_of(frame) as names:
        waiting = [(value, 0) for value in names.values()]
    seen: set[int] = set()
    count = 0
    while waiting and count < _MAX_TENSORS:
        value, depth = waiting.pop()
        if is_tensor(value):
            count += 1
            yield value
        elif depth < _MAX_DEPTH and id(value) not in seen:
            items = _items(value)
            if items:
                seen.add(id(value))
                waiting += [(item, depth + 1) for item in items]


def _items(value: Any) -> tuple[Any, ...]:
    kind = type(value)
    if issubclass(kind, tuple):
        return _first(tuple.__iter__(value))
    if issubclass(kind, list):
        return _first(list.__iter__(value))
    if issubclass(kind, dict):
        return _first(dict.values(value))
    return _first(value) if kind in (set, frozenset) else ()


def _first(items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(item for _, item in zip(range(_MAX_ITEMS), items, strict=False))
