"""The one place where capture's own bugs end: never in the user's training."""

import traceback
from collections.abc import Callable
from typing import Any

import torch

_is_compiling = torch.compiler.is_compiling

is_busy = False
"""Whether a hook of ours runs: the operators it calls are not the training's."""

Failed = Callable[[str, str], None]
"""Told the hook's name and the traceback of what it raised."""


def during_compilation(hook: Callable[..., None]) -> Callable[..., None]:
    """Mark a hook that is called by the compiler, not traced by it: `guarded` leaves it on while Dynamo is at work."""
    hook.runs_during_compilation = True  # type: ignore[attr-defined]
    return hook


def guarded(hook: Callable[..., None], failed: Failed, strict: bool) -> Callable[..., None]:
    """`hook` as PyTorch may call it: returns None at once while Dynamo traces, reports what it raises instead of
    raising.

    `failed` is told once, and the hook stays silent from then on. With `strict` (in tests) the error goes on.
    """
    alive = True
    runs_always = getattr(hook, "runs_during_compilation", False)

    def call(*args: Any) -> None:
        global is_busy
        nonlocal alive
        if (_is_compiling() and not runs_always) or not alive:
            return
        outer, is_busy = is_busy, True
        try:
            hook(*args)
        except Exception:
            alive = False
            failed(getattr(hook, "__name__", str(hook)), traceback.format_exc(limit=-8))
            if strict:
                raise
        finally:
            is_busy = outer

    return call
