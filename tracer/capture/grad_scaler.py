"""`torch.amp.GradScaler`: the loss before it was scaled, and the steps that the scaler leaves out."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tracer.capture.hooks import Undo


class ScaledLosses:
    """What the living tensors that came out of `GradScaler.scale` were before. Dividing by the scale would not give it
    back where the product overflowed."""

    def __init__(self) -> None:
        self._losses: dict[int, tuple[weakref.ref[torch.Tensor], torch.Tensor]] = {}

    def note(self, losses: Any, scaled: Any) -> None:
        """`scale(losses)` gave `scaled`: a tensor for a tensor, or lists and tuples of them."""
        if isinstance(scaled, torch.Tensor) and isinstance(losses, torch.Tensor):
            if scaled is not losses:
                self._remember(losses, scaled)
        elif isinstance(scaled, (list, tuple)) and isinstance(losses, (list, tuple)):
            for before, after in zip(losses, scaled, strict=True):
                self.note(before, after)

    def unscaled(self, roots: Sequence[Any]) -> list[Any]:
        """The roots of a backward, those that a scaler scaled as they were before."""
        if not self._losses:
            return list(roots)
        return [self._losses[id(root)][1] if id(root) in self._losses else root for root in roots]

    def _remember(self, loss: torch.Tensor, scaled: torch.Tensor) -> None:
        key, losses = id(scaled), self._losses

        def forget(_: object) -> None:
            losses.pop(key, None)

        losses[key] = weakref.ref(scaled, forget), loss.detach()


def on_grad_scalers(
    scaled: Callable[[Any, Any], None],
    before_step: Callable[[torch.optim.Optimizer], None],
    after_step: Callable[[torch.optim.Optimizer], None],
) -> Undo:
    """Call `scaled(losses, scaled)` after each `GradScaler.scale`, and the others around each `GradScaler.step`, which
    may or may not step the optimizer."""
    scaler = torch.amp.GradScaler
    original_scale, original_step = scaler.scale, scaler.step

    def scale(self: Any, outputs: Any) -> Any:
        result = original_scale(self, outputs)
        scaled(outputs, result)
        return result

    def step(self: Any, optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> Any:
        before_step(optimizer)
        result = original_step(self, optimizer, *args, **kwargs)
        after_step(optimizer)
        return result

    scaler.scale, scaler.step = scale, step  # type: ignore[method-assign]

    def undo() -> None:
        scaler.scale, scaler.step = original_scale, original_step  # type: ignore[method-assign]

    return undo
