"""What a tape says of its run, read at once however long the tape is."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from tracer.store.connection import open_read_only
from tracer.store.damage import reading
from tracer.store.facts_reader import FactsReader
from tracer.store.liveness import state_of


@dataclass(frozen=True, slots=True)
class Heading:
    """`meta` and `state` as `Tape` has them."""

    meta: dict[str, str]
    state: str


def read_heading(path: str | os.PathLike[str]) -> Heading:
    """Raises TapeError where the file is no tape or of an unknown format; of its steps nothing is looked at."""
    path = Path(path)
    with contextlib.closing(open_read_only(path)) as connection, reading(path):
        meta = FactsReader(connection).meta()
        return Heading(meta, state_of(meta))
