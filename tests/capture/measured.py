"""A training step measured without the recorder around it: the call log, PyTorch's hooks and `Measuring`."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from tracer.capture import hooks
from tracer.capture.calls import EXIT, CallLog, module_calls
from tracer.capture.guard import guarded
from tracer.capture.measuring import Measuring
from tracer.capture.names import Names
from tracer.model.statistics import Statistics


class StepKeys:
    """Names by the call log alone: calls without grad have no row, as on the tape."""

    def __init__(self, log: CallLog, names: Names) -> None:
        self._names = names
        calls = iter(module_calls(log.tokens, names)[0])
        entered = {at: next(calls) for at, token in enumerate(log.tokens) if token != EXIT}
        self._calls = {at: call.key for at, call in entered.items() if call.grad_enabled}

    def call(self, position: int) -> str | None:
        return self._calls.get(position)

    def node(self, number: int) -> str | None:
        return None

    def parameter(self, tensor: torch.Tensor) -> str | None:
        return self._names.parameter_name(self._names.leaf_code(tensor))


class Measured:
    """Steps in `with`: forward, `backward(loss)`, the optimizer, then `close()` for the step's statistics."""

    def __init__(self, level: str = "statistics") -> None:
        self.names = Names()
        self.log = CallLog(self.names)
        self.measuring = Measuring(self.log, level)
        self.errors: list[str] = []
        self._step = 0
        self._stack = ExitStack()

    def __enter__(self) -> "Measured":
        before, after = self.measuring.before_optimizer, self.measuring.after_optimizer
        for handle in (
            register_optimizer_step_pre_hook(lambda optimizer, *_: before(optimizer)),
            register_optimizer_step_post_hook(lambda optimizer, *_: after(optimizer)),
        ):
            self._stack.callback(handle.remove)
        self._stack.callback(hooks.on_module_calls(self.guard(self.log.enter), self.guard(self.log.leave)))
        self.measuring.attach(self.guard)
        return self

    def __exit__(self, *_: object) -> None:
        self.measuring.detach()
        self._stack.close()

    def guard(self, hook: Any) -> Any:
        return guarded(hook, lambda name, trace: self.errors.append(trace), strict=True)

    def backward(self, loss: torch.Tensor, **options: Any) -> None:
        self.measuring.before_backward(nodes_of(loss))
        loss.backward(**options)
        self.measuring.after_backward()

    def close(self) -> Statistics:
        """The statistics of the step that ends here; the next one is measured as well."""
        self.measuring.take(self._step, StepKeys(self.log, self.names))
        self.log.clear()
        ((step, statistics),) = self.measuring.arrived()
        assert step == self._step and not self.errors
        self._step += 1
        self.measuring.attach(self.guard)
        return statistics


def nodes_of(loss: torch.Tensor) -> Sequence[Any]:
    """Every node that a backward from `loss` visits, from the roots on."""
    nodes, seen = [loss.grad_fn], {loss.grad_fn}
    for node in nodes:
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                nodes.append(child)
    return nodes
