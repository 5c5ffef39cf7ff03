"""What the levels above "structure" measure of a step: their probes, and the numbers' way from the accelerator."""

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tracer.capture.aside import aside, is_recorded
from tracer.capture.calls import CallLog
from tracer.capture.hooks import Undo
from tracer.capture.probe import Draft, Guard, Keys, Late, OperatorDraft, Probe
from tracer.model.statistics import Operator, Statistics, Table
from tracer.plugins import load, names

_PROBES = "tracer.capture.probes"

Drafts = list[Draft | OperatorDraft]


def probes_of(level: str) -> list[Probe]:
    """A new one of each probe of that level: the class that its file in `tracer/capture/probes/` defines."""
    files = [load(module) for _, module in sorted(names(_PROBES).items())]
    return [
        thing()
        for file in files
        if level in file.LEVELS
        for thing in vars(file).values()
        if isinstance(thing, type) and issubclass(thing, Probe) and thing.__module__ == file.__name__
    ]


class Measuring:
    """Measures between `attach`, before a step, and `take`, at its end, and is silent otherwise.

    What a probe raises ends with the guard. Numbers on an accelerator are copied without waiting and come out of
    `arrived`, usually a step later.
    """

    def __init__(self, log: CallLog, level: str = "structure") -> None:
        self._log = log
        self._attached: list[_Attached] = []
        self._under_way: list[_UnderWay] = []
        self.use(level)

    def use(self, level: str) -> None:
        """Measure at this level from the next `attach` on. A step being measured is forgotten."""
        self.detach()
        self._probes = probes_of(level)

    @property
    def is_attached(self) -> bool:
        return bool(self._attached)

    def attach(self, guard: Guard) -> None:
        """Measure the step that begins; nothing happens where the level has no probes, or is measuring already."""
        if not self._attached:
            for probe in self._probes:
                attached = _Attached(probe, guard)
                self._attached.append(attached)
                attached.put_in(self._log)

    def detach(self) -> None:
        """Forget the step being measured."""
        while self._attached:
            self._attached.pop().undo()

    def before_backward(self, nodes: Sequence[Any]) -> None:
        """The alive nodes of a walk, the roots first."""
        for each in list(self._attached):
            each.before_backward(nodes)

    def after_backward(self) -> None:
        for each in list(self._attached):
            each.after_backward()

    def before_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        for each in list(self._attached):
            each.before_optimizer(optimizer)

    def after_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        for each in list(self._attached):
            each.after_optimizer(optimizer)

    def suspects(self) -> list[range]:
        """See `Probe.suspects`; of the step being measured."""
        spans: list[range] = []
        for each in list(self._attached):
            each.suspects(spans)
        return spans

    def take(self, step: int, keys: Keys) -> None:
        """End the measured step and detach. To be called before the call log is cleared: `keys` reads its positions.
        A step taken down for a CUDA graph has no numbers."""
        if self._attached and not is_recorded():
            drafts: Drafts = []
            for each in list(self._attached):
                each.take(keys, drafts)
            self._under_way.append(_UnderWay(step, drafts))
        self.detach()

    def arrived(self, wait: bool = False) -> Iterator[tuple[int, Statistics]]:
        """(step, its statistics) of those that are complete, in order; with `wait` of all."""
        while self._under_way and not is_recorded() and (wait or self._under_way[0].is_here()):
            first = self._under_way.pop(0)
            yield first.step, first.statistics()


class _Attached:
    """A probe while it measures, behind the guard."""

    def __init__(self, probe: Probe, guard: Guard) -> None:
        self._probe = probe
        self._undo: Undo | None = None
        self._hook = guard
        self.put_in = guard(self._put_in)
        self.before_backward = guard(probe.before_backward)
        self.after_backward = guard(probe.after_backward)
        self.before_optimizer = guard(probe.before_optimizer)
        self.after_optimizer = guard(probe.after_optimizer)
        self.suspects = guard(self._suspects)
        self.take = guard(self._take)

    def undo(self) -> None:
        if self._undo is not None:
            self._undo()

    def _put_in(self, log: CallLog) -> None:
        self._undo = self._probe.attach(log, self._hook)

    def _suspects(self, into: list[range]) -> None:
        into += self._probe.suspects()

    def _take(self, keys: Keys, into: Drafts) -> None:
        with aside():  # the training may end its steps within a mode that makes tensors without data
            into += self._probe.take(keys)


class _UnderWay:
    """The drafts of one step, their values on the way to the CPU."""

    def __init__(self, step: int, drafts: Drafts) -> None:
        self.step = step
        self._drafts = drafts
        values = [draft.values if isinstance(draft, Draft) else draft.secs for draft in drafts]
        devices = {value.device for value in values if isinstance(value, torch.Tensor) and not value.is_cpu}
        if not devices and any(not isinstance(value, torch.Tensor) for value in values):
            devices = {_accelerator()}
        self._values = [_on_its_way(value) for value in values]
        self._arrivals = [_event(device) for device in devices]

    def is_here(self) -> bool:
        return all(event.query() for event in self._arrivals)

    def statistics(self) -> Statistics:
        """Waits for what has not arrived."""
        for event in self._arrivals:
            event.synchronize()
        tables: dict[str, _Rows] = {}
        operators: list[Operator] = []
        secs = [np.empty(0)]
        with aside():
            for draft, value in zip(self._drafts, self._values, strict=True):
                values = value if isinstance(value, torch.Tensor) else value()
                if isinstance(draft, OperatorDraft):
                    operators += draft.operators
                    secs.append(values.double().numpy())
                else:
                    finished = values if draft.finish is None else draft.finish(values)
                    tables.setdefault(draft.table, _Rows()).add(draft.keys, draft.columns, finished.double().numpy())
        joined = {name: rows.table() for name, rows in tables.items()}
        return Statistics(**joined, operators=tuple(operators), operator_secs=np.concatenate(secs))


class _Rows:
    """Drafts of one table, joined by key."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, float]] = {}
        self._columns: dict[str, None] = {}

    def add(self, keys: Sequence[str], columns: Sequence[str], values: NDArray[np.float64]) -> None:
        self._columns.update(dict.fromkeys(columns))
        for key, row in zip(keys, values.tolist(), strict=True):
            self._values.setdefault(key, {}).update(zip(columns, row, strict=True))

    def table(self) -> Table:
        columns = tuple(self._columns)
        rows = [[row.get(column, nan) for column in columns] for row in self._values.values()]
        return Table(tuple(self._values), columns, np.array(rows, dtype=np.float64).reshape(-1, len(columns)))


def _on_its_way(value: torch.Tensor | Late) -> torch.Tensor | Late:
    if not isinstance(value, torch.Tensor) or value.is_cpu:
        return value
    copy = torch.empty(value.shape, dtype=value.dtype, device="cpu", pin_memory=value.is_cuda)
    return copy.copy_(value, non_blocking=True)


def _event(device: torch.device) -> torch.Event:
    """Passed when the device has done all that was queued until now."""
    event = torch.Event(device.type)
    is_current = device.index is None or device.index == torch.accelerator.current_device_index()
    event.record(None if is_current else torch.accelerator.current_stream(device))
    return event


def _accelerator() -> torch.device:
    """Whose events a late value is made of."""
    device = torch.accelerator.current_accelerator()
    assert device is not None, "a value is late only on an accelerator"
    return device
