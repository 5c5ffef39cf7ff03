"""What each module call put out, and how long it took."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from tracer.capture import dead_units, hooks, moments
from tracer.capture.aside import aside, is_recorded, numbers_of
from tracer.capture.calls import CallLog
from tracer.capture.probe import Draft, Guard, Keys, Probe
from tracer.capture.stopwatch import Mark, Stopwatch

LEVELS = ("statistics", "full")

COLUMNS = (*moments.RESULTS, "forward_secs")
DEAD_COLUMNS = ("dead_units", "units")
_CONTAINERS = (Mapping, list, tuple, set, frozenset)
_NANS, _INFS = moments.COLUMNS.index("nans"), moments.COLUMNS.index("infs")


class _Call:
    """One call: where its entry stands in the log, the numbers of the nodes made in it, its rows, its times.

    `span` is when it began and ended, `measuring` when we measured its outputs, which is no time of the model's.
    """

    __slots__ = (
        "begun",
        "dead",
        "device",
        "ended",
        "first",
        "has_grad",
        "has_rows",
        "last",
        "measuring",
        "parent",
        "position",
        "rows",
    )

    def __init__(self, position: int, first: int, parent: int | None, device: torch.device | None, begun: Mark) -> None:
        self.position = position
        self.first = first
        self.last = first
        self.parent = parent
        self.device = device
        self.has_grad = torch.is_grad_enabled()
        self.begun = begun
        self.ended: Mark | None = None
        self.measuring: tuple[Mark, Mark] | None = None
        self.has_rows = False
        self.rows: list[tuple[int, int, moments.Row]] = []
        self.dead: list[dead_units.Count] = []


class ModuleOutputs(Probe):
    """Statistics of the floating-point outputs of each call, all tensors of an output together."""

    def __init__(self) -> None:
        self._stopwatch = Stopwatch()
        self._begin()

    def attach(self, log: CallLog, guard: Guard) -> hooks.Undo:
        self._begin()
        self._log = log
        take_out = hooks.on_module_calls(guard(self.enter), guard(self.leave))

        def undo() -> None:
            take_out()
            self._begin()

        return undo

    def enter(self, module: torch.nn.Module, args: Any) -> None:
        """After the log's own hook, which noted the call just now."""
        if self._log.ignores(module) or is_recorded():
            return
        if self._open:
            parent = self._open[-1]
            if parent is None:
                self._open.append(None)
                return
        else:
            parent = None
            if not torch.is_grad_enabled():  # a forward-only pass, which is no part of the step's graph
                self._open.append(None)
                return
        device = _device_of(args, module, None if parent is None else self._calls[parent].device)
        self._open.append(len(self._calls))
        log = self._log
        call = _Call(len(log.tokens) - 1, log.marks[-1], parent, device, 0)
        self._calls.append(call)
        call.begun = self._stopwatch.mark(device)

    def leave(self, module: torch.nn.Module, args: Any, kwargs: Any, output: Any = None) -> None:
        if not self._open or self._log.ignores(module) or is_recorded():
            return
        at = self._open.pop()
        if at is None:
            return
        call = self._calls[at]
        call.ended = self._stopwatch.mark(call.device)
        call.last = self._log.marks[-1]
        begun = self._stopwatch.mark(call.device)
        with aside():
            for tensor in _tensors(output):
                for numbers in numbers_of(tensor):
                    call.has_rows = True
                    rows = list(moments.measure(numbers, self._scratch))
                    call.rows += rows
                    if dead_units.may_be_dead(module, numbers, rows):
                        call.dead.append(dead_units.count_dead(numbers))
        call.measuring = begun, self._stopwatch.mark(call.device)
        self._ended.append(at)

    def suspects(self) -> Sequence[range]:
        base = self._log.base
        calls = (self._calls[at] for at in self._ended)
        return [range(base + call.first, base + call.last) for call in calls if _is_suspect(call)]

    def take(self, keys: Keys) -> Sequence[Draft]:
        kept = self._named(keys)
        with aside():
            drafts = (_draft(self._calls, kept, self._stopwatch), *_dead_drafts(self._calls, kept)) if kept else ()
        self._begin()
        return drafts

    def _named(self, keys: Keys) -> dict[int, str]:
        """Keys by index of the call. Where a call with grad and one without share a key, it is that of the former."""
        named: dict[str, int] = {}
        for at in self._ended:
            key = keys.call(self._calls[at].position)
            if key is not None and (key not in named or self._calls[at].has_grad):
                named[key] = at
        return {at: key for key, at in named.items()}

    def _begin(self) -> None:
        self._scratch = moments.Scratch()
        self._calls: list[_Call] = []
        self._ended: list[int] = []
        self._open: list[int | None] = []  # indices of the calls that have not ended; None for what is not measured


def _draft(calls: Sequence[_Call], kept: dict[int, str], stopwatch: Stopwatch) -> Draft:
    """A row for each key. The times and what is known on the host go with `finish`, the values as they are."""
    measured = [at for at in kept if calls[at].rows]
    rows = [row for at in measured for row in calls[at].rows]
    counts = np.array([len(calls[at].rows) for at in measured], dtype=np.int64)
    sizes = np.array([row[:2] for row in rows], dtype=np.int64).reshape(-1, 2)
    places = {at: place for place, at in enumerate(kept)}
    where = [places[at] for at in measured]
    empty = [places[at] for at in kept if calls[at].has_rows and not calls[at].rows]
    secs = _Times(calls, tuple(kept), stopwatch)

    def finish(values: torch.Tensor) -> torch.Tensor:
        table = np.full((len(kept), len(COLUMNS)), np.nan)
        if where:
            starts = np.cumsum(counts) - counts
            table[where, :-1] = moments.combine(values.double().numpy(), sizes[:, 0], sizes[:, 1], starts.tolist())
        for place in empty:
            table[place, [COLUMNS.index("nans"), COLUMNS.index("infs")]] = 0
        table[:, -1] = secs.read()
        return torch.from_numpy(table)

    return Draft("calls", tuple(kept.values()), COLUMNS, _together([row for _, _, row in rows]), finish)


def _dead_drafts(calls: Sequence[_Call], kept: dict[int, str]) -> Iterator[Draft]:
    """The dead units of those calls in which there may be any, all tensors of an output together."""
    rows = {key: calls[at].dead for at, key in kept.items() if calls[at].dead}
    if rows:
        units = torch.tensor([sum(n for _, n in counts) for counts in rows.values()], device="cpu")
        dead = _stacked([count for counts in rows.values() for count, _ in counts])
        lengths = torch.tensor([len(counts) for counts in rows.values()], device="cpu")

        def finish(found: torch.Tensor) -> torch.Tensor:
            sums = torch.stack([part.sum() for part in torch.split(found, lengths.tolist())])
            return torch.stack([sums, units.to(sums.dtype)], dim=1)

        yield Draft("calls", tuple(rows), DEAD_COLUMNS, dead, finish)


def _stacked(counts: Sequence[float | torch.Tensor]) -> torch.Tensor:
    """On the CPU, or, where any is on an accelerator, on the first such device."""
    device = next((count.device for count in counts if isinstance(count, torch.Tensor)), torch.device("cpu"))
    return torch.stack([torch.as_tensor(count, dtype=torch.float32).to(device, non_blocking=True) for count in counts])


class _Times:
    """How long each call took, its inner calls included, our own measuring of them left out."""

    def __init__(self, calls: Sequence[_Call], wanted: Sequence[int], stopwatch: Stopwatch) -> None:
        self._wanted = wanted
        self._stopwatch = stopwatch
        self._parents = [call.parent for call in calls]
        self._ended = [at for at, call in enumerate(calls) if call.ended is not None]
        self._spans = [(calls[at].begun, ended) for at in self._ended if (ended := calls[at].ended) is not None]
        self._measuring = [span for at in self._ended if (span := calls[at].measuring) is not None]

    def read(self) -> list[float]:
        """Seconds, in order of `wanted`."""
        spans = dict(zip(self._ended, self._stopwatch.read(self._spans).tolist(), strict=True))
        measuring = dict(zip(self._ended, self._stopwatch.read(self._measuring).tolist(), strict=True))
        inside = [0.0] * len(self._parents)  # our own time within each call
        for at in range(len(self._parents) - 1, -1, -1):  # a call stands after the one around it
            parent = self._parents[at]
            if parent is not None:
                inside[parent] += inside[at] + measuring.get(at, 0.0)
        return [max(0.0, spans[at] - inside[at]) for at in self._wanted]


def _together(rows: Sequence[moments.Row]) -> torch.Tensor:
    """(rows, columns) on the CPU, or, where any row is on an accelerator, on the first such device."""
    queued = [row for row in rows if isinstance(row, torch.Tensor)]
    if not queued:
        return torch.tensor(rows, dtype=torch.float64, device="cpu").reshape(-1, len(moments.COLUMNS))
    device = queued[0].device
    tensors = (row if isinstance(row, torch.Tensor) else torch.tensor(row, device="cpu") for row in rows)
    return torch.stack([row.to(device, non_blocking=True) for row in tensors])


def _is_suspect(call: _Call) -> bool:
    return any(bool(row[_NANS] > 0) or bool(row[_INFS] > 0) for _, _, row in call.rows)


def _device_of(args: Any, module: torch.nn.Module, around: torch.device | None) -> torch.device | None:
    """Where the call will compute: with its arguments, as the call around it, or with its parameters."""
    if isinstance(args, tuple):
        for argument in args:
            if isinstance(argument, torch.Tensor):
                return argument.device
    if around is not None:
        return around
    parameter = next(module.parameters(), None)
    return None if parameter is None else parameter.device


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    """All tensors of an output, however nested, each once."""
    waiting, seen = [output], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        if isinstance(item, torch.Tensor):
            seen.add(id(item))
            yield item
        elif isinstance(item, _CONTAINERS) or is_dataclass(item):
            seen.add(id(item))
            waiting += _parts(item)


def _parts(item: Any) -> list[Any]:
    if isinstance(item, Mapping):
        return list(item.values())
    if isinstance(item, _CONTAINERS):
        return list(item)
    return [] if isinstance(item, type) else [getattr(item, field.name, None) for field in fields(item)]
