"""What is missing of a tape, in plain words: one line each."""

import sqlite3
from collections.abc import Iterator

from tracer.store.audit import Findings
from tracer.store.carving import Carving
from tracer.store.mending import losses_by_step
from tracer.store.step_runs import in_words

_COUNTED = {
    "event": ("event", "events"),
    "gap": ("note on what was not recorded", "notes on what was not recorded"),
    "late": ("value that came after its step", "values that came after their steps"),
    "source": ("list of source lines", "lists of source lines"),
    "values": ("value of a scalar", "values of scalars"),
}


def loss_words(connection: sqlite3.Connection, found: Findings) -> Iterator[str]:
    """Which steps, or what of them; then what else."""
    for what, runs in losses_by_step(connection, found):
        yield f"{in_words(runs)}: {what} lost" if what else f"{in_words(runs)}: lost"
    if found.names:
        yield f"{_number(len(found.names), ('name of a scalar', 'names of scalars'))} lost, the values are there"
    for table, n in found.n_missing.items():
        if n and table in _COUNTED:
            yield f"{_number(n, _COUNTED[table])} lost"


def page_words(carving: Carving, found: Findings, *, has_damaged_log: bool) -> Iterator[str]:
    """What was destroyed in a file of which not all is known that it held."""
    if has_damaged_log:
        yield "the log beside the tape is damaged: the newest of what it held may be lost"
    if not carving.has_schema:
        yield "the first page, which says what is where, is destroyed"
    bad = {table: n for table, n in carving.n_bad.items() if n}
    if bad.keys() & {"step", "block"} and not found.missing_steps:
        yield "pages of steps are destroyed: there may have been more at the end"
    if bad.keys() & {"statistics"} and not found.statistics:
        yield "pages of statistics are destroyed: those of some steps may be lost"
    if bad.keys() & {"late", "chunk", "summary"} and not found.values:
        yield "pages of scalars are destroyed: some values may be lost"
    for table, name in (("event", "events"), ("gap", "notes on what was not recorded"), ("source", "source lines")):
        if table in bad and table not in found.n_missing:
            yield f"pages of {name} are destroyed: some may be lost"


def _number(n: int, forms: tuple[str, str]) -> str:
    return f"{n:,} {forms[n != 1]}"
