"""Turning the oldest rows of steps into a block and a chunk of each scalar, so that a long tape is few rows."""

import sqlite3
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tracer.store import schema
from tracer.store.curves import pack_chunk, pack_summary
from tracer.store.step_rows import StepRow, pack_block, unpack_step

_STEP = (
    "SELECT id, structure, evaluation, phase, optimizer, started_ns, duration_ns, level, passes, scalars, crc FROM step"
)


def fold(connection: sqlite3.Connection) -> int:
    """Fold the oldest `BLOCK_STEPS` steps, and all that came late for steps up to the last of them; how many steps.

    Within the transaction of the caller. Raises sqlite3.Error where the disk refuses, TapeError where a row is damaged.
    """
    rows = connection.execute(f"{_STEP} ORDER BY id LIMIT {schema.BLOCK_STEPS}").fetchall()
    if not rows:
        return 0
    steps = [unpack_step(row) for row in rows]
    last = steps[-1][0].step
    late = connection.execute("SELECT step, scalars FROM late WHERE step <= ? ORDER BY id", (last,)).fetchall()
    write_block(connection, [step for step, _ in steps])
    write_chunks(connection, [(step.step, scalars) for step, scalars in steps] + late)
    connection.execute("DELETE FROM step WHERE id <= ?", (last,))
    connection.execute("DELETE FROM late WHERE step <= ?", (last,))
    return len(steps)


def write_block(connection: sqlite3.Connection, steps: list[StepRow]) -> None:
    connection.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", pack_block(steps))


def write_chunks(connection: sqlite3.Connection, values: Iterable[tuple[int, bytes]]) -> None:
    """A chunk for each scalar of (step, packed scalars) in order of logging: the last value for a step counts."""
    by_ids: dict[bytes, list[tuple[int, int, bytes]]] = {}
    for place, (step, packed) in enumerate(values):
        n = len(packed) // 12
        by_ids.setdefault(packed[: 4 * n], []).append((place, step, packed[4 * n :]))
    pieces: dict[int, list[NDArray[np.float64]]] = {}
    for ids, rows in by_ids.items():
        places, steps, numbers = zip(*rows, strict=True)
        scalars = np.frombuffer(ids, "<i4").tolist()
        columns = np.frombuffer(b"".join(numbers), "<f8").reshape(len(rows), len(scalars)).T
        for scalar, column in zip(scalars, columns, strict=True):
            pieces.setdefault(scalar, []).append(np.array([places, steps, column]))
    for scalar, parts in pieces.items():
        write_chunk(connection, scalar, *_last_of_each_step(np.concatenate(parts, axis=1)))


def _last_of_each_step(piece: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of (3, n) places in order of logging, steps and values: (steps growing, values)."""
    places, steps, values = piece
    order = np.lexsort((places, steps))
    steps, values = steps[order].astype(np.int64), values[order]
    is_last = np.append(steps[1:] != steps[:-1], True)
    return steps[is_last], values[is_last]


def write_chunk(
    connection: sqlite3.Connection, scalar: int, steps: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    """One more chunk of a scalar, with its summary."""
    number, first = connection.execute(
        "SELECT coalesce(max(id), 0) + 1, "
        "(SELECT coalesce((SELECT first + n FROM summary WHERE scalar = ? ORDER BY id DESC LIMIT 1), 0)) FROM summary",
        (scalar,),
    ).fetchone()
    connection.execute("INSERT INTO chunk VALUES (?, ?, ?, ?, ?)", pack_chunk(number, steps, values))
    connection.execute(
        "INSERT INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", pack_summary(number, scalar, first, steps, values)
    )
