"""Where an exception was raised: in a module's forward, a backward, an optimizer or the code around, as its traceback
tells."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType
from typing import Any, Literal

import torch
from torch.autograd.function import BackwardCFunction

from tracer.capture.locals import locals_of

Where = Literal["forward", "backward", "optimizer", "outside"]

_MAX_ERRORS = 100  # of a chain


@dataclass(frozen=True, slots=True, eq=False)
class EngineRun:
    """What autograd's engine was asked for: tensors or edges, and those whose gradients alone are wanted, if any."""

    roots: tuple[Any, ...]
    inputs: tuple[Any, ...]
    keeps_graph: bool


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Holds frames, modules and nodes alive: to be let go of at once.

    `module` is the innermost one that was called, `inputs` are what it was given, by position or name;
    `run` is the backward under way, None where the engine was not reached;
    `function` the `torch.autograd.Function` in whose backward it happened; `is_hooked` says that Python code which is
    no such function's was called by the engine.
    """

    where: Where
    trace: TracebackType | None
    module: torch.nn.Module | None = None
    inputs: tuple[tuple[str, Any], ...] = ()
    optimizer: torch.optim.Optimizer | None = None
    run: EngineRun | None = None
    function: Any = None
    is_hooked: bool = False

    @property
    def frames(self) -> Iterator[tuple[FrameType, int]]:
        """The frames and their lines, outermost first."""
        trace = self.trace
        while trace is not None:
            yield trace.tb_frame, trace.tb_lineno
            trace = trace.tb_next


def place_of(error: BaseException) -> Place:
    """The place of `error`, or, where that is outside of all three, of the first of those it came from that is not."""
    first: Place | None = None
    current: BaseException | None = error
    for _ in range(_MAX_ERRORS):
        if current is None:
            break
        place = _read(current.__traceback__)
        if place.where != "outside":
            return place
        first = first or place
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return first or Place("outside", None)


def is_in_optimizer() -> bool:
    """Whether the step of some optimizer is under way in this thread."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _OPTIMIZER_STEP:
        frame = frame.f_back
    return frame is not None


def _read(trace: TracebackType | None) -> Place:
    """What is innermost decides, but for the forward passes that a backward repeats."""
    where: Where = "outside"
    found: dict[str, Any] = {}
    at = trace
    while at is not None:
        code = at.tb_frame.f_code
        if where != "backward" and code is _OPTIMIZER_STEP:
            where, found = "optimizer", {"optimizer": _local(at.tb_frame, "self")}
        elif code is _CALL:
            where = "backward" if where == "backward" else "forward"
            found["module"], found["inputs"] = _called(at.tb_frame)
        elif code in _BACKWARDS:
            where = "backward"
        elif code is _ENGINE and "run" not in found:
            where, found["run"] = "backward", _engine_run(at.tb_frame)
            found["is_hooked"] = at.tb_next is not None
        elif code in _FUNCTIONS and "function" not in found and "run" in found:
            found["function"], found["is_hooked"] = _local(at.tb_frame, "self"), False
        at = at.tb_next
    return Place(where, trace, **found)


def _engine_run(frame: FrameType) -> EngineRun:
    with locals_of(frame) as names:
        # grad_tensors, retain_graph, create_graph, inputs, …: as torch.autograd.backward and grad call it
        arguments: Sequence[Any] = names.get("args", ())
        keeps_graph, inputs = (*arguments[1:2], *arguments[3:4]) if len(arguments) > 3 else (False, ())
        return EngineRun(tuple(names.get("t_outputs", ())), tuple(inputs), bool(keeps_graph))


def _called(frame: FrameType) -> tuple[Any, tuple[tuple[str, Any], ...]]:
    """The module whose call a frame is, and its arguments."""
    with locals_of(frame) as names:
        by_position = ((str(at), value) for at, value in enumerate(names.get("args", ())))
        return names.get("self"), (*by_position, *names.get("kwargs", {}).items())


def _local(frame: FrameType, name: str) -> Any:
    with locals_of(frame) as names:
        return names.get(name)


def _code(function: Any) -> CodeType:
    return function.__code__  # type: ignore[no-any-return]


def _optimizer_step() -> CodeType:
    """The code around every optimizer's `step`."""

    def step(self: object) -> None: ...

    return _code(torch.optim.Optimizer.profile_hook_step(step))


_CALL = _code(torch.nn.Module._call_impl)
_ENGINE = _code(torch.autograd.graph._engine_run_backward)
_BACKWARDS = frozenset(map(_code, (torch.autograd.backward, torch.autograd.grad)))
_FUNCTIONS = frozenset(
    _code(method) for name in ("apply", "apply_boxed") if (method := getattr(BackwardCFunction, name, None)) is not None
)
_OPTIMIZER_STEP = _optimizer_step()
