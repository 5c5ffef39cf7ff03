"""Where in the user's code each op was made: noted while armed, by autograd sequence number.

Armed steps are few (`Sources.wants`), because a note costs microseconds a node; a step that is not armed costs nothing.
"""

import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from tracer.capture.frames import Frames, Position
from tracer.capture.hooks import Undo, is_compile_used
from tracer.capture.node_creation import IS_AVAILABLE, on_node_creation
from tracer.model.structure import SourceLine

Guard = Callable[[Callable[..., None]], Callable[..., None]]

_MAX_KEYS = 400_000  # about 150 bytes each
_MAX_TIMES_ASKED = 3
_EARLIER_STEPS = 4  # a graph may reach back over a step's end, see `CallLog.entries`
_LEAF_NUMBER = 2**64 - 1  # of every AccumulateGrad

_overrides: Any = torch.overrides
_Function: Any = torch.autograd.Function
_next_sequence_nr: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]


class Sources:
    """Notes between `arm` and its undo, tells the lines of a step's nodes, and remembers them by node key."""

    def __init__(self, by_node: bool = IS_AVAILABLE) -> None:
        """`by_node`: by a hook on every node that autograd makes, torch 2.15 or newer. Otherwise by calls of torch's
        functions."""
        self._by_node = by_node
        self._frames = Frames()
        self._notes: dict[int, Position | None] = {}
        self._earlier: deque[dict[int, Position | None]] = deque(maxlen=_EARLIER_STEPS)
        self._memory: dict[str, SourceLine | None] = {}
        self._asked: Counter[str] = Counter()
        self._siblings: dict[str, int] = {}  # how many of an op each call made, by their keys without number
        # whether code is compiled is seen in the first step, so the mechanism that must keep clear of it begins later
        self._is_wanted = by_node
        self._thread = get_ident()

    @property
    def wants(self) -> bool:
        """Whether the step that begins is to be armed."""
        return self._is_wanted

    def request(self) -> None:
        """Have the next step armed in any case."""
        self._is_wanted = True

    def arm(self, guard: Guard) -> Undo:
        """Note lines from now on, on this thread. It is then no longer wanted."""
        self._is_wanted = False
        self._thread = get_ident()
        if self._by_node:
            return on_node_creation(guard(self._note_node))
        if is_compile_used():  # compiled code checks the modes
            return lambda: None
        return _on_function_calls(guard(self._note_range))

    def lines(self, keys: Sequence[str], numbers: Sequence[int | None]) -> tuple[SourceLine | None, ...]:
        """The lines of nodes by their keys and absolute sequence numbers, None for what is no op: as noted in this step
        or one shortly before, else as remembered of the key.

        Where a node's line is not known at all, the next step is wanted armed, up to three times for the same node.
        To be asked for armed steps and for new structures; a known one has its lines.
        """
        if len(self._memory) + len(self._asked) > _MAX_KEYS:
            self._memory.clear()
            self._asked.clear()
            self._siblings.clear()
        ops = [_without_number(key) for key, number in zip(keys, numbers, strict=True) if number is not None]
        counts = Counter(ops)
        found = tuple(self._line(key, number, counts) for key, number in zip(keys, numbers, strict=True))
        for op in counts:
            self._siblings[op] = counts[op]
        return found

    def last_line(self, key: str) -> SourceLine | None:
        """The line last told of a node."""
        return self._memory.get(key)

    def clear(self) -> None:
        """Begin the next step."""
        if self._notes or any(self._earlier):
            self._earlier.appendleft(self._notes)
            self._notes = {}

    def _line(self, key: str, number: int | None, counts: Counter[str]) -> SourceLine | None:
        if number is None:
            return None
        for notes in (self._notes, *self._earlier):
            if number in notes:
                position = notes[number]
                self._memory[key] = line = None if position is None else self._frames.line(position)
                return line
        if self._is_still(key, counts):
            return self._memory[key]
        self._asked[key] += 1
        if self._asked[key] <= _MAX_TIMES_ASKED:
            self._is_wanted = True
        return None

    def _is_still(self, key: str, counts: Counter[str]) -> bool:
        """Whether the line remembered of a key is the present node's. Where a call makes more or fewer of an op than it
        did, their numbers may have moved on, unless the ones there were came from one line, as in a loop."""
        if key not in self._memory:
            return False
        op = _without_number(key)
        before = self._siblings.get(op, 0)
        if before == counts[op]:
            return True
        lines = {self._memory.get(f"{op}:{at}") for at in range(before)}
        return before > 1 and len(lines) == 1

    def _note_node(self, node: Any) -> None:
        number = node._sequence_nr()
        if number != _LEAF_NUMBER and get_ident() == self._thread:
            self._notes[number] = self._frames.innermost(sys._getframe(1))

    def _note_range(self, first: int, end: int) -> None:
        if get_ident() == self._thread:
            position = self._frames.innermost(sys._getframe(1))
            self._notes.update(dict.fromkeys(range(first, end), position))


def _without_number(key: str) -> str:
    return key.rpartition(":")[0]


class _RangeMode(TorchFunctionMode):
    """Tells `note(first, end)` which sequence numbers a call of torch used up."""

    def __init__(self, note: Callable[[int, int], None]) -> None:
        super().__init__()
        self._note = note

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        first = _next_sequence_nr()
        result = func(*args, **(kwargs or {}))
        end = _next_sequence_nr()
        if end != first:
            self._note(first, end)
        return result


def _on_function_calls(note: Callable[[int, int], None]) -> Undo:
    """Call `note(first, end)` after each call of torch that made nodes, on this thread, with the caller on the stack.

    Calls within torch's own functions are theirs. `autograd.Function.apply` does not go through modes.
    """
    mode = _RangeMode(note)
    original = _Function.__dict__["apply"]

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        first = _next_sequence_nr()
        result = original.__get__(None, cls)(*args, **kwargs)
        if _next_sequence_nr() != first:
            note(first, first + 1)  # what else was made meanwhile was made in its forward
        return result

    _overrides._push_mode(mode)
    _Function.apply = classmethod(apply)

    def undo() -> None:
        _Function.apply = original
        stack = _overrides._get_current_function_mode_stack()
        if mode in stack:
            above = [_overrides._pop_mode() for _ in range(len(stack) - stack.index(mode))][:-1]
            for other in reversed(above):
                _overrides._push_mode(other)

    return undo
