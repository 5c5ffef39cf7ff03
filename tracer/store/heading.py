"""What a tape says of its run, read at once however long the tape is."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from tracer.store.connection import open_read_only
from tracer.store.damage import reading
from tracer.store.facts_reader import FactsReader
from tracer.store.liveness import is_alive


@dataclass(frozen=True, slots=True)
class Heading:
    """`meta` and `state` as `Tape` has them."""

    meta: dict[str, str]
    state: str


def read_heading(path: str | os.PathLike[str]) -> Heading:
    """Raises TapeError where the file is no tape or of an unknown format; of its steps nothing is looked at."""
    with contextlib.closing(open_read_only(Path(path))) as connection, reading(Path(path)):
        meta = FactsReader(connection).meta()
        return Heading(meta, state_of(meta))


def state_of(meta: dict[str, str]) -> str:
    """ "live", "closed" or "abrupt"."""
    state = meta.get("state", "closed")
    if state != "live":
        return state
    return "live" if is_alive(int(meta["pid"]), meta["process_start"]) else "abrupt"
