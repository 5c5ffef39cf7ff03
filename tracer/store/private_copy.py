"""A copy of a tape and its log, in a folder of our own: SQLite reads a log only where it may write beside it."""

import os
import shutil
import tempfile
from pathlib import Path

from tracer.errors import TapeError
from tracer.store.holes import next_data

_PIECE_BYTES = 1 << 20


class PrivateCopy:
    """For a tape whose training was killed and whose `-shm` is not there. Raises TapeError where there is no room."""

    def __init__(self, file: Path) -> None:
        self._folder = tempfile.mkdtemp(prefix="tapescope-")
        self.file = Path(self._folder, "run.tape")
        try:
            for suffix in ("", "-wal"):
                _copy(file.with_name(file.name + suffix), self.file.with_name(self.file.name + suffix))
        except OSError as error:
            self.remove()
            raise TapeError(
                f"{file} has a log beside it, which can only be read in a copy, and that cannot be made "
                f"({error.strerror}); make room in {tempfile.gettempdir()}, or set TMPDIR to another folder."
            ) from None

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Without the holes of a sparse file."""
    with source.open("rb", buffering=0) as reading, target.open("wb") as writing:
        size = os.fstat(reading.fileno()).st_size
        at = next_data(reading.fileno(), 0, size)
        while at < size:
            reading.seek(at)
            piece = reading.read(_PIECE_BYTES)
            if not piece:
                break
            writing.seek(at)
            writing.write(piece)
            at = next_data(reading.fileno(), at + len(piece), size)
        writing.truncate(size)
