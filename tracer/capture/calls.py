"""The log of module calls: what the global forward hooks write, microseconds a call, and what is read back from it.

Entering a call appends the module's token and, relative to the step's base, the next autograd sequence number; leaving
it appends `EXIT` and the next number. A backward node whose number lies between two entries of the log was made between
them, so by the call that was innermost then. Calls without grad that make no node and lie in no other call are
forward-only passes; they are taken out of the log as they end and counted.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import get_ident
from typing import Any

import torch

from tracer.capture.entries import ELSEWHERE, FLAGS, GRAD, TRAINING, token_of, top_level_calls
from tracer.capture.entries import EXIT as EXIT
from tracer.capture.entries import Entries as Entries
from tracer.capture.flow import Flow
from tracer.capture.names import Names
from tracer.capture.threads import OtherThreads
from tracer.model.structure import ModuleCall

NO_BASE = -1
_EARLIER_ENTRIES = 1 << 17  # two megabytes; graphs that reach further back lose the names of their modules

Folded = Callable[[int, tuple[int, ...], bool], None]
"""Told that a forward-only pass leaves the log: the position where it began, its tokens, whether it is the first such
pass of the step."""

_next_sequence_nr: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]
_graph_task_id: Callable[[], int] = torch._C._current_graph_task_id
# what Dynamo and AOTAutograd make graphs of, and no one else; isinstance is false of () where torch has no such class
_CompiledGraph: Any = getattr(getattr(torch.fx, "_lazy_graph_module", None), "_LazyGraphModule", ())


_RAISED: Any = object()  # in place of an output


@dataclass(frozen=True, slots=True)
class Raised:
    """A call that did not return: the positions of its entries in the log, or in the tokens of a forward-only pass that
    has left it."""

    start: int
    end: int
    evaluation: tuple[int, ...] | None = None

    def folded(self, start: int, tokens: tuple[int, ...]) -> "Raised":
        """The same after what follows `start` has left the log."""
        if self.evaluation is not None or self.start < start:
            return self
        return Raised(self.start - start, NO_BASE, tokens)


class CallLog:
    """The module calls of the step being formed, and those of the steps before.

    The training thread is the one that ran the last backward; before the first, the one that made the log.
    """

    __slots__ = (
        "_depth",
        "_earlier",
        "_n_earlier",
        "_next_thread",
        "_others",
        "_start",
        "_thread",
        "base",
        "evaluations",
        "flow",
        "folded",
        "marks",
        "names",
        "raised",
        "since",
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
        self._earlier: deque[Entries] = deque()
        self._n_earlier = 0
        self._others = OtherThreads(names, self.evaluations)
        self.names = names
        self.since = _next_sequence_nr()  # when the step began
        self.raised: list[Raised] = []
        self._depth = 0
        self._start = 0
        self._thread = self._next_thread = get_ident()

    def ignores(self, module: torch.nn.Module) -> bool:
        """Whether a call of this module now is not the log's business: backward recomputes a checkpoint, this is
        another thread, or the module is a graph that the compiler made."""
        return _graph_task_id() != -1 or get_ident() != self._thread or isinstance(module, _CompiledGraph)

    def enter(self, module: torch.nn.Module, args: Any) -> None:
        """Global forward pre-hook."""
        if _graph_task_id() != -1 or isinstance(module, _CompiledGraph):
            return
        if get_ident() != self._thread:
            self._others.enter(module)
            return
        number = _next_sequence_nr()
        if self._depth == 0:
            self._start = len(self.tokens)
            if self.base == NO_BASE:
                self.base = number
        self._depth += 1
        token = token_of(module, self.names)
        self.tokens.append(token)
        self.marks.append(number - self.base)
        if self._depth == 1 and not token & GRAD:
            self.flow.begin(token)
        if self.flow.is_running:
            self.flow.enter(args)

    def leave(self, module: torch.nn.Module, args: Any, kwargs: Any, output: Any = _RAISED) -> None:
        """Global forward hook, called when forward raises as well, then without `kwargs` in front of the output."""
        if _graph_task_id() != -1 or isinstance(module, _CompiledGraph):
            return
        if get_ident() != self._thread:
            self._others.leave(self.marks[-1] if self.marks else 0)
            return
        if self._depth == 0:
            return
        self._depth -= 1
        self.tokens.append(EXIT)
        self.marks.append(_next_sequence_nr() - self.base)
        if output is _RAISED:
            self._note_raised()
            kwargs = output = None
        if self.flow.is_running:
            self.flow.leave(kwargs, output)
        if self._depth == 0 and not self.tokens[self._start] & GRAD:
            self._fold_evaluation()

    def _note_raised(self) -> None:
        """The call that just ended raised: remember where it began, unless only what a call in it raised went on."""
        end = len(self.tokens) - 1
        is_passed_on = bool(self.raised) and self.raised[-1].end == end - 1 and self.tokens[end - 1] == EXIT
        if is_passed_on:
            self.raised[-1] = replace(self.raised[-1], end=end)
            return
        depth = 0
        for at in range(end, -1, -1):
            depth += 1 if self.tokens[at] == EXIT else -1
            if depth == 0:
                self.raised.append(Raised(at, end))
                return

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
        self.raised = [raised.folded(start, tokens) for raised in self.raised]
        del self.tokens[start:], self.marks[start:]

    def entries(self, numbers: Sequence[int]) -> Entries:
        """The log of this step, preceded by those top-level calls of earlier steps that made nodes with these numbers.

        A graph may reach back over a step's end: a generator runs before the discriminator's step and learns after it.
        """
        wanted = sorted(number for number in numbers if number < 0)
        tokens, marks = self._others.entries(wanted, back=True) if wanted else ([], [])
        for log in self._earlier if wanted else ():
            shift = log.base - self.base
            if not _any_between(wanted, log.marks[0] + shift, log.marks[-1] + shift):
                continue
            for start, end in top_level_calls(log.tokens):
                if _any_between(wanted, log.marks[start] + shift, log.marks[end] + shift):
                    tokens += log.tokens[start : end + 1]
                    marks += [mark + shift for mark in log.marks[start : end + 1]]
        tokens_elsewhere, marks_elsewhere = self._others.entries(numbers, back=False)
        n_earlier = len(tokens)
        tokens += [*self.tokens, *tokens_elsewhere]
        marks += [*self.marks, *marks_elsewhere]
        return Entries(tokens, marks, self.base, n_earlier)

    @property
    def has_other_threads(self) -> bool:
        """Whether modules were called on other threads."""
        return self._others.are_seen

    def train_here(self) -> None:
        """A backward begins on this thread. Where only it has called modules in this step, it has the log at once."""
        self._next_thread = get_ident()
        if self._next_thread != self._thread and not self.tokens:
            region = self._others.adopt()
            if region is not None:
                self._thread = self._next_thread
                self.tokens, self.marks = array("q", region.tokens), array("q", region.marks)
                self.base = region.base

    def renumber(self, nodes: Sequence[Any], numbers: list[int]) -> None:
        """Give those nodes of a backward that other threads made numbers apart, in place."""
        if self._others.are_seen:
            self._others.renumber(nodes, numbers, _next_sequence_nr() - self.base)

    def clear(self) -> None:
        """Begin the next step."""
        if self.tokens:
            self._earlier.append(Entries(self.tokens, self.marks, self.base))
            self._n_earlier += len(self.tokens)
            while self._n_earlier > _EARLIER_ENTRIES:
                self._n_earlier -= len(self._earlier.popleft().tokens)
        self._others.next_step()
        self.tokens, self.marks = array("q"), array("q")
        self.base = NO_BASE
        self.evaluations.clear()
        self.raised = []
        self.since = _next_sequence_nr()
        self.flow.clear()
        self._depth = 0
        self._thread = self._next_thread


def _any_between(wanted: Sequence[int], first: int, last: int) -> bool:
    """Whether any of the sorted numbers is from `first` to before `last`."""
    at = bisect_left(wanted, first)
    return at < len(wanted) and wanted[at] < last


def module_calls(tokens: Sequence[int], names: Names, count: int = 1) -> tuple[list[ModuleCall], list[int | None]]:
    """The calls that a log tells of, and for each log entry the index of the call that is innermost after it."""
    calls: list[ModuleCall] = []
    innermost: list[int | None] = []
    stack: list[int] = []
    numbers: dict[tuple[str, bool], int] = {}
    for token in tokens:
        if token == EXIT:
            stack.pop()
        elif token == ELSEWHERE:
            stack.clear()
        else:
            path, class_name = names.module_name(token >> FLAGS)
            grad = bool(token & GRAD)
            number = numbers.get((path, grad), 0)
            numbers[path, grad] = number + 1
            parent = stack[-1] if stack else None
            stack.append(len(calls))
            calls.append(ModuleCall(path, class_name, number, parent, bool(token & TRAINING), grad, count))
        innermost.append(stack[-1] if stack else None)
    return calls, innermost
