"""`torch.autograd.graph.node_creation_hook`, entered and left outside of a `with`."""

from collections.abc import Callable
from threading import get_ident
from typing import Any

import torch

from tracer.capture.hooks import Undo

_autograd: Any = torch._C._autograd

IS_AVAILABLE: bool = hasattr(_autograd, "_push_node_creation_hook")
"""Whether this torch has the hook: 2.14 has, 2.11 has not."""


def on_node_creation(hook: Callable[[Any], None]) -> Undo:
    """Call `hook(node)` for each autograd node finished on this thread, or on the engine's for it.

    The hooks are a stack that only pops its top. A user's own `with node_creation_hook` may begin before ours and end
    before it, or the other way round, so while ours is in we keep count of those above it.
    """
    push, pop = _autograd._push_node_creation_hook, _autograd._pop_node_creation_hook
    thread = get_ident()
    above: list[Any] = []

    def push_above(other: Any) -> None:
        push(other)
        if get_ident() == thread:
            above.append(other)

    def pop_around() -> None:
        if above or get_ident() != thread:
            pop()
            del above[-1:]
            return
        pop()
        try:
            pop()
        finally:
            push(hook)

    def undo() -> None:
        _autograd._push_node_creation_hook, _autograd._pop_node_creation_hook = push, pop
        if get_ident() != thread:  # the stack belongs to that thread; it ends with it
            return
        for _ in range(len(above) + 1):
            pop()
        for other in above:
            push(other)

    push(hook)
    _autograd._push_node_creation_hook, _autograd._pop_node_creation_hook = push_above, pop_around
    return undo
