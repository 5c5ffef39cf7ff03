"""The script's own TensorBoard scalars, taken along as it writes them."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from tracer.imports import after_import

_MODULES = ("torch.utils.tensorboard.writer", "tensorboardX.writer")

Log = Callable[[str, Any], None]


def watch_summary_writers(log: Log) -> Callable[[], None]:
    """Call `log(tag, value)` for every `SummaryWriter.add_scalar` from now on; also of writers imported later.
    Returns the undo."""
    undo: list[Callable[[], None]] = []
    for name in _MODULES:
        undo.append(after_import(name, lambda module: undo.append(_watch(module, log))))

    def stop() -> None:
        for step in undo:
            step()

    return stop


def _watch(module: ModuleType, log: Log) -> Callable[[], None]:
    writer = module.SummaryWriter
    original = writer.add_scalar

    def add_scalar(self: Any, tag: str, scalar_value: Any, *args: Any, **kwargs: Any) -> Any:
        log(tag, scalar_value)
        return original(self, tag, scalar_value, *args, **kwargs)

    writer.add_scalar = add_scalar

    def undo() -> None:
        writer.add_scalar = original

    return undo
