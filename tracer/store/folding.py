"""Turning the oldest rows of steps into a block and a chunk of each scalar, so that a long tape is few rows."""

import sqlite3
from collections.abc import Iterable

from tracer.store import schema
from tracer.store.curves import Floats, Ints, by_scalar, pack_chunk, pack_summary
from tracer.store.damage import DAMAGE
from tracer.store.step_rows import STEP_ROWS, StepRow, pack_block, unpack_step


def fold(connection: sqlite3.Connection) -> tuple[int, list[int]]:
    """Fold the oldest `BLOCK_STEPS` steps, and all that came late for steps up to the last of them. How many rows of
    steps there are less, and those of them that had been damaged since they were written: they are lost.

    Within the transaction of the caller. Raises sqlite3.Error where the disk refuses.
    """
    rows = connection.execute(f"{STEP_ROWS} ORDER BY id LIMIT {schema.BLOCK_STEPS}").fetchall()
    last = int(rows[-1][0])
    steps, lost = [], []
    for row in rows:
        try:
            steps.append(unpack_step(row))
        except DAMAGE:
            lost.append(int(row[0]))
    late = connection.execute("SELECT step, scalars FROM late WHERE step <= ? ORDER BY id", (last,)).fetchall()
    if steps:
        write_block(connection, [step for step, _ in steps])
    write_chunks(connection, [(step.step, scalars) for step, scalars in steps] + late)
    connection.execute("DELETE FROM step WHERE id <= ?", (last,))
    connection.execute("DELETE FROM late WHERE step <= ?", (last,))
    return len(rows), lost


def write_block(connection: sqlite3.Connection, steps: list[StepRow]) -> None:
    connection.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", pack_block(steps))


def write_chunks(connection: sqlite3.Connection, values: Iterable[tuple[int, bytes]]) -> None:
    """A chunk for each scalar of (step, packed scalars) in order of logging."""
    for scalar, (steps, numbers) in by_scalar(values).items():
        write_chunk(connection, scalar, steps, numbers)


def write_chunk(connection: sqlite3.Connection, scalar: int, steps: Ints, values: Floats) -> None:
    """One more chunk of a scalar, with its summary."""
    number, first = connection.execute(
        "SELECT coalesce(max(id), 0) + 1, "
        "(SELECT coalesce((SELECT first + n FROM summary WHERE scalar = ? ORDER BY id DESC LIMIT 1), 0)) FROM summary",
        (scalar,),
    ).fetchone()
    connection.execute("INSERT INTO chunk VALUES (?, ?, ?, ?, ?)", pack_chunk(number, scalar, steps, values))
    connection.execute(
        "INSERT INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", pack_summary(number, scalar, first, steps, values)
    )
