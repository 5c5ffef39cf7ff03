"""Making what is left of a tape of format 1 or 2 something that can be migrated."""

import sqlite3

import numpy as np

from tracer.store.blobs import checksum
from tracer.store.step_runs import Runs

_CHUNKS = "SELECT id, first, n, data FROM chunk WHERE scalar = ? ORDER BY first, id"


def mend_chunks(connection: sqlite3.Connection) -> tuple[dict[int, Runs], int]:
    """Moves the pieces of each curve together; the steps between those where some are missing, and up to which value
    all curves together reached."""
    lost: dict[int, Runs] = {}
    n_values = 0
    for (scalar,) in connection.execute("SELECT DISTINCT scalar FROM chunk").fetchall():
        end, n_missing, last = 0, 0, -1
        for number, first, n, data in connection.execute(_CHUNKS, (scalar,)).fetchall():
            steps = np.frombuffer(data, "<i8", n)
            if first > end:
                n_missing += first - end
                lost.setdefault(scalar, []).append((last + 1, max(int(steps[0]) - 1, last + 1)))
            row = first - n_missing, checksum(scalar, first - n_missing, n, data), number
            connection.execute("UPDATE chunk SET first = ?, crc = ? WHERE id = ?", row)
            end, last = max(end, first + n), int(steps[-1])
        n_values += end
    return lost, n_values


def mend_meta(connection: sqlite3.Connection) -> None:
    """A tape that is still being written does not say how much it holds."""
    connection.execute("DELETE FROM meta WHERE key IN ('rows', 'state')")
    connection.execute("INSERT INTO meta VALUES ('state', 'live', ?)", (checksum("state", "live"),))
