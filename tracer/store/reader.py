"""Reading a tape, finished or still being written: the public `Tape`."""

import contextlib
import json
import os
import sqlite3
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from tracer.errors import QueryError, TapeError
from tracer.model.broken_off import BrokenOff, broken_off
from tracer.model.causes import Cause, causes
from tracer.model.diff import GraphDiff, diff
from tracer.model.query import parse
from tracer.model.records import Event, Pass, Step
from tracer.model.search import Search, SearchIndex, asks_for_change, asks_for_numbers
from tracer.model.statistics import Statistics
from tracer.model.step_search import StepSearch
from tracer.model.step_table import NONE, StepTable
from tracer.model.structure import ModuleCall, SourceLine, Structure, to_networkx
from tracer.store.connection import open_read_only
from tracer.store.encoding import (
    checksum,
    decode_calls,
    decode_lines,
    decode_structure,
    decompress,
    unpack_statistics,
    unpack_values,
)
from tracer.store.liveness import is_alive
from tracer.store.series import Series

Values = tuple[NDArray[np.int64], NDArray[np.float64]]

_POLL_SECS = 0.02
_CACHED_STRUCTURES = 64
_STEP = "SELECT id, structure, evaluation, phase, optimizer, started_ns, duration_ns, level, passes, crc FROM step"
_DAMAGE = (
    sqlite3.Error,
    UnicodeError,
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """What was appended to a tape since the last look. `scalars` maps a name to (steps, values) in order of logging.

    `steps` share their numbers and texts with those of every other batch of the same `Tape`.
    """

    steps: StepTable
    events: tuple[Event, ...]
    scalars: dict[str, Values]

    def __bool__(self) -> bool:
        return bool(self.steps or self.events or self.scalars)


class Tape:
    """One recorded run. Belongs to the thread that opened it; several may read one file, also while it is written.

    Raises TapeError where the file is no tape, of an unknown format, or damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._connection = open_read_only(self.path)
        self._format = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        self._series: dict[str, Series] = {}
        self._names: dict[int, str] = {}
        self._structure_ids: dict[int, tuple[str, str]] = {}
        self._structures: OrderedDict[int, Structure] = OrderedDict()
        self._table = StepTable()
        self._version = -1
        self._n_steps = self._n_told = 0
        self._last_event = 0
        self._last_chunk = 0
        self._n_rows = [0, 0]  # steps, events
        self._is_finished = self._has_all_lines = False
        try:
            self._unread: Batch | None = self._read_new()
        except TapeError:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def __len__(self) -> int:
        """The number of steps seen so far; `refresh` looks for more."""
        return self._n_steps

    @property
    def steps(self) -> Sequence[Step]:
        """The steps, read as they are asked for."""
        return _Steps(self)

    @property
    def meta(self) -> dict[str, str]:
        """Facts of the run: state, pid, command line, script, versions, when it started, where it can be controlled."""
        with self._reading():
            rows = self._connection.execute("SELECT key, value, crc FROM meta LIMIT 1000").fetchall()
            for *row, crc in rows:
                self._compare(checksum(*row), crc, "a fact of the run")
            return {key: value for key, value, _ in rows}

    @property
    def state(self) -> str:
        """One of "live" (the training runs), "closed" (it ended properly), "abrupt" (its process is gone)."""
        meta = self.meta
        if meta.get("state") != "live":
            return meta.get("state", "closed")
        with self._reading():
            return "live" if is_alive(int(meta["pid"]), meta["process_start"]) else "abrupt"

    @property
    def scalars(self) -> list[str]:
        """The names of the recorded scalars, in order of appearance."""
        return list(self._series)

    def series(self, name: str) -> Values:
        """(steps int64 (n,), values float64 (n,)) of one scalar. KeyError for a name that is not in `scalars`."""
        if name not in self._series:
            raise KeyError(f"{name!r} is not in this tape; it has {', '.join(self._series) or 'no scalars'}")
        return self._series[name].arrays()

    def step(self, index: int) -> Step:
        """Step `index`, negative from the end. IndexError out of range; TapeError where it was not recorded."""
        index = self._checked(index)
        with self._reading():
            row = self._connection.execute(f"{_STEP} WHERE id = ?", (index,)).fetchone()
        if row is None:
            raise TapeError(f"Step {index} was not recorded{self._because(index)}.")
        scalars = {name: value for name, series in self._series.items() if (value := series.at(index)) is not None}
        return self._step(row, scalars)

    def graph(self, index: int) -> nx.MultiDiGraph:
        """The graph of step `index`, a new object each time: see DESIGN's Read API for its attributes."""
        index = self._checked(index)
        with self._reading():
            row = self._connection.execute(
                "SELECT structure, evaluation, phase FROM step WHERE id = ?", (index,)
            ).fetchone()
        if row is None or row[0] is None:
            raise TapeError(f"The graph of step {index} was not recorded{self._because(index)}.")
        with self._reading():
            graph = to_networkx(self._structure(row[0]), self._evaluated(row[1]), self._lines(row[0]))
        if row[2] == "partial" and self.step(index).lacks_backward:
            graph.graph["lacks_backward"] = True
        return graph

    def lines_digest(self, index: int) -> bytes | None:
        """Changes when `graph(index)` comes to know more source lines, which may be steps later; None while it knows
        none."""
        index = self._checked(index)
        if self._format == 1:
            return None
        with self._reading():
            row = self._connection.execute(
                "SELECT digest FROM source WHERE id = (SELECT structure FROM step WHERE id = ?)", (index,)
            ).fetchone()
            return None if row is None else bytes(row[0])

    def statistics(self, index: int) -> Statistics | None:
        """What was measured in step `index`, None where its level is "structure". TapeError where it was lost, or is
        still on its way from the accelerator."""
        step = self.step(index)
        if step.level == "structure" or self._format == 1:
            return None
        with self._reading():
            row = self._connection.execute(
                "SELECT id, layout, data, crc FROM statistics WHERE id = ?", (step.index,)
            ).fetchone()
        if row is None:
            raise TapeError(f"The statistics of step {step.index} were not recorded{self._because(step.index)}.")
        with self._reading():
            self._compare(checksum(*row[:-1]), row[-1], f"the statistics of step {step.index}")
            return unpack_statistics(self._content("layout", row[1]), row[2])

    def diff(self, before: int, after: int) -> GraphDiff:
        """What differs between the graphs of two steps."""
        return diff(self.graph(before), self.graph(after))

    def causes(self, before: int, after: int) -> tuple[Cause, ...]:
        """Why the graphs of two steps differ, the most telling first: each node of `diff` belongs to exactly one."""
        graphs = self.graph(before), self.graph(after)
        ends = self.broken_off(before), self.broken_off(after)
        return causes(*graphs, diff(*graphs), self.meta.get("folder", ""), ends)

    def broken_off(self, index: int) -> BrokenOff | None:
        """What is known of the exception that ended step `index`, None where none did."""
        step = self.step(index)
        if step.phase != "partial":
            return None
        return broken_off(step, self.events("exception"), self.meta.get("folder", ""))

    @property
    def table(self) -> StepTable:
        """The steps seen so far by column."""
        return self._table

    def find(self, query: str, step: int) -> list[str]:
        """The keys of what a query finds in the graph of a step: "op:relu module:layer3.*". Words about change compare
        with the step before. Raises QueryError where the query makes no sense, or asks for what was not recorded."""
        question = parse(query)
        if question.is_about_steps:
            raise QueryError("This query asks for steps; give it to find_steps, or leave out 'steps where'.")
        index = self._checked(step)
        graph = self.graph(index)
        before = self.graph(index - 1) if index and asks_for_change(question) else None
        difference = None if before is None else diff(before, graph)
        statistics = self.statistics(index) if asks_for_numbers(question) else None
        return list(Search(SearchIndex(graph), before, difference).find(question, statistics))

    def find_steps(self, query: str) -> NDArray[np.int64]:
        """The steps in which a query holds, growing: "steps where module:layer4 ran", or without the first two words.
        Raises QueryError where the query makes no sense, or names a scalar that this tape has none of."""
        return StepSearch(self).find(parse(query, is_about_steps=True))

    def structure(self, number: int) -> Structure:
        """The structure with this number in `table`."""
        with self._reading():
            return self._structure(number)

    def evaluation(self, number: int) -> tuple[ModuleCall, ...]:
        """The calls of the forward-only passes with this number in `table`."""
        with self._reading():
            return self._evaluated(number)

    def lines(self, number: int) -> tuple[SourceLine | None, ...]:
        """The source lines known by now of a structure's nodes, in their order; () while there are none."""
        with self._reading():
            return self._lines(number)

    def digest_of_lines(self, number: int) -> bytes | None:
        """As `lines_digest`, by the number of the structure."""
        if self._format == 1:
            return None
        with self._reading():
            row = self._connection.execute("SELECT digest FROM source WHERE id = ?", (number,)).fetchone()
            return None if row is None else bytes(row[0])

    def events(self, kind: str | None = None) -> list[Event]:
        """All events, or those of one kind, in order."""
        return [event for event in self._read_events(0) if kind is None or event.kind == kind]

    @property
    def gaps(self) -> list[tuple[int, int, str]]:
        """(first, last, reason) of the steps that were not recorded, or not wholly."""
        with self._reading():
            rows = list(self._rows("SELECT id, first, last, reason, crc FROM gap", 0))
            for *row, crc in rows:
                self._compare(checksum(*row), crc, "a gap")
            return sorted((first, last, reason) for _, first, last, reason, _ in rows)

    def refresh(self) -> Batch:
        """Read what was appended since the last call (on the first call after opening: everything) and remember it."""
        first, self._unread = self._unread, None
        batch = self._read_new()
        told, self._n_told = self._n_told, len(self._table)
        if first is None:
            return batch
        scalars = {
            name: _joined(first.scalars.get(name), batch.scalars.get(name))
            for name in {**first.scalars, **batch.scalars}
        }
        return Batch(self._table.since(told), first.events + batch.events, scalars)

    def follow(self) -> Iterator[Step | Event]:
        """Everything recorded, then what is appended, as it comes; ends when the training has."""
        while True:
            is_live = self.state == "live"
            batch = self.refresh()
            yield from (self.step(index) for index in batch.steps.column("steps").tolist())
            yield from batch.events
            if not batch and not is_live:
                return
            if not batch:
                time.sleep(_POLL_SECS)

    def _read_new(self) -> Batch:
        with self._reading():
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return Batch(self._table.since(len(self._table)), (), {})
            self._connection.execute("BEGIN")  # one snapshot for all of them
            try:
                scalars = self._read_chunks()
                steps = self._read_steps()
                events = self._read_events(self._last_event)
                self._n_rows[0] += len(steps)
                self._n_rows[1] += len(events)
                self._check_rows()
            finally:
                self._connection.execute("ROLLBACK")
        self._version = version
        if events:
            self._last_event = events[-1].id
        return Batch(steps, tuple(events), scalars)

    def _read_chunks(self) -> dict[str, Values]:
        known = len(self._names) - 1
        for number, name, crc in self._rows("SELECT id, name, crc FROM scalar", known):
            self._compare(checksum(number, name), crc, "the name of a scalar")
            self._names[number] = name
        rows = list(self._rows("SELECT id, scalar, first, n, crc, data FROM chunk", self._last_chunk))
        parts: dict[str, list[Values]] = {}
        for _, scalar, first, n, crc, data in sorted(rows, key=lambda row: row[2]):
            name = self._names[scalar]
            self._compare(checksum(scalar, first, n, data), crc, f"a piece of {name!r}")
            series = self._series.setdefault(name, Series())
            n_known = len(series) - first
            if n_known < 0:
                raise TapeError(f"{self.path} is damaged: a piece of {name!r} is missing.")
            steps, values = unpack_values(data, n)
            steps, values = steps[n_known:], values[n_known:]
            if len(steps):  # else: a merged chunk of values seen before
                series.extend(steps, values)
                parts.setdefault(name, []).append((steps, values))
        self._last_chunk = max((row[0] for row in rows), default=self._last_chunk)
        self._series = {name: self._series[name] for name in self._names.values() if name in self._series}
        return {
            name: (np.concatenate([p[0] for p in some]), np.concatenate([p[1] for p in some]))
            for name, some in parts.items()
        }

    def _read_steps(self) -> StepTable:
        rows = list(self._rows(_STEP, self._n_steps - 1))
        for row in rows:
            self._compare(checksum(*row[:-1]), row[-1], f"step {row[0]}")
        n_before, numbers = len(self._table), self._table.names
        if rows:
            index, structures, evaluations, phases, optimizers, _, durations, levels, *_ = zip(*rows, strict=True)
            ids = [(None, None) if number is None else self._ids(number) for number in structures]
            columns = {
                "steps": index,
                "structures": [NONE if number is None else number for number in structures],
                "evaluations": [NONE if number is None else number for number in evaluations],
                "topologies": [numbers["topologies"].number(topology) for topology, _ in ids],
                "shapes": [numbers["shapes"].number(shape) for _, shape in ids],
                "phases": [numbers["phases"].number(phase) for phase in phases],
                "optimizers": [numbers["optimizers"].number(optimizer) for optimizer in optimizers],
                "levels": [numbers["levels"].number(level) for level in levels],
            }
            self._table.extend(columns, np.array(durations, np.float64) / 1e9)
            self._n_steps = index[-1] + 1
        return self._table.since(n_before)

    def _read_events(self, after: int) -> list[Event]:
        with self._reading():
            events = []
            for *row, crc in self._rows("SELECT id, kind, step, time_ns, data, crc FROM event", after):
                self._compare(checksum(*row), crc, f"event {row[0]}")
                number, kind, step, time_ns, data = row
                events.append(Event(number, kind, step, time_ns, json.loads(data)))
            return events

    def _rows(self, select: str, after: int) -> Iterator[tuple[Any, ...]]:
        """Rows in order of their ids, from after `after`. Pages that lead to each other again would repeat ids."""
        for row in self._connection.execute(f"{select} WHERE id > ? ORDER BY id", (after,)):
            if row[0] <= after:
                raise TapeError(f"{self.path} is damaged: its rows are out of order.")
            after = row[0]
            yield row

    def _compare(self, found: int, stored: int, what: str) -> None:
        if found != stored:
            raise TapeError(f"{self.path} is damaged: {what} does not match its checksum.")

    def _check_rows(self) -> None:
        """A closed tape says how much it holds, so that a page that went missing is noticed."""
        meta = self.meta
        self._is_finished = meta.get("state") != "live"
        if self._is_finished:
            n_values = sum(map(len, self._series.values()))
            if meta.get("rows", "").split()[:3] != [*map(str, (*self._n_rows, n_values))]:
                raise TapeError(f"{self.path} is damaged: it does not hold all that was recorded.")

    def _because(self, index: int) -> str:
        """Why something of step `index` is not in the tape, as the end of a sentence."""
        for first, last, reason in self.gaps:
            if first <= index <= last:
                return f" ({reason})"
        if any(event.step <= index for event in self.events("capture_failed")):
            return ", because capture had failed before; see `tapescope info`"
        return ""

    def _step(self, row: tuple[Any, ...], scalars: dict[str, float]) -> Step:
        with self._reading():
            index, structure, _, phase, optimizer, started_ns, duration_ns, level, passes, crc = row
            self._compare(checksum(*row[:-1]), crc, f"step {index}")
            topology, shape = ("", "") if structure is None else self._ids(structure)
            made = tuple(Pass(**item) for item in json.loads(passes))
            return Step(index, topology, shape, phase, optimizer, started_ns, duration_ns / 1e9, scalars, level, made)

    def _ids(self, structure: int) -> tuple[str, str]:
        if structure not in self._structure_ids:
            *row, crc = self._connection.execute(
                "SELECT id, digest, topology_id, shape_id, size, crc FROM structure WHERE id = ?", (structure,)
            ).fetchone()
            self._compare(checksum(*row), crc, f"graph {structure}")
            self._structure_ids[structure] = row[2], row[3]
        return self._structure_ids[structure]

    def _structure(self, number: int) -> Structure:
        if number not in self._structures:
            self._ids(number)  # checks the row
            size, digest, data = self._connection.execute(
                "SELECT size, digest, data FROM structure WHERE id = ?", (number,)
            ).fetchone()
            self._structures[number] = decode_structure(decompress(data, size, digest))
            if len(self._structures) > _CACHED_STRUCTURES:
                self._structures.popitem(last=False)
        self._structures.move_to_end(number)
        return self._structures[number]

    def _evaluated(self, number: int | None) -> tuple[ModuleCall, ...]:
        return () if number is None else decode_calls(self._content("evaluation", number))

    def _lines(self, structure: int) -> tuple[SourceLine | None, ...]:
        """Read anew each time: they may come after the structure."""
        if self._format == 1:
            return ()
        known = self._connection.execute("SELECT 1 FROM source WHERE id = ?", (structure,)).fetchone()
        if known is not None:
            return decode_lines(self._content("source", structure))
        if not self._has_all_lines:
            self._check_lines()
        return ()

    def _check_lines(self) -> None:
        """A row that went missing looks like lines that were never known; a closed tape says how many there are."""
        counts = self.meta.get("rows", "").split()
        if self._is_finished:
            n_rows = self._connection.execute("SELECT count(*) FROM source").fetchone()[0]
            if counts[3:] != [str(n_rows)]:
                raise TapeError(f"{self.path} is damaged: it does not hold all source lines that were recorded.")
            self._has_all_lines = True

    def _content(self, table: str, number: int) -> bytes:
        """The unpacked `data` of a row whose address and size are checked."""
        *row, crc, data = self._connection.execute(
            f"SELECT id, digest, size, crc, data FROM {table} WHERE id = ?", (number,)
        ).fetchone()
        self._compare(checksum(*row), crc, f"row {number} of {table}")
        return decompress(data, row[2], row[1])

    def _checked(self, index: int) -> int:
        position = index + self._n_steps if index < 0 else index
        if not 0 <= position < self._n_steps:
            steps = f"steps 0 to {self._n_steps - 1}" if self._n_steps else "no steps"
            raise IndexError(f"step {index} is out of range: {self.path} has {steps}")
        return position

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Whatever a damaged file makes SQLite or the decoders raise becomes one TapeError."""
        try:
            yield
        except _DAMAGE as error:
            raise TapeError(f"{self.path} is damaged ({type(error).__name__}: {error}).") from None


class _Steps(Sequence[Step]):
    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __len__(self) -> int:
        return len(self._tape)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        if isinstance(index, slice):
            return [self._tape.step(at) for at in range(*index.indices(len(self)))]
        return self._tape.step(index)


def _joined(first: Values | None, second: Values | None) -> Values:
    parts = [part for part in (first, second) if part is not None]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
