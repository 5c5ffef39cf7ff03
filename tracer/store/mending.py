"""Making a whole tape of rows that are each what was written, though others are missing: nothing speaks any more of
what is not there."""

import sqlite3

from tracer.store.audit import WITHOUT, Findings
from tracer.store.blobs import checksum
from tracer.store.curves import CHUNK_ROWS, pack_summary, scalar_of, unpack_chunk
from tracer.store.snapshot import BEFORE_ALL, rows_after
from tracer.store.step_rows import BLOCK_ROWS, STEP_ROWS, StepRow, pack_block, pack_step, unpack_block, unpack_step
from tracer.store.step_runs import Runs

DAMAGE_REASON = "lost to damage"
_MOST_GAPS = 1_000


def drop_copies(connection: sqlite3.Connection) -> None:
    """What was found a second time, as it was before it was folded."""
    for first, last in connection.execute("SELECT first, last FROM block").fetchall():
        connection.execute("DELETE FROM step WHERE id BETWEEN ? AND ?", (first, last))


def rebuild_summaries(connection: sqlite3.Connection) -> None:
    """Of the chunks there are."""
    ends: dict[int, int] = {}
    connection.execute("DELETE FROM summary")
    for row in rows_after(connection, CHUNK_ROWS, BEFORE_ALL):
        scalar, (steps, values) = scalar_of(row), unpack_chunk(row)
        first = ends.get(scalar, 0)
        ends[scalar] = first + len(steps)
        summary = pack_summary(row[0], scalar, first, steps, values)
        connection.execute("INSERT INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", summary)


def mend(connection: sqlite3.Connection, found: Findings) -> None:
    for number in sorted(found.names):
        row = number, f"scalar {number}, whose name was {DAMAGE_REASON}"
        connection.execute("INSERT INTO scalar VALUES (?, ?, ?)", (*row, checksum(*row)))
    for number in sorted(found.graphs):
        _take_graph(connection, number)
    connection.execute("DELETE FROM graph WHERE id NOT IN (SELECT id FROM structure)")
    connection.execute("DELETE FROM source WHERE id NOT IN (SELECT id FROM structure WHERE kept)")
    connection.execute("DELETE FROM statistics WHERE layout NOT IN (SELECT id FROM layout)")
    if found.structures or found.evaluations:
        _mend_steps(connection, found)
    _write_gaps(connection, found)


def _take_graph(connection: sqlite3.Connection, number: int) -> None:
    """As if it had been thinned: its ids stay."""
    *fields, _ = connection.execute("SELECT * FROM structure WHERE id = ?", (number,)).fetchone()
    row = *fields[:-2], None, 0
    connection.execute("REPLACE INTO structure VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, checksum(*row)))
    connection.execute("DELETE FROM graph WHERE id = ?", (number,))


def _mend_steps(connection: sqlite3.Connection, found: Findings) -> None:
    for row in list(rows_after(connection, STEP_ROWS, BEFORE_ALL)):
        step, scalars = unpack_step(row)
        if (whole := _without_lost(step, found)) != step:
            packed = pack_step(whole, scalars)
            connection.execute("REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", packed)
    for row in list(rows_after(connection, BLOCK_ROWS, BEFORE_ALL, "first")):
        block = unpack_block(row)
        lost = found.structures.intersection(block.structures.tolist())
        if lost or found.evaluations.intersection(block.evaluations.tolist()):
            steps = [_without_lost(block.step(at), found) for at in range(len(block))]
            connection.execute("REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?)", pack_block(steps))


def _without_lost(step: StepRow, found: Findings) -> StepRow:
    return step._replace(
        structure=None if step.structure in found.structures else step.structure,
        evaluation=None if step.evaluation in found.evaluations else step.evaluation,
    )


def _write_gaps(connection: sqlite3.Connection, found: Findings) -> None:
    (number,) = connection.execute("SELECT coalesce(max(id), 0) FROM gap").fetchone()
    for what, runs in losses_by_step(connection, found):
        reason = f"{WITHOUT}{what}: {DAMAGE_REASON}" if what else DAMAGE_REASON
        if len(runs) > _MOST_GAPS:
            runs, reason = [(runs[0][0], runs[-1][1])], f"some of these steps {reason}"
        for first, last in runs:
            number += 1
            row = number, first, last, reason
            connection.execute("INSERT INTO gap VALUES (?, ?, ?, ?, ?)", (*row, checksum(*row)))


def losses_by_step(connection: sqlite3.Connection, found: Findings) -> list[tuple[str, Runs]]:
    """What is missing of which steps; "" where it is the whole step."""
    survey = found.survey
    names = dict(connection.execute("SELECT id, name FROM scalar").fetchall())
    losses = [
        ("", found.missing_steps),
        ("graph", survey.using("structures", found.structures | found.graphs)),
        ("its forward-only passes", survey.using("evaluations", found.evaluations)),
        ("statistics", found.statistics),
        *((f"its value of {names.get(scalar, scalar)}", runs) for scalar, runs in found.values.items()),
    ]
    return [(what, runs) for what, runs in losses if runs]
