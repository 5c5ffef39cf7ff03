"""The tape's tables: one SQLite file, format 2.

`meta`       one row a key: state (live, closed), pid, start of the process, command line, versions, control endpoint;
             once closed also `rows`, how many steps, events, values and sources there are: a missing page is noticed
`structure`  one row a distinct structure, addressed by the BLAKE2b digest of its encoding (see `encoding`)
`evaluation` the calls of forward-only passes, likewise addressed by content
`step`       one light row a step; `structure` and `evaluation` point into the two above (`structure` is null where the
             graph was not captured, or was dropped: then a gap says so), `passes` is JSON
`source`     for structures (by their ids) the source line that made each node, once these are known
`statistics` the measurements of a step (its id): float64 numbers, little endian; `layout` points to what they are of
`layout`     the keys and columns of measurements and the operators that ran, addressed by content
`scalar`     the names of the scalars
`chunk`      up to some 2,000 values of one scalar from the `first`-th on: int64 steps, then float64 values, little
             endian, in order of logging; the last value for a step counts. Small chunks are merged as the series grows
`gap`        steps of which something was not recorded, and why
`event`      what happened; `data` is JSON

Every row carries a CRC-32 over its other fields (in `structure`, `evaluation`, `source` and `layout` all but `data`,
which must unpack to its digest; in `chunk` all but `id`), so that damage is found, never shown. The training process
has the one writing connection; readers open the file read-only. While the run is on, SQLite's -wal and -shm files lie
beside the tape; closing leaves one plain file, or these two empty where a reader was still there.
"""

APPLICATION_ID = 0x54415045  # "TAPE"
FORMAT = 2
PAGE_BYTES = 16384
CHUNK_VALUES = 2000

TABLES = {
    "meta": "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "structure": (
        "CREATE TABLE structure(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, topology_id TEXT NOT NULL, "
        "shape_id TEXT NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "evaluation": (
        "CREATE TABLE evaluation(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, "
        "crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "step": (
        "CREATE TABLE step(id INTEGER PRIMARY KEY, structure INTEGER, evaluation INTEGER, phase TEXT NOT NULL, "
        "optimizer TEXT, started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, level TEXT NOT NULL, "
        "passes TEXT NOT NULL, crc INTEGER NOT NULL) STRICT"
    ),
    "source": (
        "CREATE TABLE source(id INTEGER PRIMARY KEY, digest BLOB NOT NULL, size INTEGER NOT NULL, "
        "crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "layout": (
        "CREATE TABLE layout(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, "
        "crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "statistics": (
        "CREATE TABLE statistics(id INTEGER PRIMARY KEY, layout INTEGER NOT NULL, crc INTEGER NOT NULL, "
        "data BLOB NOT NULL) STRICT"
    ),
    "scalar": "CREATE TABLE scalar(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, crc INTEGER NOT NULL) STRICT",
    "chunk": (
        "CREATE TABLE chunk(id INTEGER PRIMARY KEY AUTOINCREMENT, scalar INTEGER NOT NULL, first INTEGER NOT NULL, "
        "n INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
    ),
    "gap": (
        "CREATE TABLE gap(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, "
        "reason TEXT NOT NULL, crc INTEGER NOT NULL) STRICT"
    ),
    "event": (
        "CREATE TABLE event(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, step INTEGER NOT NULL, "
        "time_ns INTEGER NOT NULL, data TEXT NOT NULL, crc INTEGER NOT NULL) STRICT"
    ),
}
INDEXES = {"chunk_scalar": "CREATE INDEX chunk_scalar ON chunk(scalar, first)"}

# What SQLite adds by itself: the indexes behind UNIQUE, the table behind AUTOINCREMENT.
IMPLIED = {
    ("index", "sqlite_autoindex_structure_1", None),
    ("index", "sqlite_autoindex_evaluation_1", None),
    ("index", "sqlite_autoindex_layout_1", None),
    ("index", "sqlite_autoindex_scalar_1", None),
    ("table", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"),
}

# What older formats did not have; a tape of theirs simply holds none of it.
_SINCE = {"source": 2, "layout": 2, "statistics": 2}


def tables(version: int) -> set[tuple[str, str, str | None]]:
    """(type, name, SQL) of everything in a tape of a format from 1 to `FORMAT`."""
    absent = {name for name, since in _SINCE.items() if since > version}
    return {
        *(("table", name, sql) for name, sql in TABLES.items() if name not in absent),
        *(("index", name, sql) for name, sql in INDEXES.items()),
        *(item for item in IMPLIED if not item[1].startswith(tuple(f"sqlite_autoindex_{name}" for name in absent))),
    }
