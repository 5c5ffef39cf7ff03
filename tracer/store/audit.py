"""Whether a tape holds all that its rows speak of: structures, layouts, values, steps without a hole. That each row is
what was written is looked at before (see `row_checks`)."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracer.store import schema
from tracer.store.blobs import content
from tracer.store.curves import CHUNK_ROWS, SUMMARY_ROWS, bins_of, unpack_chunk, unpack_summary
from tracer.store.damage import DAMAGE, DamageError
from tracer.store.facts_reader import THINNED, FactsReader
from tracer.store.recent import Recent
from tracer.store.snapshot import BEFORE_ALL, Row, rows_after
from tracer.store.step_rows import BLOCK_ROWS, STEP_ROWS, unpack_block, unpack_step
from tracer.store.step_runs import Runs, merged, n_steps, runs_of, within, without

Ints = NDArray[np.int64]

WITHOUT = "without "
"""So begin the reasons of gaps where a step is there, but not all of it."""

_BASES_BYTES = 4 << 20
_NONE = -1
_GRAPHS = "SELECT id, digest, size, base, kept, data FROM structure LEFT JOIN graph USING (id)"


@dataclass(slots=True, eq=False)
class Survey:
    """Of each step there is, (n,): its index, the ids of its structure and its evaluation (-1 for none), and whether
    something was measured in it."""

    steps: Ints
    structures: Ints
    evaluations: Ints
    is_measured: NDArray[np.bool_]

    def using(self, column: str, ids: set[int]) -> Runs:
        """The steps that have one of these structures or evaluations."""
        return runs_of(self.steps[np.isin(getattr(self, column), list(ids))])


@dataclass(slots=True)
class Findings:
    """What is missing. Ids are those of the tables, runs of steps are (first, last)."""

    survey: Survey
    missing_steps: Runs = field(default_factory=list)
    structures: set[int] = field(default_factory=set)
    graphs: set[int] = field(default_factory=set)
    evaluations: set[int] = field(default_factory=set)
    names: set[int] = field(default_factory=set)
    statistics: Runs = field(default_factory=list)
    values: dict[int, Runs] = field(default_factory=dict)
    n_missing: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        held = (self.structures, self.graphs, self.evaluations, self.names, self.statistics, self.values)
        return bool(self.missing_steps or any(held) or any(self.n_missing.values()))


def audit(connection: sqlite3.Connection, meta: dict[str, str], recorded: dict[str, int]) -> Findings:
    """`recorded`: how many rows and values there were, as far as that is known. Raises DamageError, sqlite3.Error and
    their like where a row is not what was written."""
    found = Findings(survey_steps(connection))
    gaps = FactsReader(connection).gaps()
    _look_at_curves(connection, found)
    measured = _look_at_statistics(connection, found, gaps, is_closed=meta.get("state") == "closed")
    _look_at_graphs(connection, found)
    _look_at_references(connection, found)
    _look_at_steps(found, gaps, measured, recorded)
    _look_at_counts(connection, found, recorded)
    return found


def recorded_rows(meta: dict[str, str]) -> dict[str, int]:
    """What a tape that was closed says of itself; empty of others."""
    text = meta.get("rows", "")
    try:
        if text.startswith("{"):
            return {name: int(n) for name, n in json.loads(text).items()}
        return dict(zip(("steps", "event", "values", "source"), map(int, text.split()), strict=False))  # formats 1, 2
    except (ValueError, TypeError, AttributeError):
        return {}


def survey_steps(connection: sqlite3.Connection) -> Survey:
    parts = [tuple(np.empty(0, np.int64) for _ in range(4))]
    for row in rows_after(connection, BLOCK_ROWS, BEFORE_ALL, "first"):
        block = unpack_block(row)
        is_measured = np.array([level != "structure" for level in block.texts["levels"]])[block.levels]
        is_whole = np.array([phase != "partial" for phase in block.texts["phases"]])[block.phases]
        parts.append((block.indices, block.structures, block.evaluations, is_measured & is_whole))
    rows = [unpack_step(row)[0] for row in rows_after(connection, STEP_ROWS, BEFORE_ALL)]
    parts.append(
        (
            np.array([row.step for row in rows], np.int64),
            np.array([_NONE if row.structure is None else row.structure for row in rows], np.int64),
            np.array([_NONE if row.evaluation is None else row.evaluation for row in rows], np.int64),
            np.array([row.level != "structure" and row.phase != "partial" for row in rows], np.bool_),
        )
    )
    steps, structures, evaluations, is_measured = (np.concatenate(each) for each in zip(*parts, strict=True))
    if np.any(np.diff(steps) <= 0):
        raise DamageError("its steps are out of order")
    return Survey(steps, structures, evaluations, is_measured.astype(np.bool_))


def _look_at_curves(connection: sqlite3.Connection, found: Findings) -> None:
    """Every summary has its chunk, and of each scalar none is missing in between."""
    ends: dict[int, tuple[int, int]] = {}
    for row in rows_after(connection, SUMMARY_ROWS, BEFORE_ALL):
        summary = unpack_summary(row)
        lost = found.values.setdefault(summary.scalar, [])
        n_before, last = ends.get(summary.scalar, (0, -1))
        if summary.first != n_before:
            lost.append((last + 1, max(summary.low - 1, last + 1)))
        ends[summary.scalar] = summary.first + summary.n, summary.high
        chunk = connection.execute(f"{CHUNK_ROWS} WHERE id = ?", (summary.id,)).fetchone()
        if chunk is None:
            lost.append((summary.low, summary.high))
            continue
        steps, values = unpack_chunk(chunk)
        bins, right = summary.bins(), bins_of(steps, values)
        columns = (
            (getattr(bins, name), getattr(right, name)) for name in ("firsts", "lasts", "lows", "highs", "means")
        )
        if not all(np.array_equal(one, other, equal_nan=True) for one, other in columns):
            raise DamageError("the summary of a curve is not that of its values")
    found.values = {scalar: lost for scalar, lost in found.values.items() if lost}
    scalars = {row[0] for row in connection.execute("SELECT DISTINCT scalar FROM summary")}
    found.names = scalars | _scalars_in_rows(connection)
    found.names -= {row[0] for row in connection.execute("SELECT id FROM scalar")}


def _scalars_in_rows(connection: sqlite3.Connection) -> set[int]:
    packed = {unpack_step(row)[1] for row in rows_after(connection, STEP_ROWS, BEFORE_ALL)}
    packed |= {row[1] for row in rows_after(connection, "SELECT id, scalars FROM late", BEFORE_ALL)}
    return {int(number) for data in packed for number in np.frombuffer(data, "<i4", len(data) // 12)}


def _look_at_statistics(
    connection: sqlite3.Connection, found: Findings, gaps: list[tuple[int, int, str]], *, is_closed: bool
) -> Ints:
    """The steps that have them. A step that says it was measured should; where the run did not end properly the last
    ones may have been on their way, and where capture failed none came any more."""
    layouts = {row[0] for row in connection.execute("SELECT id FROM layout")}
    rows = connection.execute("SELECT id, layout FROM statistics ORDER BY id").fetchall()
    lost = [step for step, layout in rows if layout not in layouts]
    measured = np.array([step for step, _ in rows], np.int64)
    survey = found.survey
    failed = [event.step for event in FactsReader(connection).events() if event.kind == "capture_failed"]
    newest = measured if not is_closed else survey.steps + 1
    end = min([int(newest[-1]) if len(newest) else 0, *failed])
    excused = [(first, last) for first, last, reason in gaps if reason.startswith((THINNED, WITHOUT))]
    expected = survey.steps[survey.is_measured & (survey.steps < end)]
    expected = expected[~within(expected, excused)]
    found.statistics = runs_of(np.append(np.setdiff1d(expected, measured), np.array(lost, np.int64)))
    return measured


def _look_at_graphs(connection: sqlite3.Connection, found: Findings) -> None:
    """Each structure that was not thinned unpacks to its digest."""
    bases: Recent[int, bytes] = Recent(_BASES_BYTES)
    known = set()
    for number, digest, size, base, is_kept, data in rows_after(connection, _GRAPHS, BEFORE_ALL):
        known.add(number)
        try:
            if is_kept:
                content(size, digest, data, b"" if base is None else _base(connection, bases, base))
        except DAMAGE:
            found.graphs.add(number)
    found.structures = set(np.unique(found.survey.structures).tolist()) - known - {_NONE}


def _base(connection: sqlite3.Connection, bases: Recent[int, bytes], number: int) -> bytes:
    known = bases.get(number)
    if known is None:
        row = connection.execute(f"{_GRAPHS} WHERE id = ? AND base IS NULL", (number,)).fetchone()
        if row is None:
            raise DamageError(f"graph {number}, which others lean on, is missing")
        _, digest, size, _, _, data = row
        known = content(size, digest, data)
        bases.put(number, known, len(known))
    return known


def _look_at_references(connection: sqlite3.Connection, found: Findings) -> None:
    evaluations = {row[0] for row in connection.execute("SELECT id FROM evaluation")}
    found.evaluations = set(np.unique(found.survey.evaluations).tolist()) - evaluations - {_NONE}


def _look_at_steps(found: Findings, gaps: list[tuple[int, int, str]], measured: Ints, recorded: dict[str, int]) -> None:
    """Steps count from 0; where one is missing a gap says why."""
    steps = found.survey.steps
    excused = [(first, last) for first, last, reason in gaps if not reason.startswith((THINNED, WITHOUT))]
    ends = [
        *steps[-1:].tolist(),
        *measured[-1:].tolist(),
        *(high for runs in found.values.values() for _, high in runs),
    ]
    end = max(ends, default=-1)
    befores, afters = np.append(-1, steps), np.append(steps, end + 1)
    at = np.flatnonzero(afters - befores > 1)
    holes = zip((befores[at] + 1).tolist(), (afters[at] - 1).tolist(), strict=True)
    found.missing_steps = without(holes, excused)
    n_beyond = recorded.get("steps", 0) + recorded.get("step", 0) - len(steps) - n_steps(found.missing_steps)
    if n_beyond > 0:  # nothing else tells of them
        end = max([end, *(last for _, last in excused)]) + 1
        found.missing_steps = merged([*found.missing_steps, (end, end + n_beyond - 1)])


def _look_at_counts(connection: sqlite3.Connection, found: Findings, recorded: dict[str, int]) -> None:
    for table in ("event", "gap", "late", "source", "structure", "evaluation", "scalar"):
        if table in recorded:
            (n,) = connection.execute(f"SELECT count(*) FROM {table} WHERE rowid >= {BEFORE_ALL}").fetchone()
            found.n_missing[table] = max(recorded[table] - n, 0)
    if "values" in recorded and not found.values:
        (n,) = connection.execute("SELECT coalesce(sum(n), 0) FROM summary").fetchone()
        found.n_missing["values"] = max(recorded["values"] - n, 0)


def all_rows(connection: sqlite3.Connection) -> Iterator[tuple[str, Row]]:
    """Every row of every table of the present format."""
    for table in schema.TABLES:
        if table == "meta":
            yield from (("meta", row) for row in connection.execute("SELECT * FROM meta LIMIT 1000"))
        else:
            key = "first" if table == "block" else "id"
            yield from ((table, row) for row in rows_after(connection, f"SELECT * FROM {table}", BEFORE_ALL, key))
