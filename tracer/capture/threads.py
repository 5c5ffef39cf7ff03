"""Module calls on other threads than the one that trains. Each thread of autograd counts its nodes from 0, so a number
alone does not tell which thread made a node.

While a module is called on another thread, torch's hook for new nodes leaves in each node's `metadata` which thread
made it. In the numbering of the step such nodes get a range of their own, far from those of the training thread. Where
torch has no such hook (2.11 has none, 2.14 has) calls on other threads are not recorded.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Lock, local
from typing import Any

import torch

from tracer.capture import node_creation
from tracer.capture.entries import ELSEWHERE, EXIT, GRAD, token_of
from tracer.capture.names import Names

_TAG = "tapescope thread"
_RANGE = 1 << 40  # numbers a thread may give out in one step
_STEP = 1 << 10  # threads that may make nodes in one step
_EARLIER = 64

_next_sequence_nr: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]


class _Region:
    """The calls of one thread in one step; `floor` is the training thread's number when the last of them had ended."""

    __slots__ = ("base", "floor", "is_adopted", "marks", "slot", "step", "tokens")

    def __init__(self, base: int, step: int, slot: int) -> None:
        self.tokens: list[int] = []
        self.marks: list[int] = []
        self.base, self.step, self.slot = base, step, slot
        self.floor = 0
        self.is_adopted = False  # by the training thread


class _Local(local):
    """What a thread knows of itself."""

    region: _Region | None = None
    depth = 0
    start = 0


class OtherThreads:
    """The log of those threads. All but `enter` and `leave` run on the training thread."""

    def __init__(self, names: Names, evaluations: dict[tuple[int, ...], int]) -> None:
        self.are_seen = False
        self._names = names
        self._evaluations = evaluations
        self._local = _Local()
        self._lock = Lock()
        self._step = 0
        self._regions: list[_Region] = []
        self._n_regions = 0
        self._earlier: deque[_Region] = deque(maxlen=_EARLIER)

    def enter(self, module: torch.nn.Module) -> None:
        """A call begins on this other thread."""
        if not node_creation.IS_AVAILABLE:
            return
        mine = self._local
        if mine.depth == 0:
            if mine.region is None or mine.region.step != self._step:
                mine.region = self._begin_region()
            mine.start = len(mine.region.tokens)
            torch._C._autograd._push_node_creation_hook(self._tag)
        mine.depth += 1
        self._append(token_of(module, self._names))

    def leave(self, floor: int) -> None:
        """It ends. `floor` is a number the training thread has given out before."""
        mine = self._local
        if mine.depth == 0:
            return
        self._append(EXIT)
        mine.depth -= 1
        if mine.depth == 0:
            torch._C._autograd._pop_node_creation_hook()
            region = mine.region
            assert region is not None
            region.floor = floor
            if not region.tokens[mine.start] & GRAD:
                self._fold_evaluation(region, mine.start)

    def adopt(self) -> _Region | None:
        """The calls of this thread in this step, which from now on are not those of another thread; None where it has
        none, or is amid one."""
        region = self._local.region
        if region is None or self._local.depth or region not in self._regions:
            return None
        with self._lock:
            self._regions.remove(region)
        region.is_adopted = True
        self._local.region = None
        return region

    def renumber(self, nodes: Sequence[Any], numbers: list[int], last: int) -> None:
        """Give the nodes of other threads their numbers, in place. `last` is the training thread's highest."""
        region_of = {node: region for node in nodes if (region := node.metadata.get(_TAG)) is not None}
        region_of = {node: region for node, region in region_of.items() if not region.is_adopted}
        while found := dict(self._made_after(nodes, numbers, last, region_of)):
            region_of.update(found)
        for at, node in enumerate(nodes):
            region = region_of.get(node)
            if region is not None:
                numbers[at] = self._offset(region) + node._sequence_nr() - region.base

    def entries(self, numbers: Sequence[int], back: bool) -> tuple[list[int], list[int]]:
        """Tokens and marks of this step's calls, or with `back` of those of earlier steps that made these numbers."""
        tokens: list[int] = []
        marks: list[int] = []
        wanted = sorted(numbers) if back else ()
        for region in list(self._earlier if back else self._regions):
            offset = self._offset(region)
            n_entries = min(len(region.tokens), len(region.marks))  # its thread may be at work
            is_wanted = bisect_right(wanted, offset) < bisect_right(wanted, offset + _RANGE) if back else n_entries
            if is_wanted:
                tokens += (ELSEWHERE, *region.tokens[:n_entries])
                marks += (offset, *(offset + mark for mark in region.marks[:n_entries]))
        return tokens, marks

    def next_step(self) -> None:
        """The step has ended; a call that has not stays in it."""
        with self._lock:
            self._step += 1
            self._earlier.extend(self._regions)
            self._regions = []
            self._n_regions = 0

    def _begin_region(self) -> _Region:
        with self._lock:
            region = _Region(_next_sequence_nr(), self._step, self._n_regions % _STEP)
            self._n_regions += 1
            self._regions.append(region)
            self.are_seen = True
        return region

    def _append(self, token: int) -> None:
        region = self._local.region
        assert region is not None
        region.tokens.append(token)
        region.marks.append(_next_sequence_nr() - region.base)

    def _tag(self, node: Any) -> None:
        """Torch's hook for a node that was just made."""
        if not hasattr(node, "variable"):
            node.metadata[_TAG] = self._local.region

    def _fold_evaluation(self, region: _Region, start: int) -> None:
        if region.marks[start] == region.marks[-1]:
            tokens = tuple(region.tokens[start:])
            self._evaluations[tokens] = self._evaluations.get(tokens, 0) + 1
            del region.tokens[start:], region.marks[start:]

    def _offset(self, region: _Region) -> int:
        return (region.slot + 1 - _STEP * (self._step - region.step)) * _RANGE

    def _made_after(
        self, nodes: Sequence[Any], numbers: Sequence[int], last: int, region_of: dict[Any, _Region]
    ) -> Iterator[tuple[Any, _Region]]:
        """Nodes that a thread made from the outputs of its own calls: the training thread, which had to wait for these,
        would have given them higher numbers, and not higher than `last`."""
        for node, number in zip(nodes, numbers, strict=True):
            if node in region_of or hasattr(node, "variable"):
                continue
            for child, _ in node.next_functions:
                region = region_of.get(child)
                if region is not None and not region.floor <= number <= last:
                    yield node, region
                    break
