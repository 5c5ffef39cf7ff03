"""Everything that is put into PyTorch while a recording is on, and taken out again at its end."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
import torch.nn.modules.module as _modules
from torch._guards import TracingContext
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from tracer.capture.guard import guarded
from tracer.imports import after_import

_graph_task_id: Callable[[], int] = torch._C._current_graph_task_id
_is_compiling = torch.compiler.is_compiling

Undo = Callable[[], None]

_COMPILE_WARNING = r"Using `torch\.compile\(module\)` when there are global hooks"


_ours: set[int] = set()
"""Ids of our global module hooks."""


@dataclass(frozen=True, slots=True)
class _ModuleHooks:
    """A pre-hook and a hook in PyTorch's global dictionaries."""

    before: RemovableHandle
    after: RemovableHandle

    def __post_init__(self) -> None:
        _ours.update((self.before.id, self.after.id))

    def replace(self, enter: Callable[..., None], leave: Callable[..., None]) -> None:
        """Others in their place, so that the dictionaries keep their keys."""
        _modules._global_forward_pre_hooks[self.before.id] = enter
        _modules._global_forward_hooks[self.after.id] = leave

    def remove(self) -> None:
        self.before.remove()
        self.after.remove()
        _ours.difference_update((self.before.id, self.after.id))
        # torch (2.15) leaves this behind, and goes on to say that there are hooks
        _modules._global_forward_hooks_with_kwargs.pop(self.after.id, None)


class _Held:
    """Hooks that are out of use but stay in, idle, until the last holder lets go."""

    def __init__(self) -> None:
        self.holders = 0
        self.idle: list[_ModuleHooks] = []
        self.spent: list[Undo] = []


_held = _Held()
# as the hooks in use are, for compiled code checks that too
_do_nothing = guarded(lambda *_: None, lambda *_: None, strict=False)


def on_module_calls(enter: Callable[..., None], leave: Callable[..., None]) -> Undo:
    """Global forward hooks `enter(module, args)` and `leave(module, args, kwargs, output)`, the latter also when
    forward raises, then as `leave(module, args, output)`. PyTorch tells no global hook the arguments by keyword before
    forward."""
    warnings.filterwarnings("ignore", _COMPILE_WARNING)
    if _held.idle:
        hooks = min(_held.idle, key=lambda idle: idle.before.id)  # who came first comes first again
        _held.idle.remove(hooks)
        hooks.replace(enter, leave)
    else:
        before = register_module_forward_pre_hook(enter)
        hooks = _ModuleHooks(before, register_module_forward_hook(leave, with_kwargs=True, always_call=True))

    def undo() -> None:
        if _held.holders and is_compile_used():
            hooks.replace(_do_nothing, _do_nothing)
            _held.idle.append(hooks)
        else:
            hooks.remove()

    return undo


def hold_module_hooks() -> Undo:
    """Until undone, hooks of `on_module_calls` that are taken out and put in again leave compiled code as it is."""
    _held.holders += 1

    def undo() -> None:
        _held.holders -= 1
        while _held.idle and not _held.holders:
            _held.idle.pop().remove()
        while _held.spent and not _held.holders:
            _held.spent.pop()()

    return undo


def on_first_call(notify: Callable[[], None]) -> Undo:
    """Call `notify()` at the next module call, once."""
    is_pending = True

    def first(module: torch.nn.Module, args: Any) -> None:
        nonlocal is_pending
        if _is_compiling() or not is_pending:
            return
        is_pending = False
        if _held.holders and is_compile_used():
            _held.spent.append(undo)
        else:
            undo()
        notify()

    handle = register_module_forward_pre_hook(first)
    _ours.add(handle.id)

    def undo() -> None:
        handle.remove()
        _ours.discard(handle.id)

    return undo


def keep_out_of_strict_export() -> Undo:
    """Take our module hooks out while `torch.export` works with `strict=True`: it fails where there is any global hook
    (torch 2.15)."""
    undo: list[Undo] = []
    undo.append(after_import("torch.export._trace", lambda module: undo.append(_around_strict_export(module))))

    def stop() -> None:
        for step in undo:
            step()

    return stop


def _around_strict_export(module: ModuleType) -> Undo:
    original = getattr(module, "_strict_export", None)
    if original is None:
        return lambda: None

    def strict_export(*args: Any, **kwargs: Any) -> Any:
        with _without_module_hooks():
            return original(*args, **kwargs)

    module._strict_export = strict_export  # type: ignore[attr-defined]

    def undo() -> None:
        module._strict_export = original  # type: ignore[attr-defined]

    return undo


@contextmanager
def _without_module_hooks() -> Iterator[None]:
    registries: list[dict[int, Any]] = [
        _modules._global_forward_pre_hooks,
        _modules._global_forward_hooks,
        _modules._global_forward_hooks_with_kwargs,
        _modules._global_forward_hooks_always_called,
    ]
    taken = [{key: registry.pop(key) for key in _ours & registry.keys()} for registry in registries]
    try:
        yield
    finally:
        for registry, ours in zip(registries, taken, strict=True):
            registry.update(sorted(ours.items()))


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


def _is_rehearsal() -> bool:
    """Whether the compiler derives a backward. Torch older than 2.14 does not call all of that compiling."""
    return _is_compiling() or TracingContext.try_get() is not None


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
        if _is_rehearsal():
            return original(t_outputs, *args, **kwargs)
        kind = "backward" if kwargs.get("accumulate_grad") else "grad"
        before(list(t_outputs), kind)
        result = original(t_outputs, *args, **kwargs)
        after(kind)
        return result

    torch.autograd._engine_run_backward = run_backward  # type: ignore[attr-defined]

    def undo() -> None:
        torch.autograd._engine_run_backward = original  # type: ignore[attr-defined]

    return undo
