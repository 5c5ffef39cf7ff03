"""The tape's tables: one SQLite file, format 1.

`meta`       one row a key: state (live, closed), pid, start of the process, command line, versions, control endpoint;
             once closed also `rows`, the numbers of steps, events and values, so that a missing page is noticed
`structure`  one row a distinct structure, addressed by the BLAKE2b digest of its encoding (see `encoding`)
`evaluation` the calls of forward-only passes, likewise addressed by content
`step`       one light row a step; `structure` and `evaluation` point into the two above (`structure` is null where the
             graph was not captured, or was dropped: then a gap says so), `passes` is JSON
`scalar`     the names of the scalars
`chunk`      up to some 2,000 values of one scalar from the `first`-th on: int64 steps, then float64 values, little
             endian, in order of logging; the last value for a step counts. Small chunks are merged as the series grows
`gap`        steps of which something was not recorded, and why
`event`      what happened; `data` is JSON

Every row carries a CRC-32 over its other fields (in `structure` and `evaluation` all but `data`, which must unpack to
its digest; in `chunk` all but `id`), so that damage is found, never shown. The training process has the one writing
connection; readers open the file read-only. While the run is on, SQLite's -wal and -shm files lie beside the tape;
closing leaves one plain file, or these two empty where a reader was still there.
"""

APPLICATION_ID = 0x54415045  # "TAPE"
FORMAT = 1
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
    ("index", "sqlite_autoindex_scalar_1", None),
    ("table", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"),
}
