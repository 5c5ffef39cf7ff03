"""Taking out of a damaged tape what is still there, into a new one, and saying what was lost."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracer.errors import TapeError, UsageError
from tracer.store import destination, schema
from tracer.store.audit import audit, recorded_rows
from tracer.store.carving import Carving, is_another_database
from tracer.store.connection import checked_file, open_read_only
from tracer.store.damage import reading
from tracer.store.ending import leave
from tracer.store.loss_words import loss_words, page_words
from tracer.store.mending import drop_copies, mend, rebuild_summaries
from tracer.store.migration import migrated
from tracer.store.new_tape import create, meta_rows
from tracer.store.old_mending import mend_chunks, mend_meta
from tracer.store.pages import Pages
from tracer.store.recovering import recover

_OF_ITS_OWN = ("control", "rows", "state")
"""Facts that a new tape has of its own."""


@dataclass(frozen=True, slots=True)
class Salvage:
    """How many steps and events were found intact, and in plain words, a line each, what was not."""

    n_steps: int
    n_events: int
    lost: tuple[str, ...]


def repair(path: Path, out: Path) -> Salvage:
    """Write a new tape of everything that is intact. Raises TapeError where there is nothing of a tape, UsageError
    where `out` must not be replaced."""
    file = checked_file(path)
    if out.exists() and out.samefile(file):
        raise UsageError(f"{out} is the damaged tape itself, which is left as it is; choose another name.")
    destination.check(out)
    with _salvaged(path) as (found, salvage):
        _write(found, out, path)
    return salvage


def has_damaged_log(path: Path) -> bool:
    """Whether the log beside it holds something that SQLite does not read any more."""
    with _opened(checked_file(path)) as pages:
        return pages.log_is_damaged


def survey(path: Path) -> Salvage:
    """As `repair`, writing nothing."""
    with _salvaged(path) as (_, salvage):
        return salvage


@contextlib.contextmanager
def _salvaged(path: Path) -> Iterator[tuple[sqlite3.Connection, Salvage]]:
    """A database of the present format that holds what is left, as a whole."""
    with contextlib.ExitStack() as stack:
        with reading(path):
            found, salvage = _gathered(path, stack)
        yield found, salvage


def _opened(file: Path) -> Pages:
    try:
        return Pages(file)
    except OSError as error:
        raise TapeError(f"{file} cannot be read: {error.strerror}.") from None


def _gathered(path: Path, stack: contextlib.ExitStack) -> tuple[sqlite3.Connection, Salvage]:
    pages = stack.enter_context(_opened(checked_file(path)))
    if is_another_database(pages):
        open_read_only(path).close()  # says what it is
    carving = Carving(pages)
    new = stack.enter_context(contextlib.closing(_staged(carving)))
    if not sum(n for table, n in carving.n_rows.items() if table != "graph"):
        raise TapeError(f"{path} is not a tape, or nothing of it is left.")
    meta = dict(new.execute("SELECT key, value FROM meta").fetchall())
    recorded = recorded_rows(meta)
    if carving.version < schema.FORMAT:
        lost_values, n_values = mend_chunks(new)
        n_lost = max(recorded.pop("values", 0) - n_values, 0)
        new = stack.enter_context(contextlib.closing(_migrated(new, meta, carving.version)))
    else:
        lost_values, n_lost = {}, 0
        recover(new, carving.digests())
    drop_copies(new)
    rebuild_summaries(new)
    found = audit(new, meta, recorded)
    for scalar, runs in lost_values.items():
        found.values.setdefault(scalar, []).extend(runs)
    found.n_missing["values"] = found.n_missing.get("values", 0) + n_lost
    words = [*loss_words(new, found), *page_words(carving, found, has_damaged_log=pages.log_is_damaged)]
    mend(new, found)
    (n_events,) = new.execute("SELECT count(*) FROM event").fetchone()
    return new, Salvage(len(found.survey.steps), n_events, tuple(words))


def _staged(carving: Carving) -> sqlite3.Connection:
    """A temporary database with the rows that are intact; without indexes other than those of the tables."""
    connection = sqlite3.connect("", isolation_level=None)
    connection.execute("BEGIN")
    tables = schema.tables_of(carving.version)
    for statement in tables.values():
        connection.execute(statement)
    for table, row in carving.rows():
        connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    return connection


def _migrated(old: sqlite3.Connection, meta: dict[str, str], version: int) -> sqlite3.Connection:
    mend_meta(old)
    new = migrated(old, version)
    new.executemany("REPLACE INTO meta VALUES (?, ?, ?)", meta_rows(meta))
    return new


def _write(found: sqlite3.Connection, out: Path, source: Path) -> None:
    meta = {key: value for key, value in found.execute("SELECT key, value FROM meta") if key not in _OF_ITS_OWN}
    (state,) = found.execute("SELECT max(value = 'closed') FROM meta WHERE key = 'state'").fetchone()
    connection = create(
        out, {**meta, "control": "", "repaired_from": str(source), "state": "closed" if state else "abrupt"}
    )
    try:
        connection.execute("BEGIN IMMEDIATE")
        for table in schema.TABLES:
            if table != "meta":
                _copy(found, connection, table)
        facts = meta_rows({"rows": schema.count_rows(connection)})
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", facts)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        raise TapeError(f"Cannot write the tape {out}: {error}. Choose a place that can be written.") from None
    leave(connection)


def _copy(found: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    rows = found.execute(f"SELECT * FROM {table}")
    new.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows.description))})", rows)
