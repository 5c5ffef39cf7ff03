"""How long the backward of each node took, and in which order they ran."""

import sys
from collections.abc import Sequence
from functools import partial
from math import nan
from typing import Any

import numpy as np
import torch

from tracer.capture.calls import CallLog
from tracer.capture.hooks import Undo
from tracer.capture.probe import Draft, Guard, Keys, Late, Probe
from tracer.capture.stopwatch import Mark, Stopwatch
from tracer.capture.walk import AccumulateGrad

LEVELS = ("full",)

COLUMNS = ("backward_secs", "backward_pass", "backward_order")


class NodeTimes(Probe):
    """Hooks around every op node of a backward, taken out when it has ended. Nodes that accumulate gradients live on
    from step to step and are left alone. A node visited by several backwards has the sum of its times; the time of one
    inside of which a backward runs (a reentrant checkpoint) contains that. Its pass and its place there are those of
    its first run; neither is told where nodes of other threads take part, whose numbers are not theirs alone."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self._devices: list[torch.device | None] = []
        self._begun: list[Mark | None] = []
        self._numbers: list[int] = []
        self._places: dict[int, tuple[int, int]] = {}
        self._pass = -1
        self._are_numbers_unique = True
        self._ended: list[tuple[int, tuple[Mark, Mark]]] = []
        self._stopwatch = Stopwatch()
        self._log: CallLog | None = None

    def attach(self, log: CallLog, guard: Guard) -> Undo:
        self._log = log
        self._begin_guarded, self._end_guarded = guard(self._begin), guard(self._end)
        self._ended, self._places, self._pass, self._are_numbers_unique = [], {}, -1, True
        return self.after_backward

    def before_backward(self, nodes: Sequence[Any]) -> None:
        assert self._log is not None
        self.after_backward()  # of one that raised
        self._pass += 1
        if _is_backward_compiled():
            return
        device_of = _device if torch.accelerator.is_available() else _host
        base = self._log.base
        add = self._handles.append
        for node in nodes:
            if type(node) is AccumulateGrad:
                continue
            at = len(self._numbers)
            self._numbers.append(node._sequence_nr() - base)
            self._devices.append(device_of(node))
            self._begun.append(None)
            add(node.register_prehook(partial(self._begin_guarded, at)))
            add(node.register_hook(partial(self._end_guarded, at)))
        self._are_numbers_unique &= len(set(self._numbers)) == len(self._numbers)

    def after_backward(self) -> None:
        while self._handles:
            self._handles.pop().remove()
        self._devices, self._begun, self._numbers = [], [], []

    def take(self, keys: Keys) -> Sequence[Draft]:
        rows: dict[str, int] = {}
        at: list[int] = []
        marks: list[tuple[Mark, Mark]] = []
        places: list[tuple[float, float]] = []
        for number, pair in self._ended:
            key = keys.node(number)
            if key is not None:
                at.append(rows.setdefault(key, len(rows)))
                marks.append(pair)
                places += [self._places[number]] * (len(rows) - len(places))
        if not self._are_numbers_unique or len(at) < len(self._ended):
            places = [(nan, nan)] * len(rows)
        self._ended, self._places = [], {}
        secs = self._stopwatch.later(marks)
        table = partial(_table, secs, at, places)
        return (Draft("nodes", tuple(rows), COLUMNS, table() if isinstance(secs, torch.Tensor) else table),)

    def _begin(self, at: int, grad_outputs: Any) -> None:
        self._places.setdefault(self._numbers[at], (self._pass, len(self._places)))
        self._begun[at] = self._stopwatch.mark(self._devices[at])

    def _end(self, at: int, grad_inputs: Any, grad_outputs: Any) -> None:
        ended = self._stopwatch.mark(self._devices[at])
        begun = self._begun[at]
        if begun is not None:
            self._ended.append((self._numbers[at], (begun, ended)))


def _table(secs: torch.Tensor | Late, at: list[int], places: list[tuple[float, float]]) -> torch.Tensor:
    """`COLUMNS` of each row, the times that are of the same one added up."""
    found = secs if isinstance(secs, torch.Tensor) else secs()
    sums = np.bincount(at, found.numpy(), minlength=len(places)) if at else np.empty(0)
    return torch.from_numpy(np.column_stack([sums, np.array(places, np.float64).reshape(-1, 2)]))


def _device(node: Any) -> torch.device | None:
    metadata = node._input_metadata
    return metadata[0].device if metadata else None


def _host(node: Any) -> None:
    return None


def _is_backward_compiled() -> bool:
    """Whether Dynamo is to trace the backward: hooks, new ones each step, would be part of what it compiles."""
    compiled = sys.modules.get("torch._dynamo.compiled_autograd")
    return compiled is not None and bool(compiled.compiled_autograd_enabled)
