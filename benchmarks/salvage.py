"""What is left of damaged tapes: `python -m benchmarks.salvage` cuts a tape and destroys pages of it, repairs it, and
prints how much comes out, and of how much the bytes are intact: steps, their graphs, measurements, values of scalars.

What is intact is told by SQLite itself, of the tape before: which pages (of `dbstat`) hold the row of a step or its
block, of its graph the rows of its structure (an index may stand in for it) and of the one it leans on, of a value the
row of its step or its chunk.
"""

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests.store.samples import META, statistics, step_record, structure_record
from tracer import Tape
from tracer.errors import TapeError, ThinnedError
from tracer.store import schema
from tracer.store.curves import CHUNK_ROWS, scalar_of, unpack_chunk
from tracer.store.records import StatisticsRecord
from tracer.store.salvage import repair
from tracer.store.step_rows import BLOCK_ROWS, STEP_ROWS, unpack_block, unpack_scalars, unpack_step
from tracer.store.writer import Writer

PAGE = schema.PAGE_BYTES
N_SCALARS = 10
N_STRUCTURES = 60
Counts = tuple[int, int, int, int]
"""Of steps, graphs, measurements and values."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, damaged, new = (Path(folder, name) for name in ("a.tape", "damaged.tape", "new.tape"))
        write(path, args.steps)
        whole = path.read_bytes()
        truth = Truth(path)
        print(
            f"{'damage':<22} {'pages':>12} {'steps':>17} {'graphs':>17} {'measurements':>17} {'values':>19} {'secs':>6}"
        )
        for name, data, bad in damages(whole):
            damaged.write_bytes(data)
            before = time.perf_counter()
            found = salvaged(damaged, new)
            secs = time.perf_counter() - before
            cells = [f"{one:,}/{other:,}" for one, other in zip(found, truth.intact(bad), strict=True)]
            columns = "".join(f" {cell:>{width}}" for cell, width in zip(cells, (17, 17, 17, 19), strict=True))
            print(f"{name:<22} {f'{len(bad):,}/{len(whole) // PAGE:,}':>12}{columns} {secs:>6.1f}", flush=True)


def write(path: Path, n_steps: int) -> None:
    writer = Writer(path, META)
    graphs = [structure_record(20 + n) for n in range(N_STRUCTURES)]
    chance = random.Random(0)
    for index in range(n_steps):
        scalars = {f"scalar {n}": chance.random() for n in range(N_SCALARS)}
        is_measured = index % 10 == 0
        record = step_record(index, graphs[index * N_STRUCTURES // n_steps], **scalars)
        writer.append(replace(record, level="statistics") if is_measured else record)
        if is_measured:
            writer.append(StatisticsRecord(index, statistics(chance.random())))
        if index % 1000 == 999:
            writer.flush(60)
    writer.close("closed")


def damages(whole: bytes) -> Iterator[tuple[str, bytes, set[int]]]:
    """A name, the file, and the numbers of the pages that are destroyed."""
    n_pages, chance = len(whole) // PAGE, random.Random(1)
    yield "none", whole, set()
    yield "first page destroyed", chance.randbytes(PAGE) + whole[PAGE:], {1}
    for share in (0.25, 0.5, 0.75, 0.9):
        n_bytes = int(share * len(whole))
        yield f"cut at {share:.0%}", whole[:n_bytes], set(range(n_bytes // PAGE + 1, n_pages + 1))
    for n in (1, 10, 100):
        for trial in range(3):
            bad = set(chance.sample(range(1, n_pages + 1), min(n, n_pages)))
            data = bytearray(whole)
            for number in bad:
                data[(number - 1) * PAGE : number * PAGE] = chance.randbytes(PAGE)
            yield f"{n} random pages, {'abc'[trial]}", bytes(data), bad


def salvaged(damaged: Path, new: Path) -> Counts:
    try:
        repair(damaged, new)
    except TapeError as error:
        print(error, file=sys.stderr)
        return 0, 0, 0, 0
    n_steps = n_graphs = n_measured = 0
    with Tape(new) as tape:
        has_graph: dict[int, bool] = {}
        structures = dict(
            zip(tape.table.column("steps").tolist(), tape.table.column("structures").tolist(), strict=True)
        )
        for index in structures:
            n_steps += 1
            n_graphs += has_graph.setdefault(structures[index], _has_graph(tape, structures[index]))
        with closing(sqlite3.connect(new)) as connection:
            (n_measured,) = connection.execute("SELECT count(*) FROM statistics").fetchone()
        return n_steps, n_graphs, n_measured, sum(len(tape.series(name)[0]) for name in tape.scalars)


def _has_graph(tape: Tape, structure: int) -> bool:
    try:
        return structure >= 0 and bool(tape.structure(structure))
    except ThinnedError:
        return False


class Truth:
    """Which pages everything of a whole tape lies on."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            pages = {table: _pages_of_rows(connection, table) for table in schema.TABLES if table != "meta"}
            self._steps: list[tuple[set[int], list[int]]] = []
            self._values: list[tuple[set[int], int]] = []
            for row in connection.execute(BLOCK_ROWS):
                self._steps.append((pages["block"][row[0]], unpack_block(row).structures.tolist()))
            for row in connection.execute(STEP_ROWS):
                step, scalars = unpack_step(row)
                self._steps.append((pages["step"][step.step], [-1 if step.structure is None else step.structure]))
                self._values.append((pages["step"][step.step], len(unpack_scalars(scalars))))
            for row in connection.execute(CHUNK_ROWS):
                assert scalar_of(row) >= 0
                self._values.append((pages["chunk"][row[0]], len(unpack_chunk(row)[0])))
            self._graphs = {
                number: pages["structure"][number]
                | pages["graph"][number]
                | (set() if base is None else pages["graph"][base] | pages["structure"][base])
                for number, base in connection.execute("SELECT id, base FROM structure")
            }
            layouts = set().union(*pages["layout"].values())
            self._measured = [held | layouts for held in pages["statistics"].values()]

    def intact(self, bad: set[int]) -> Counts:
        steps = [structures for held, structures in self._steps if not held & bad]
        graphs = {number for number, held in self._graphs.items() if not held & bad}
        n_graphs = sum(number in graphs for structures in steps for number in structures)
        n_measured = sum(not held & bad for held in self._measured)
        n_values = sum(n for held, n in self._values if not held & bad)
        return sum(map(len, steps)), n_graphs, n_measured, n_values


def _pages_of_rows(connection: sqlite3.Connection, table: str) -> dict[int, set[int]]:
    """By key. The leaves of a table in order hold its rows in order; an overflow page says of which cell it is."""
    key = "first" if table == "block" else "id"
    keys = iter([row[0] for row in connection.execute(f"SELECT {key} FROM {table} ORDER BY {key}")])
    select = "SELECT path, pageno, ncell, pagetype FROM dbstat WHERE name = ? ORDER BY path"
    rows = connection.execute(select, (table,)).fetchall()
    cells: dict[str, list[int]] = {}
    found: dict[int, set[int]] = {}
    for path, number, n_cells, kind in rows:
        if kind == "leaf":
            cells[path] = [next(keys) for _ in range(n_cells)]
            found |= {key: {number} for key in cells[path]}
    for path, number, _, kind in rows:
        if kind == "overflow":
            leaf, _, place = path.rpartition("/")
            found[cells[f"{leaf}/"][int(place.partition("+")[0], 16)]].add(number)
    return found


if __name__ == "__main__":
    main()
