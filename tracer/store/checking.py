"""Whether a tape is intact, by reading everything there is."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tracer.errors import TapeError
from tracer.store import schema
from tracer.store.audit import all_rows, audit, recorded_rows
from tracer.store.connection import open_read_only
from tracer.store.damage import REMEDY, DamageError, reading
from tracer.store.facts_reader import FactsReader
from tracer.store.liveness import state_of
from tracer.store.loss_words import loss_words
from tracer.store.migration import open_tape
from tracer.store.row_checks import is_intact
from tracer.store.salvage import has_damaged_log, survey
from tracer.store.snapshot import snapshot


@dataclass(frozen=True, slots=True)
class Condition:
    """Of a tape: how many steps and events are intact, and what is not, in plain words, a line each."""

    n_steps: int
    n_events: int
    damage: tuple[str, ...]


def check(path: Path) -> Condition:
    """Raises TapeError where there is nothing of a tape."""
    try:
        return _read(path)
    except TapeError as error:
        try:
            salvage = survey(path)
        except TapeError as nothing_left:
            raise (nothing_left if REMEDY in str(error) else error) from None
        found = salvage.lost or (f"nothing of the run is lost, but {error}".removesuffix(f" {REMEDY}"),)
        return Condition(salvage.n_steps, salvage.n_events, found)


def _read(path: Path) -> Condition:
    connection, is_whole = open_tape(path)
    with closing(connection), reading(path), snapshot(connection):
        for table, row in all_rows(connection):
            if not is_intact(schema.FORMAT, table, row):
                raise DamageError(f"a row of {table} is not what was written")
        facts = FactsReader(connection)
        if state_of(facts.meta()) != "live" and has_damaged_log(path):
            raise DamageError("the log beside it does not match its checksums")
        if not is_whole:  # an older format said so as it was read
            facts.check_end()
        found = audit(connection, facts.meta(), recorded_rows(facts.meta()))
        words = (*loss_words(connection, found), *_pages(path))
        return Condition(len(found.survey.steps), sum(1 for _ in facts.events()), words)


def _pages(path: Path) -> tuple[str, ...]:
    """What SQLite says of the pages, those included that only the training uses."""
    with closing(open_read_only(path)) as connection:
        rows = connection.execute("PRAGMA quick_check(1)").fetchall()
    return () if rows == [("ok",)] else (f"nothing of the run is lost, but pages are damaged ({_line(rows[0][0])})",)


def _line(text: str) -> str:
    return " ".join(text.replace("*** in database main ***", "").split())
