"""Everything that is put into PyTorch while a recording is on, and taken out again at its end."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

_graph_task_id: Callable[[], int] = torch._C._current_graph_task_id
_is_compiling = torch.compiler.is_compiling

Undo = Callable[[], None]

_COMPILE_WARNING = r"Using `torch\.compile\(module\)` when there are global hooks"


def on_module_calls(enter: Callable[..., None], leave: Callable[..., None]) -> Undo:
    """Global forward hooks. `leave` is called also when forward raises."""
    warnings.filterwarnings("ignore", _COMPILE_WARNING)
    handles = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]

    def undo() -> None:
        for handle in handles:
            handle.remove()

    return undo


def on_first_call(notify: Callable[[], None]) -> Undo:
    """Call `notify()` at the next module call, once."""
    is_pending = True

    def first(module: torch.nn.Module, args: Any) -> None:
        nonlocal is_pending
        if _is_compiling() or not is_pending:
            return
        is_pending = False
        if not is_compile_used():
            handle.remove()
        notify()

    handle = register_module_forward_pre_hook(first)
    return handle.remove


def is_compile_used() -> bool:
    """Whether `torch.compile` was asked for anything. Compiled code checks the global hooks and modes at each call, and
    is compiled anew where they have changed: then what is in stays in."""
    eval_frame = sys.modules.get("torch._dynamo.eval_frame")
    return any(map(callable, getattr(eval_frame, "cached_backends", {}).values()))


def on_registrations(notify: Callable[..., None]) -> Undo:
    """Call `notify(module, name, thing)` where a module is about to get a parameter or a submodule."""
    handles = [register_module_parameter_registration_hook(notify), register_module_module_registration_hook(notify)]

    def undo() -> None:
        for handle in handles:
            handle.remove()

    return undo


def on_optimizer_steps(before: Callable[..., None], after: Callable[..., None]) -> Undo:
    """Global optimizer hooks, for optimizers made before as well."""
    handles = [register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)]

    def undo() -> None:
        for handle in handles:
            handle.remove()

    return undo


def on_backward(before: Callable[..., None], after: Callable[..., None], within: Callable[..., None]) -> Undo:
    """Call `before(roots, kind)` and `after(kind)` around every backward, kind "backward" or "grad".

    `Tensor.backward`, `torch.autograd.backward` and `torch.autograd.grad` all go through one function of
    torch/autograd/graph.py, however they were imported. Of backwards inside a backward (a reentrant checkpoint's)
    only `within(roots)` is told.
    """
    original = torch.autograd._engine_run_backward  # type: ignore[attr-defined]

    def run_backward(t_outputs: Any, *args: Any, **kwargs: Any) -> Any:
        if _graph_task_id() != -1:
            if kwargs.get("accumulate_grad"):
                within(list(t_outputs))
            return original(t_outputs, *args, **kwargs)
        kind = "backward" if kwargs.get("accumulate_grad") else "grad"
        before([root for root in t_outputs if isinstance(root, torch.Tensor)], kind)
        result = original(t_outputs, *args, **kwargs)
        after(kind)
        return result

    torch.autograd._engine_run_backward = run_backward  # type: ignore[attr-defined]

    def undo() -> None:
        torch.autograd._engine_run_backward = original  # type: ignore[attr-defined]

    return undo
