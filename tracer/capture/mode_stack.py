"""A dispatch mode of ours under those of the user's, put in and taken out at any moment between two operators."""

from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _get_current_dispatch_mode_stack,
    _pop_mode,
    _push_mode,
)

from tracer.capture.hooks import Undo


def put_under(mode: TorchDispatchMode) -> Undo:
    """Make `mode` the outermost of this thread: the last to see an operator, and never on top of one that the user is
    about to leave, which pops whatever is on top.

    It goes past `__enter__`, whose flag would make compiled code check for modes.
    """
    above = _pop_all()
    _push_mode(mode)
    _push_all(above)

    def undo() -> None:
        above = _pop_all()
        _push_all([each for each in above if each is not mode])

    return undo


def _pop_all() -> list[TorchDispatchMode]:
    """Outermost first. Modes of torch's own (fake tensors, tracing) lie under all others and have slots by name."""
    modes = _get_current_dispatch_mode_stack()
    for mode in reversed(modes):
        _pop_mode(getattr(mode, "_mode_key", None))
    return modes


def _push_all(modes: list[TorchDispatchMode]) -> None:
    for mode in modes:
        _push_mode(mode)
