"""Reading a tape, finished or still being written: the public `Tape`."""

import importlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from tracer.errors import QueryError, TapeError, ThinnedError
from tracer.model.broken_off import BrokenOff, broken_off
from tracer.model.causes import Cause, causes
from tracer.model.diff import GraphDiff, diff
from tracer.model.query import parse
from tracer.model.records import Event, Step
from tracer.model.search import Search, SearchIndex, asks_for_change, asks_for_numbers
from tracer.model.statistics import Statistics
from tracer.model.step_search import StepSearch
from tracer.model.step_table import StepTable
from tracer.model.structure import ModuleCall, SourceLine, Structure, to_networkx
from tracer.store import envelope, measurements
from tracer.store.alignment import aligned, disagreements
from tracer.store.blobs import checksum
from tracer.store.curve_reader import CurveReader, Values
from tracer.store.curves import Bins
from tracer.store.damage import compare, reading
from tracer.store.facts_reader import THINNED, FactsReader
from tracer.store.frames import to_frame
from tracer.store.liveness import state_of
from tracer.store.migration import open_tape
from tracer.store.snapshot import BEFORE_ALL, snapshot
from tracer.store.step_reader import StepReader
from tracer.store.step_rows import StepRow
from tracer.store.structure_reader import StructureReader

_POLL_SECS = 0.02
_THINNED_OUT = "was thinned out to keep the tape small; its ids, scalars and events stay."


@dataclass(frozen=True, slots=True)
class Batch:
    """What was appended to a tape since the last look. `scalars` maps a name to (steps, values): the last value for a
    step counts, those told before included.

    `steps` share their numbers and texts with those of every other batch of the same `Tape`.
    """

    steps: StepTable
    events: tuple[Event, ...]
    scalars: dict[str, Values]

    def __bool__(self) -> bool:
        return bool(self.steps or self.events or self.scalars)


class Tape:
    """One recorded run. Belongs to the thread that opened it; several may read one file, also while it is written.

    The path of a run folder opens its lowest rank, with the others in `ranks`: see `RunTape`. Raises TapeError where
    the file is no tape, of an unknown format, or damaged.
    """

    def __new__(cls, path: str | os.PathLike[str]) -> Self:
        if cls is not Tape or not os.path.isdir(path):
            return super().__new__(cls)
        kind: type[Self] = importlib.import_module("tracer.store.run_tape").RunTape  # which imports this module
        return super().__new__(kind)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._connection, is_whole = open_tape(self.path)
        self._facts = FactsReader(self._connection)
        self._structures = StructureReader(self._connection)
        self._rows = StepReader(self._connection, self._structures)
        self._curves = CurveReader(self._connection)
        self._table = StepTable()
        self._version = -1
        self._n_steps = self._n_told = 0
        self._last_event = BEFORE_ALL
        self._is_checked, self._has_told = is_whole, False
        try:
            with reading(self.path):
                self._take_in(tells=False)
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

    def __repr__(self) -> str:
        return f"<Tape {str(self.path)!r}, {self._n_steps:,} step{'' if self._n_steps == 1 else 's'}>"

    def __len__(self) -> int:
        """The number of steps seen so far; `refresh` looks for more."""
        return self._n_steps

    def __iter__(self) -> Iterator[Step]:
        """The steps that were recorded, in order."""
        yield from (self.step(index) for index in self.table.column("steps").tolist())

    @property
    def steps(self) -> Sequence[Step]:
        """The steps, read as they are asked for."""
        return _Steps(self)

    @property
    def meta(self) -> dict[str, str]:
        """Facts of the run: state, pid, command line, script, versions, when it started, where it can be controlled."""
        with reading(self.path):
            return self._facts.meta()

    @property
    def state(self) -> str:
        """One of "live" (the training runs), "closed" (it ended properly), "abrupt" (its process is gone)."""
        with reading(self.path):
            return state_of(self._facts.meta())

    @property
    def scalars(self) -> list[str]:
        """The names of the recorded scalars, in order of appearance."""
        return self._curves.names

    def series(self, name: str) -> Values:
        """(steps int64 (n,), values float64 (n,)) of one scalar. KeyError for a name that is not in `scalars`."""
        self._check_name(name)
        with reading(self.path):
            return self._curves.all(name)

    def curve(self, name: str, first: int | None = None, last: int | None = None, points: int = 2000) -> Values:
        """(steps int64 (m,), values float64 (m,)) of one scalar from step `first` to step `last`, to be drawn as a
        line of some `points` points: all values where they are not more, else the lowest and the highest of so many in
        a row, at the first and the last step of these. Values that are not finite are NaN, or left out where others are
        in a row with them. However long the tape, this takes milliseconds. KeyError as `series`."""
        self._check_name(name)
        with reading(self.path):
            return envelope.curve(self._curves.segments(name), self._curves.load, *_range(first, last), points)

    def envelope(self, name: str, first: int | None = None, last: int | None = None, bins: int = 1000) -> Bins:
        """Of some `bins` rows of values from step `first` to step `last`: first and last step, and of the values that
        are finite the lowest, the highest and the mean (of long rows: of the means of 64), NaN where there is none.
        KeyError as `series`."""
        self._check_name(name)
        with reading(self.path):
            return envelope.envelope(self._curves.segments(name), self._curves.load, *_range(first, last), bins)

    def step(self, index: int) -> Step:
        """Step `index`, negative from the end. IndexError out of range; TapeError where it was not recorded."""
        row = self._row(self._checked(index))
        with reading(self.path):
            topology, shape = ("", "") if row.structure is None else self._structures.ids(row.structure)
            scalars = self._curves.at(row.step)
        return Step(
            row.step,
            topology,
            shape,
            row.phase,
            row.optimizer,
            row.started_ns,
            row.duration_ns / 1e9,
            scalars,
            row.level,
            row.passes,
        )

    def graph(self, index: int) -> nx.MultiDiGraph:
        """The graph of step `index`, a new object each time: see DESIGN's Read API for its attributes. TapeError where
        it was not recorded, or was thinned out."""
        index = self._checked(index)
        with reading(self.path):
            row = self._rows.find(index)
            structure = None if row is None or row.structure is None else self._structures.structure(row.structure)
        if row is None or row.structure is None:
            raise TapeError(f"The graph of step {index} was not recorded{self._because(index)}.")
        if structure is None:
            raise ThinnedError(f"The graph of step {index} {_THINNED_OUT}")
        with reading(self.path):
            evaluated = self._structures.evaluation(row.evaluation)
            graph = to_networkx(structure, evaluated, self._structures.lines(row.structure))
        if row.phase == "partial" and self.step(index).lacks_backward:
            graph.graph["lacks_backward"] = True
        return graph

    def lines_digest(self, index: int) -> bytes | None:
        """Changes when `graph(index)` comes to know more source lines, which may be steps later; None while it knows
        none."""
        index = self._checked(index)
        with reading(self.path):
            row = self._rows.find(index)
            return None if row is None or row.structure is None else self._structures.lines_digest(row.structure)

    def statistics(self, index: int) -> Statistics | None:
        """What was measured in step `index`, None where its level is "structure". TapeError where it was lost, was
        thinned out, or is still on its way from the accelerator."""
        row = self._row(self._checked(index))
        if row.level == "structure":
            return None
        with reading(self.path), snapshot(self._connection):
            found = self._connection.execute(
                "SELECT id, layout, size, data, crc FROM statistics WHERE id = ?", (row.step,)
            ).fetchone()
            if found is not None:
                *fields, crc = found
                compare(checksum(*fields), crc, f"the statistics of step {row.step}")
                _, layout, size, data = fields
                return measurements.unpack(self._structures.content("layout", layout), size, data)
        reason = self._because(row.step, "measurements")
        if reason.startswith(f" ({THINNED}"):
            details = reason.replace(THINNED, "", 1)
            raise ThinnedError(f"The statistics of step {row.step} were thinned out to keep the tape small{details}.")
        raise TapeError(f"The statistics of step {row.step} were not recorded{reason}.")

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
        with reading(self.path):
            self._rows.extend(self._table, self._n_steps)
        return self._table

    @property
    def started_ns(self) -> NDArray[np.int64]:
        """Unix time at which each step of `table` began, (n,)."""
        with reading(self.path):
            return self._rows.started_ns(self._n_steps)

    def to_pandas(self) -> Any:
        """The recorded steps as a `pandas.DataFrame`, indexed by "step": phase, optimizer, level, topology_id and
        shape_id (categories), duration_secs, started (UTC) and a column for each scalar, NaN where a step has none.
        Raises UsageError where pandas is not installed."""
        return to_frame(self)

    @property
    def ranks(self) -> "Mapping[int, Tape]":
        """The tapes of a distributed job by rank; of a tape on its own, this one alone."""
        rank = self.meta.get("rank", "")
        return {int(rank) if rank.isdecimal() and len(rank) < 10 else 0: self}

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps ranks of a run folder out of `ranks`, a sentence each."""
        return ()

    @property
    def other_attempts(self) -> tuple[Path, ...]:
        """Of a run folder whose job was restarted: the tapes of its other attempts."""
        return ()

    def aligned(self, name: str) -> Values:
        """(steps int64 (n,), values float64 (ranks, n)) of one scalar, the ranks as in `ranks`, NaN where one has no
        value. KeyError where none has."""
        return aligned(list(self.ranks.values()), name)

    def disagreements(self) -> NDArray[np.int64]:
        """The steps at which ranks ran different graphs (their topology ids differ), growing."""
        return disagreements(list(self.ranks.values()))

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
        """The structure with this number in `table`. TapeError where it was thinned out."""
        with reading(self.path):
            found = self._structures.structure(number)
        if found is None:
            raise ThinnedError(f"Graph {number} {_THINNED_OUT}")
        return found

    def evaluation(self, number: int) -> tuple[ModuleCall, ...]:
        """The calls of the forward-only passes with this number in `table`."""
        with reading(self.path):
            return self._structures.evaluation(number)

    def lines(self, number: int) -> tuple[SourceLine | None, ...]:
        """The source lines known by now of a structure's nodes, in their order; () while there are none."""
        with reading(self.path):
            return self._structures.lines(number)

    def digest_of_lines(self, number: int) -> bytes | None:
        """As `lines_digest`, by the number of the structure."""
        with reading(self.path):
            return self._structures.lines_digest(number)

    def events(self, kind: str | None = None) -> list[Event]:
        """All events, or those of one kind, in order."""
        with reading(self.path):
            return [event for event in self._facts.events() if kind is None or event.kind == kind]

    @property
    def gaps(self) -> list[tuple[int, int, str]]:
        """(first, last, reason) of the steps that were not recorded, or not wholly, or of which not all was kept."""
        with reading(self.path):
            return self._facts.gaps()

    def refresh(self, *, with_scalars: bool = True) -> Batch:
        """Read what was appended since the last call (on the first call after opening: everything) and remember it."""
        with reading(self.path):
            if self._has_told and self._version == self._data_version():
                return Batch(self._table.since(self._n_told), (), {})
            with snapshot(self._connection):
                scalars = self._take_in(tells=self._has_told and with_scalars)
                self._rows.extend(self._table, self._n_steps)
                events = tuple(self._facts.events(self._last_event))
            if with_scalars and not self._has_told:
                scalars = {name: self._curves.all(name) for name in self._curves.names}
        told, self._n_told = self._n_told, len(self._table)
        self._last_event = events[-1].id if events else self._last_event
        self._has_told = True
        return Batch(self._table.since(told), events, scalars)

    def catch_up(self) -> None:
        """Looks for what was appended, and reads none of it until it is asked for; what `refresh` gives, it gives then
        as well, and all scalars anew."""
        with reading(self.path):
            if self._version != self._data_version():
                self._take_in(tells=False)
                self._has_told = False

    def follow(self) -> Iterator[Step | Event]:
        """Everything recorded, then what is appended, as it comes; ends when the training has."""
        while True:
            is_live = self.state == "live"
            batch = self.refresh(with_scalars=False)
            yield from (self.step(index) for index in batch.steps.column("steps").tolist())
            yield from batch.events
            if not batch and not is_live:
                return
            if not batch:
                time.sleep(_POLL_SECS)

    def _take_in(self, *, tells: bool) -> dict[str, Values]:
        """What there is by now; the values that are new, if it `tells`."""
        self._version = self._data_version()
        with snapshot(self._connection):
            self._is_checked = self._is_checked or self._facts.check_end()
            news = self._curves.update(tells=tells)
            self._n_steps = self._rows.end()
        return news

    def _data_version(self) -> int:
        """Another one after each change of the file."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _row(self, index: int) -> StepRow:
        with reading(self.path):
            row = self._rows.find(index)
        if row is None:
            raise TapeError(f"Step {index} was not recorded{self._because(index)}.")
        return row

    def _because(self, index: int, thinned: str = "") -> str:
        with reading(self.path):
            return self._facts.reason(index, thinned)

    def _check_name(self, name: str) -> None:
        names = self._curves.names
        if name not in names:
            raise KeyError(f"{name!r} is not in this tape; it has {', '.join(names) or 'no scalars'}")

    def _checked(self, index: int) -> int:
        position = index + self._n_steps if index < 0 else index
        if not 0 <= position < self._n_steps:
            steps = f"steps 0 to {self._n_steps - 1}" if self._n_steps else "no steps"
            raise IndexError(f"step {index} is out of range: {self.path} has {steps}")
        return position


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


def _range(first: int | None, last: int | None) -> tuple[int, int]:
    return -(1 << 63) if first is None else first, (1 << 63) - 1 if last is None else last
