"""Every ATen operator of a step: name, module call, phase, shapes, FLOPs, time. A dispatch mode sees them, those under
no_grad, in backward and in the optimizer as well.

The mode lies at the bottom of the mode stack, so that modes of the user's, entered before or after, leave the stack as
they expect. What it does not see: the inside of a kernel that `torch.compile` fused, of a higher-order operator and of
a tensor subclass (one operator each), and other threads but those of the backward. FLOPs of a composite operator, whole
in inference mode, are those of its parts.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils._pytree import tree_leaves

from tracer.capture import guard
from tracer.capture.calls import EXIT, CallLog, module_calls
from tracer.capture.flops import Flops
from tracer.capture.hooks import Undo
from tracer.capture.mode_stack import QUESTIONS, Bystander, put_under
from tracer.capture.probe import Guard, Keys, OperatorDraft, Probe
from tracer.capture.stopwatch import Mark, Stopwatch
from tracer.model.statistics import Operator
from tracer.model.structure import Shape

LEVELS = ("full",)

_FORWARD, _BACKWARD, _OPTIMIZER = range(3)
_PHASES = ("forward", "backward", "optimizer")
_MAX_KNOWN = 200_000

_graph_task_id: Callable[[], int] = torch._C._current_graph_task_id
_current_node: Callable[[], Any] = torch._C._current_autograd_node
_is_grad_enabled = torch.is_grad_enabled
_NO_SIZES = torch.Size(())


# the optimizers' and others' notes for torch's profiler; nothing is computed
_NOTES = frozenset(
    {
        torch.ops.profiler._record_function_enter.default,
        torch.ops.profiler._record_function_enter_new.default,
        torch.ops.profiler._record_function_exit.default,
        torch.ops.profiler._record_function_exit._RecordFunction,
    }
)


class _Watch(Bystander):  # type: ignore[no-untyped-call]
    """Notes every operator with the time that it took."""

    def __init__(self, note: Callable[..., None], stopwatch: Stopwatch) -> None:
        super().__init__()
        self._note = note
        self._mark = stopwatch.mark

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if guard.is_busy or func in _NOTES:
            return func(*args, **kwargs) if kwargs else func(*args)
        if func in QUESTIONS:
            return NotImplemented
        device = _device(args)
        begun = self._mark(device)
        result = func(*args, **kwargs) if kwargs else func(*args)
        self._note(func, args, kwargs or {}, result, device, begun, self._mark(device))
        return result


class _Ran(NamedTuple):
    """An operator as it ran: one tuple for all, because what is collected by the thousand keeps Python's garbage
    collector busy.

    `entries` is the length of the call log then, or, once a forward-only pass has left the log, the key of its call;
    `number` is that of the node whose backward it belongs to.
    """

    func: Any
    sizes: tuple[torch.Size, ...]
    dtype: torch.dtype | None
    device: torch.device | None
    phase: int
    grad_enabled: bool
    flops: int | None
    entries: int | str
    number: int | None
    begun: Mark
    ended: Mark


_N_OF_KIND = _Ran._fields.index("entries")
"""The fields before tell one operator from another, but for its call."""


class Operators(Probe):
    """Collects them in the order they ran. Of equal forward-only passes in a step those of the first."""

    def __init__(self) -> None:
        self._ran: list[_Ran] = []
        self._stopwatch = Stopwatch()
        self._flops = Flops()
        self._known: dict[tuple[object, ...], Operator] = {}
        self._in_backward = self._in_optimizer = False
        self._log: CallLog | None = None
        self._entries: tuple[Sequence[int], Sequence[int]] = (), ()

    def attach(self, log: CallLog, guarded: Guard) -> Undo:
        self._log = log
        self._forget()
        take_out = put_under(_Watch(guarded(self._note), self._stopwatch))
        log.folded.append(self._fold)

        def undo() -> None:
            take_out()
            log.folded.remove(self._fold)

        return undo

    def before_backward(self, nodes: Sequence[Any]) -> None:
        self._in_backward = True

    def after_backward(self) -> None:
        self._in_backward = False

    def before_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        self._in_optimizer = True

    def after_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        self._in_optimizer = False

    def take(self, keys: Keys) -> Sequence[OperatorDraft]:
        call_of = _Calls(*self._entries, keys)
        operators = tuple(self._operator(ran, call_of(ran)) for ran in self._ran)
        secs = self._stopwatch.later([(ran.begun, ran.ended) for ran in self._ran])
        self._forget()
        return (OperatorDraft(operators, secs),)

    def _forget(self) -> None:
        self._ran = []
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()

    def _note(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        device: torch.device | None,
        begun: Mark,
        ended: Mark,
    ) -> None:
        log = self._log
        assert log is not None
        if not self._ran:
            self._entries = log.tokens, log.marks  # the log makes new ones for the next step
        grad_enabled = _is_grad_enabled()
        phase, number = _FORWARD, None
        if self._in_backward or _graph_task_id() != -1:
            phase = _BACKWARD
            node = _current_node()
            number = None if node is None else node._sequence_nr() - log.base
        elif self._in_optimizer and not grad_enabled:  # a closure's forward has it enabled
            phase = _OPTIMIZER
        flops = self._flops.count(func, args, kwargs, result)
        dtype = None
        if isinstance(result, torch.Tensor):
            sizes: tuple[torch.Size, ...] = (_sizes(result),)
            dtype, device = result.dtype, result.device
        else:
            tensors = _tensors(result)
            sizes = tuple(map(_sizes, tensors))
            if tensors:
                dtype, device = tensors[0].dtype, tensors[0].device
        entries = len(log.tokens)
        self._ran.append(_Ran(func, sizes, dtype, device, phase, grad_enabled, flops, entries, number, begun, ended))

    def _fold(self, start: int, tokens: tuple[int, ...], is_first: bool) -> None:
        """The operators of a pass that leaves the log get the keys of their calls now, or go with it."""
        ran = self._ran
        first = len(ran)
        while first and isinstance(ran[first - 1].entries, int) and ran[first - 1].entries > start:  # type: ignore[operator]
            first -= 1
        if not is_first:
            del ran[first:]
        elif self._log is not None:
            calls, innermost = module_calls(tokens, self._log.names)
            for at in range(first, len(ran)):
                call = innermost[ran[at].entries - start - 1]  # type: ignore[operator]
                ran[at] = ran[at]._replace(entries=calls[call].key)  # type: ignore[index]

    def _operator(self, ran: _Ran, call: str | None) -> Operator:
        kind = *ran[:_N_OF_KIND], call
        known = self._known.get(kind)
        if known is None:
            shapes = tuple(_plain_sizes(sizes) for sizes in ran.sizes)
            dtype = "" if ran.dtype is None else str(ran.dtype).removeprefix("torch.")
            device = "" if ran.device is None else str(ran.device)
            phase = _PHASES[ran.phase]
            known = Operator(str(ran.func), call, phase, ran.grad_enabled, shapes, dtype, device, ran.flops)
            self._known[kind] = known
        return known


class _Calls:
    """The key of the module call that an operator ran in, or whose backward it ran for."""

    def __init__(self, tokens: Sequence[int], marks: Sequence[int], keys: Keys) -> None:
        self._marks = marks
        self._keys = keys
        self._known: dict[int, str | None] = {-1: None}
        self._innermost: list[int] = []  # after each entry of the log: the position where the innermost call began
        stack = [-1]
        for at, token in enumerate(tokens):
            if token == EXIT:
                stack.pop()
            else:
                stack.append(at)
            self._innermost.append(stack[-1])

    def __call__(self, ran: _Ran) -> str | None:
        if isinstance(ran.entries, str):
            return ran.entries
        entry = ran.entries - 1
        if ran.phase == _BACKWARD:
            entry = -1 if ran.number is None else bisect_right(self._marks, ran.number) - 1
        if not 0 <= entry < len(self._innermost):
            return None
        position = self._innermost[entry]
        if position not in self._known:
            self._known[position] = self._keys.call(position)
        return self._known[position]


def _device(args: tuple[Any, ...]) -> torch.device | None:
    first = args[0] if args else None
    if isinstance(first, (list, tuple)):
        first = first[0] if first else None
    return first.device if isinstance(first, torch.Tensor) else None


def _tensors(result: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]


def _sizes(tensor: torch.Tensor) -> torch.Size:
    return _NO_SIZES if tensor.is_nested else tensor.shape


def _plain_sizes(sizes: torch.Size) -> Shape:
    """Empty where a size is a symbol."""
    return tuple(sizes) if all(type(size) is int for size in sizes) else ()
