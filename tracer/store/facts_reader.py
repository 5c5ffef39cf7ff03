"""Reading what a tape says of the run as a whole: its facts, its events, and what of it is missing."""

import sqlite3
from collections.abc import Iterator

from tracer.model.records import Event
from tracer.store import schema
from tracer.store.blobs import checksum
from tracer.store.damage import DamageError, compare
from tracer.store.event_types import of_its_types
from tracer.store.parsing import parsed
from tracer.store.snapshot import BEFORE_ALL, rows_after

THINNED = "thinned: "
"""So begin the reasons of gaps that keep a tape small, see `thinning`."""

_MOST_FACTS = 1000
_MOST_CHARS = 8 << 20


class FactsReader:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def meta(self) -> dict[str, str]:
        facts, n_chars = {}, 0
        for key, value, crc in self._connection.execute(f"SELECT key, value, crc FROM meta LIMIT {_MOST_FACTS}"):
            compare(checksum(key, value), crc, "a fact of the run")
            n_chars += len(value)
            if n_chars > _MOST_CHARS:
                raise DamageError("it says more of its run than there can be to say")
            facts[key] = value
        return facts

    def check_end(self) -> bool:
        """Whether the run has ended by itself. The tape then says how much it holds, so that a page which is missing is
        noticed. Within a snapshot."""
        meta = self.meta()
        is_ended = meta.get("state") != "live"
        if is_ended and meta.get("rows") != schema.count_rows(self._connection):
            raise DamageError("it does not hold all that was recorded")
        return is_ended

    def events(self, after: int = BEFORE_ALL) -> Iterator[Event]:
        for *row, crc in rows_after(self._connection, "SELECT id, kind, step, time_ns, data, crc FROM event", after):
            compare(checksum(*row), crc, f"event {row[0]}")
            number, kind, step, time_ns, data = row
            content = parsed(data)
            if not isinstance(content, dict):
                raise DamageError(f"event {number} does not hold what it should")
            yield Event(number, kind, step, time_ns, of_its_types(kind, content))

    def gaps(self) -> list[tuple[int, int, str]]:
        """(first, last, reason), the first one first."""
        gaps = []
        for *row, crc in rows_after(self._connection, "SELECT id, first, last, reason, crc FROM gap", BEFORE_ALL):
            compare(checksum(*row), crc, "a gap")
            _, first, last, reason = row
            gaps.append((first, last, reason))
        return sorted(gaps)

    def reason(self, index: int, thinned: str) -> str:
        """Why something of step `index` is not in the tape, as the end of a sentence; of what was thinned out only what
        is called `thinned`."""
        for first, last, reason in self.gaps():
            is_about_it = not reason.startswith(THINNED) or f"steps {thinned} are" in reason
            if first <= index <= last and is_about_it:
                return f" ({reason})"
        if any(event.step <= index and event.kind == "capture_failed" for event in self.events()):
            return ", because capture had failed before; see `tapescope info`"
        return ""
