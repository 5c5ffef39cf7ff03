"""The log of module calls: what the global forward hooks write, microseconds a call, and what is read back from it.

Entering a call appends the module's token and, relative to the step's base, the next autograd sequence number; leaving
it appends `EXIT` and the next number. A backward node whose number lies between two entries of the log was made between
them, so by the call that was innermost then. Calls without grad that make no node and lie in no other call are
forward-only passes; they are taken out of the log as they end and counted.
"""

from array import array
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any

import torch

from tracer.capture.names import Names
from tracer.model.structure import ModuleCall

EXIT = -1
NO_BASE = -1
_TRAINING = 1
_GRAD = 2
_FLAGS = 2  # bits

_next_sequence_nr: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]
_graph_task_id: Callable[[], int] = torch._C._current_graph_task_id
_is_grad_enabled = torch.is_grad_enabled


class CallLog:
    """The module calls of the step being formed, on the thread that made the log."""

    __slots__ = ("_depth", "_names", "_start", "_thread", "base", "evaluations", "marks", "tokens")

    def __init__(self, names: Names) -> None:
        # arrays, not lists: by the end of a step the integers of a list are cold and scattered in memory
        self.tokens = array("q")
        self.marks = array("q")
        self.base = NO_BASE
        self.evaluations: dict[tuple[int, ...], int] = {}
        self._names = names
        self._depth = 0
        self._start = 0
        self._thread = get_ident()

    def enter(self, module: torch.nn.Module, args: Any) -> None:
        """Global forward pre-hook. Silent while backward recomputes a checkpoint, and on other
        threads."""
        if _graph_task_id() != -1 or get_ident() != self._thread:
            return
        number = _next_sequence_nr()
        if self._depth == 0:
            self._start = len(self.tokens)
            if self.base == NO_BASE:
                self.base = number
        self._depth += 1
        token = self._names.module_token(module) << _FLAGS
        if module.training:
            token |= _TRAINING
        if _is_grad_enabled():
            token |= _GRAD
        self.tokens.append(token)
        self.marks.append(number - self.base)

    def leave(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        """Global forward hook, called when forward raises as well."""
        if self._depth == 0 or _graph_task_id() != -1 or get_ident() != self._thread:
            return
        self._depth -= 1
        self.tokens.append(EXIT)
        self.marks.append(_next_sequence_nr() - self.base)
        if self._depth == 0 and not self.tokens[self._start] & _GRAD:
            self._fold_evaluation()

    def _fold_evaluation(self) -> None:
        """Move the top-level call that just ended out of the log if no node was made in it."""
        start = self._start
        if self.marks[start] != self.marks[-1]:
            return
        tokens = tuple(self.tokens[start:])
        self.evaluations[tokens] = self.evaluations.get(tokens, 0) + 1
        del self.tokens[start:], self.marks[start:]

    def clear(self) -> None:
        """Begin the next step."""
        del self.tokens[:], self.marks[:]
        self.base = NO_BASE
        self.evaluations.clear()
        self._depth = 0


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
