"""The log of module calls: what the global forward hooks write, microseconds a call, and what is read back from it.

Entering a call appends the module's token and, relative to the step's base, the next autograd sequence number; leaving
it appends `EXIT` and the next number. A backward node whose number lies between two entries of the log was made between
them, so by the call that was innermost then. Calls without grad that make no node and lie in no other call are
forward-only passes; they are taken out of the log as they end and counted.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch

from tracer.capture.flow import Flow
from tracer.capture.names import Names
from tracer.model.structure import ModuleCall

EXIT = -1
NO_BASE = -1
_TRAINING = 1
_GRAD = 2
_FLAGS = 2  # bits
_EARLIER_STEPS = 4

Folded = Callable[[int, tuple[int, ...], bool], None]
"""Told that a forward-only pass leaves the log: the position where it began, its tokens, whether it is the first such
pass of the step."""

_next_sequence_nr: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]
_graph_task_id: Callable[[], int] = torch._C._current_graph_task_id
_is_grad_enabled = torch.is_grad_enabled
# what Dynamo and AOTAutograd make graphs of, and no one else; isinstance is false of () where torch has no such class
_CompiledGraph: Any = getattr(getattr(torch.fx, "_lazy_graph_module", None), "_LazyGraphModule", ())


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of a log: what was entered or left, and the next sequence number then, relative to `base`."""

    tokens: Sequence[int]
    marks: Sequence[int]
    base: int


class CallLog:
    """The module calls of the step being formed, on the thread that made the log, and those of a few steps before."""

    __slots__ = (
        "_depth",
        "_earlier",
        "_start",
        "_thread",
        "base",
        "evaluations",
        "flow",
        "folded",
        "marks",
        "names",
        "tokens",
    )

    def __init__(self, names: Names) -> None:
        # arrays, not lists: by the end of a step the integers of a list are cold and scattered in memory
        self.tokens = array("q")
        self.marks = array("q")
        self.base = NO_BASE
        self.evaluations: dict[tuple[int, ...], int] = {}
        self.folded: list[Folded] = []
        self.flow = Flow()
        self._earlier: deque[Entries] = deque(maxlen=_EARLIER_STEPS)
        self.names = names
        self._depth = 0
        self._start = 0
        self._thread = get_ident()

    def ignores(self, module: torch.nn.Module) -> bool:
        """Whether a call of this module now is not the log's business: backward recomputes a checkpoint, this is
        another thread, or the module is a graph that the compiler made."""
        return _graph_task_id() != -1 or get_ident() != self._thread or isinstance(module, _CompiledGraph)

    def enter(self, module: torch.nn.Module, args: Any) -> None:
        """Global forward pre-hook."""
        if _graph_task_id() != -1 or get_ident() != self._thread or isinstance(module, _CompiledGraph):
            return
        number = _next_sequence_nr()
        if self._depth == 0:
            self._start = len(self.tokens)
            if self.base == NO_BASE:
                self.base = number
        self._depth += 1
        token = self.names.module_token(module) << _FLAGS
        if module.training:
            token |= _TRAINING
        if _is_grad_enabled():
            token |= _GRAD
        self.tokens.append(token)
        self.marks.append(number - self.base)
        if self._depth == 1 and not token & _GRAD:
            self.flow.begin(token)
        if self.flow.is_running:
            self.flow.enter(args)

    def leave(self, module: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Global forward hook, called when forward raises as well."""
        if (
            self._depth == 0
            or _graph_task_id() != -1
            or get_ident() != self._thread
            or isinstance(module, _CompiledGraph)
        ):
            return
        self._depth -= 1
        self.tokens.append(EXIT)
        self.marks.append(_next_sequence_nr() - self.base)
        if self.flow.is_running:
            self.flow.leave(kwargs, output)
        if self._depth == 0 and not self.tokens[self._start] & _GRAD:
            self._fold_evaluation()

    def _fold_evaluation(self) -> None:
        """Move the top-level call that just ended out of the log if no node was made in it."""
        start = self._start
        if self.marks[start] != self.marks[-1]:
            self.flow.end()
            return
        tokens = tuple(self.tokens[start:])
        self.flow.end(tokens)
        for notify in self.folded:
            notify(start, tokens, tokens not in self.evaluations)
        self.evaluations[tokens] = self.evaluations.get(tokens, 0) + 1
        del self.tokens[start:], self.marks[start:]

    def entries(self, numbers: Sequence[int]) -> Entries:
        """The log of this step, preceded by those top-level calls of earlier steps that made nodes with these numbers.

        A graph may reach back over a step's end: a generator runs before the discriminator's step and learns after it.
        """
        wanted = sorted(number for number in numbers if number < 0)
        tokens: list[int] = []
        marks: list[int] = []
        for log in self._earlier if wanted else ():
            shift = log.base - self.base
            for start, end in _top_level_calls(log.tokens):
                first = bisect_left(wanted, log.marks[start] + shift)
                if first < len(wanted) and wanted[first] < log.marks[end] + shift:
                    tokens += log.tokens[start : end + 1]
                    marks += [mark + shift for mark in log.marks[start : end + 1]]
        return Entries([*tokens, *self.tokens], [*marks, *self.marks], self.base)

    def clear(self) -> None:
        """Begin the next step."""
        if self.tokens:
            self._earlier.append(Entries(self.tokens, self.marks, self.base))
        self.tokens, self.marks = array("q"), array("q")
        self.base = NO_BASE
        self.evaluations.clear()
        self.flow.clear()
        self._depth = 0


def _top_level_calls(tokens: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Positions of the first and the last entry of each call that lies in no other."""
    depth = start = 0
    for at, token in enumerate(tokens):
        if token == EXIT:
            depth -= 1
            if depth == 0:
                yield start, at
        else:
            if depth == 0:
                start = at
            depth += 1


def module_calls(tokens: Sequence[int], names: Names, count: int = 1) -> tuple[list[ModuleCall], list[int | None]]:
    """The calls that a log tells of, and for each log entry the index of the call that is innermost after it."""
    calls: list[ModuleCall] = []
    innermost: list[int | None] = []
    stack: list[int] = []
    numbers: dict[tuple[str, bool], int] = {}
    for token in tokens:
        if token == EXIT:
            stack.pop()
        else:
            path, class_name = names.module_name(token >> _FLAGS)
            grad = bool(token & _GRAD)
            number = numbers.get((path, grad), 0)
            numbers[path, grad] = number + 1
            parent = stack[-1] if stack else None
            stack.append(len(calls))
            calls.append(ModuleCall(path, class_name, number, parent, bool(token & _TRAINING), grad, count))
        innermost.append(stack[-1] if stack else None)
    return calls, innermost
