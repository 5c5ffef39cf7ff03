"""The tape's tables: one SQLite file, format 3.

`meta`       one row a key: state (live, closed), pid, start of the process, command line, versions, control endpoint;
             once closed also `rows`, how many there are in the light tables: a missing page is noticed (see `COUNTED`)
`structure`  one row a distinct structure, addressed by the BLAKE2b digest of its encoding (see `encoding`), which is
             `size` bytes long; `kept` is 0 once its graph was thinned, the ids stay
`graph`      the encoding of a structure, deflated; where `base` names another structure, with the end of that one's
             encoding as dictionary. A base has none itself
`evaluation` the calls of forward-only passes, likewise addressed by content
`step`       one light row for each of the last few thousand steps; `structure` and `evaluation` point into the tables
             above (`structure` is null where the graph was not captured, or was dropped: then a gap says so), `passes`
             is JSON, `scalars` holds the step's own (see `step_rows`)
`late`       values logged for a step that was written before
`block`      some 2,000 steps by column, once they are no longer the newest (see `step_rows`); the first and the last
`chunk`      the values of one scalar over the steps of a block, growing, and those that came late (see `curves`)
`summary`    of each chunk: which scalar, the place of its first value among all of that scalar, how many, the lowest
             and the highest step, and its bins: extremes and mean of every 64 values
`source`     for structures (by their ids) the source line that made each node, once these are known
`statistics` the measurements of a step (its id), by column; `layout` points to what they are of
`layout`     the keys and columns of measurements and the operators that ran, addressed by content
`scalar`     the names of the scalars
`gap`        steps of which something was not recorded, or not kept, and why
`event`      what happened; `data` is JSON

Every row carries a CRC-32 over its other fields (where it has a digest, `data` is left out: that must unpack to its
digest), so that damage is found, never shown. The training process has the one writing connection; readers open the
file read-only. While the run is on, SQLite's -wal and -shm files lie beside the tape; closing leaves one plain file, or
these two empty where a reader was still there.

Formats 1 and 2 are read by `migration`; `OLD_TABLES` are theirs.
"""

import json
import sqlite3

APPLICATION_ID = 0x54415045  # "TAPE"
FORMAT = 3
PAGE_BYTES = 16384
BLOCK_STEPS = 2048
"""So many steps become a block at a time."""

YOUNG_STEPS = 256
"""So many of the newest stay rows: they may still be written again."""

BIN_VALUES = 64

_CONTENT = (
    "id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, crc INTEGER NOT NULL, "
    "data BLOB NOT NULL"
)

TABLES = {
    "meta": "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "structure": (
        "CREATE TABLE structure(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, topology_id TEXT NOT NULL, "
        "shape_id TEXT NOT NULL, size INTEGER NOT NULL, base INTEGER, kept INTEGER NOT NULL, "
        "crc INTEGER NOT NULL) STRICT"
    ),
    "graph": "CREATE TABLE graph(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT",
    "evaluation": f"CREATE TABLE evaluation({_CONTENT}) STRICT",
    "step": (
        "CREATE TABLE step(id INTEGER PRIMARY KEY, structure INTEGER, evaluation INTEGER, phase TEXT NOT NULL, "
        "optimizer TEXT, started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, level TEXT NOT NULL, "
        "passes TEXT NOT NULL, scalars BLOB NOT NULL, crc INTEGER NOT NULL) STRICT"
    ),
    "late": (
        "CREATE TABLE late(id INTEGER PRIMARY KEY, step INTEGER NOT NULL, scalars BLOB NOT NULL, crc INTEGER NOT NULL) "
        "STRICT"
    ),
    "block": (
        "CREATE TABLE block(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, n INTEGER NOT NULL, "
        "size INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "chunk": (
        "CREATE TABLE chunk(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, "
        "data BLOB NOT NULL) STRICT"
    ),
    "summary": (
        "CREATE TABLE summary(id INTEGER PRIMARY KEY, scalar INTEGER NOT NULL, first INTEGER NOT NULL, "
        "n INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, "
        "data BLOB NOT NULL) STRICT"
    ),
    "source": (
        "CREATE TABLE source(id INTEGER PRIMARY KEY, digest BLOB NOT NULL, size INTEGER NOT NULL, "
        "crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "layout": f"CREATE TABLE layout({_CONTENT}) STRICT",
    "statistics": (
        "CREATE TABLE statistics(id INTEGER PRIMARY KEY, layout INTEGER NOT NULL, size INTEGER NOT NULL, "
        "crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "scalar": "CREATE TABLE scalar(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, crc INTEGER NOT NULL) STRICT",
    "gap": (
        "CREATE TABLE gap(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, "
        "reason TEXT NOT NULL, crc INTEGER NOT NULL) STRICT"
    ),
    "event": (
        "CREATE TABLE event(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, step INTEGER NOT NULL, "
        "time_ns INTEGER NOT NULL, data TEXT NOT NULL, crc INTEGER NOT NULL) STRICT"
    ),
}

COUNTED = ("step", "late", "block", "summary", "source", "scalar", "gap", "event", "structure", "evaluation")
"""Tables whose rows are counted when a tape is closed, and when one that was closed is opened: their rows are light."""

# The tables of formats 1 and 2; those of 2 alone in `SINCE_2`.
OLD_TABLES = {
    "meta": TABLES["meta"],
    "structure": (
        "CREATE TABLE structure(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, topology_id TEXT NOT NULL, "
        "shape_id TEXT NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "evaluation": TABLES["evaluation"],
    "step": (
        "CREATE TABLE step(id INTEGER PRIMARY KEY, structure INTEGER, evaluation INTEGER, phase TEXT NOT NULL, "
        "optimizer TEXT, started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, level TEXT NOT NULL, "
        "passes TEXT NOT NULL, crc INTEGER NOT NULL) STRICT"
    ),
    "source": TABLES["source"],
    "layout": TABLES["layout"],
    "statistics": (
        "CREATE TABLE statistics(id INTEGER PRIMARY KEY, layout INTEGER NOT NULL, crc INTEGER NOT NULL, "
        "data BLOB NOT NULL) STRICT"
    ),
    "scalar": TABLES["scalar"],
    "chunk": (
        "CREATE TABLE chunk(id INTEGER PRIMARY KEY AUTOINCREMENT, scalar INTEGER NOT NULL, first INTEGER NOT NULL, "
        "n INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "gap": TABLES["gap"],
    "event": TABLES["event"],
}
OLD_INDEX = "CREATE INDEX chunk_scalar ON chunk(scalar, first)"
SINCE_2 = ("source", "layout", "statistics")


def tables_of(version: int) -> dict[str, str]:
    """The SQL of each table of a format from 1 to `FORMAT`, in the order they were made."""
    if version == FORMAT:
        return TABLES
    return {name: sql for name, sql in OLD_TABLES.items() if version > 1 or name not in SINCE_2}


def tables(version: int) -> set[tuple[str, str, str | None]]:
    """(type, name, SQL) of everything in a tape of a format from 1 to `FORMAT`: what was made, and what SQLite adds by
    itself (the indexes behind UNIQUE, the table behind AUTOINCREMENT)."""
    known = _with_implied(tables_of(version))
    if version == FORMAT:
        return known
    sequence = ("table", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)")
    return {*known, ("index", "chunk_scalar", OLD_INDEX), sequence}


def count_rows(connection: sqlite3.Connection) -> str:
    """What `meta` says under `rows` once a tape of this format is closed."""
    # Row by row: SQLite's shorter way would count for ever where pages of a damaged file lead to each other.
    each = "SELECT count(*) FROM {} WHERE rowid >= -9223372036854775808"
    counts = {name: connection.execute(each.format(name)).fetchone()[0] for name in COUNTED}
    counts["values"] = connection.execute("SELECT coalesce(sum(n), 0) FROM summary").fetchone()[0]
    counts["steps"] = connection.execute("SELECT coalesce(sum(n), 0) FROM block").fetchone()[0]
    return json.dumps(counts)


def _with_implied(known: dict[str, str]) -> set[tuple[str, str, str | None]]:
    unique = {("index", f"sqlite_autoindex_{name}_1", None) for name, sql in known.items() if " UNIQUE" in sql}
    return {*(("table", name, sql) for name, sql in known.items()), *unique}
