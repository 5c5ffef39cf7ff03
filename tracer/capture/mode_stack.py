"""Dispatch modes of ours under those of the user's, put in and taken out at any moment between two operators."""

from collections.abc import Callable
from functools import partial

import torch
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _get_current_dispatch_mode_stack,
    _pop_mode,
    _push_mode,
)

from tracer.capture.hooks import Undo, on_first_call

_graph_task_id: Callable[[], int] = torch._C._current_graph_task_id

QUESTIONS = frozenset(
    {
        torch.ops.aten.dim.default,
        torch.ops.aten.is_contiguous.default,
        torch.ops.aten.is_contiguous.memory_format,
        torch.ops.aten.is_non_overlapping_and_dense.default,
        torch.ops.aten.is_strides_like_format.default,
        torch.ops.aten.numel.default,
        torch.ops.aten.size.default,
        torch.ops.aten.storage_offset.default,
        torch.ops.aten.stride.default,
        torch.ops.aten.sym_is_contiguous.default,
        torch.ops.aten.sym_numel.default,
        torch.ops.aten.sym_size.default,
        torch.ops.aten.sym_storage_offset.default,
        torch.ops.aten.sym_stride.default,
        torch.ops.prim.layout.default,
    }
)
"""What tensor subclasses are asked through the dispatcher. Nothing runs, and a mode must leave the answer to them."""


class Bystander(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode that only looks on. Higher-order operators come by as one operator, instead of raising."""

    supports_higher_order_operators = True
    is_spent = False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Dynamo compiles as if this mode were not there."""
        return True


def put_under(mode: Bystander) -> Undo:
    """Make `mode` the outermost of this thread: the last to see an operator, and never on top of one that the user is
    about to leave, which pops whatever is on top.

    It goes past `__enter__`, whose flag would make compiled code check for modes. Undone on another thread, whose stack
    is another, it stays until a mode is put in or taken out on this one.
    """
    above = _pop_all()
    _push_mode(mode)
    _push_all([each for each in above if not _is_spent(each)])
    return partial(_take_out, mode, again=True)


def _take_out(mode: Bystander, again: bool) -> None:
    mode.is_spent = True
    modes = _pop_all()
    _push_all([each for each in modes if not _is_spent(each)])
    if _graph_task_id() != -1:  # a backward has a stack of its own, and ends with the one it began with
        on_first_call(partial(_take_out, mode, again))
    elif again and not any(each is mode for each in modes):  # in the middle of an operator, which will put it back
        on_first_call(partial(_take_out, mode, again=False))


def _is_spent(mode: TorchDispatchMode) -> bool:
    return isinstance(mode, Bystander) and mode.is_spent


def _pop_all() -> list[TorchDispatchMode]:
    """Outermost first. Modes of torch's own (fake tensors, tracing) lie under all others and have slots by name."""
    modes = _get_current_dispatch_mode_stack()
    for mode in reversed(modes):
        _pop_mode(getattr(mode, "_mode_key", None))
    return modes


def _push_all(modes: list[TorchDispatchMode]) -> None:
    for mode in modes:
        _push_mode(mode)
