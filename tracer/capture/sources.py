"""Where in the user's code each op was made: noted while armed, by autograd sequence number.

Armed steps are few (`Sources.wants`), because a note costs microseconds a node; a step that is not armed costs nothing.
"""

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

from tracer.capture.frames import Frames, Position
from tracer.capture.hooks import Undo, is_compile_used
from tracer.capture.node_creation import IS_AVAILABLE, on_node_creation
from tracer.model.structure import SourceLine

Guard = Callable[[Callable[..., None]], Callable[..., None]]

_MAX_KEYS = 400_000  # about 150 bytes each
_MAX_TIMES_UNSEEN = 3  # a node that an armed step did not see made is made where no note is taken
_MAX_TIMES_ASKED = 16
"""The n-th time arms n steps, so that steps that take turns are met too: 136 in all at the very most, and that many
only for what one step in thirty has, or fewer. To name a new structure costs many times what noting its lines does."""
_EARLIER_STEPS = 4  # a graph may reach back over a step's end, see `CallLog.entries`
_LEAF_NUMBER = 2**64 - 1  # of every AccumulateGrad

_overrides: Any = torch.overrides
_Function: Any = torch.autograd.Function
_next_sequence_nr: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]


class _Place(NamedTuple):
    """A node by its key, and what its call made in all: where that differs, another branch may have been taken, and
    numbers may have moved on, as ops are numbered within their call."""

    key: str
    made: int


class Sources:
    """Notes between `arm` and its undo, tells the lines of a step's nodes, and remembers them by node key."""

    def __init__(self, by_node: bool = IS_AVAILABLE) -> None:
        """`by_node`: by a hook on every node that autograd makes, which torch 2.14 has. Otherwise by calls of torch's
        functions."""
        self._by_node = by_node
        self._frames = Frames()
        self._notes: dict[int, Position | None] = {}
        self._earlier: deque[dict[int, Position | None]] = deque(maxlen=_EARLIER_STEPS)
        self._memory: dict[_Place, SourceLine | None] = {}
        self._last: dict[str, SourceLine] = {}
        self._asked: Counter[_Place] = Counter()
        self._unseen: Counter[_Place] = Counter()
        self._is_complete = True
        # whether code is compiled is seen in the first step, so the mechanism that must keep clear of it begins later
        self._steps_wanted = int(by_node)
        self._thread = get_ident()

    @property
    def wants(self) -> bool:
        """Whether the step that begins is to be armed."""
        return self._steps_wanted > 0

    @property
    def is_complete(self) -> bool:
        """Whether the lines told last are all that there is to be known."""
        return self._is_complete

    def request(self) -> None:
        """Have the next step armed in any case."""
        self._want(1)

    def arm(self, guard: Guard) -> Undo:
        """Note lines from now on, on this thread: one step less is wanted."""
        self._steps_wanted = max(0, self._steps_wanted - 1)
        self._thread = get_ident()
        if self._by_node:
            return on_node_creation(guard(self._note_node))
        if is_compile_used():  # compiled code checks the modes
            return lambda: None
        return _on_function_calls(guard(self._note_range))

    def lines(self, keys: Sequence[str], numbers: Sequence[int | None]) -> tuple[SourceLine | None, ...]:
        """The lines of nodes by their keys and absolute sequence numbers, None for what is no op: as noted in this step
        or one shortly before, else as remembered of the key.

        Where a node's line is not known, the steps to come are wanted armed, so often that a structure that recurs is
        met. To be asked for armed steps, and for structures until the lines told are complete.
        """
        if len(self._memory) + len(self._asked) > _MAX_KEYS:
            for known in (self._memory, self._last, self._asked, self._unseen):
                known.clear()
        self._is_complete = True
        made = _ops_by_call(key for key, number in zip(keys, numbers, strict=True) if number is not None)
        return tuple(
            None if number is None else self._line(_Place(key, made[_call(key)]), number)
            for key, number in zip(keys, numbers, strict=True)
        )

    def last_line(self, key: str) -> SourceLine | None:
        """The line last told of a node."""
        return self._last.get(key)

    def clear(self) -> None:
        """Begin the next step."""
        if self._notes or any(self._earlier):
            self._earlier.appendleft(self._notes)
            self._notes = {}

    def _line(self, place: _Place, number: int) -> SourceLine | None:
        for notes in (self._notes, *self._earlier):
            if number in notes:
                position = notes[number]
                line = self._memory[place] = None if position is None else self._frames.line(position)
                break
        else:
            if place not in self._memory:
                self._ask(place)
                return None
            line = self._memory[place]
        if line is not None:
            self._last[place.key] = line
        return line

    def _ask(self, place: _Place) -> None:
        if self._notes:
            self._unseen[place] += 1
        else:
            self._asked[place] += 1
        if self._unseen[place] <= _MAX_TIMES_UNSEEN and self._asked[place] <= _MAX_TIMES_ASKED:
            self._is_complete = False
            self._want(1 if self._notes else self._asked[place])

    def _want(self, n_steps: int) -> None:
        self._steps_wanted = max(self._steps_wanted, n_steps)

    def _note_node(self, node: Any) -> None:
        number = node._sequence_nr()
        if number != _LEAF_NUMBER and get_ident() == self._thread:
            self._notes[number] = self._frames.innermost(sys._getframe(1))

    def _note_range(self, first: int, end: int) -> None:
        if get_ident() == self._thread:
            position = self._frames.innermost(sys._getframe(1))
            self._notes.update(dict.fromkeys(range(first, end), position))


def _call(key: str) -> str:
    return key.rpartition("/")[0]


def _ops_by_call(keys: Iterable[str]) -> dict[str, int]:
    """By call, equal where calls made as many of each op."""
    ops: dict[str, Counter[str]] = {}
    for key in keys:
        ops.setdefault(_call(key), Counter())[key.rpartition(":")[0]] += 1
    return {call: hash(frozenset(counts.items())) for call, counts in ops.items()}


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
