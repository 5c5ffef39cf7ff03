"""Whether the file being written still lies where it was made; it may be moved, deleted or replaced by another."""

import contextlib
import os
import sys
from pathlib import Path

SUFFIXES = ("", "-wal", "-shm")
_DESCRIPTORS = Path("/proc/self/fd")

FileId = tuple[int, int]


class Whereabouts:
    """Never opens the file: closing it again would drop the locks that this process has on it (POSIX). Files are told
    apart by their numbers, which no other can have while SQLite holds ours open."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._ids = {suffix: _file_id(self._beside(suffix)) for suffix in SUFFIXES}

    @property
    def log(self) -> Path:
        return self._beside("-wal")

    @property
    def is_here(self) -> bool:
        """Whether the tape is; one that cannot be looked for is taken to be."""
        return self._is_ours("")

    @property
    def has_log(self) -> bool:
        """Whether the files that SQLite keeps beside the tape while it is written are, too."""
        return all(self._is_ours(suffix) for suffix in SUFFIXES[1:])

    def log_renewed(self) -> None:
        """The files beside the tape are new ones of ours."""
        self._ids |= {suffix: _file_id(self._beside(suffix)) for suffix in SUFFIXES[1:]}

    def elsewhere(self) -> Path | None:
        """Where the tape lies now; None where it was deleted, and where the system does not tell (not Linux)."""
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(_DESCRIPTORS):
                with contextlib.suppress(OSError):  # the one that lists them is gone
                    status = os.fstat(int(descriptor))
                    if (status.st_dev, status.st_ino) == self._ids[""] and status.st_nlink:
                        found = Path(os.readlink(_DESCRIPTORS / descriptor))
                        return found if _file_id(found) == self._ids[""] else None
        return None

    def remove_log(self) -> None:
        """Remove what was left beside the tape's old place, unless it is another's by now."""
        for suffix in SUFFIXES[1:]:
            if _file_id(self._beside(suffix)) == self._ids[suffix]:
                self._beside(suffix).unlink(missing_ok=True)

    def _is_ours(self, suffix: str) -> bool:
        if sys.platform == "win32":  # where a file in use cannot be moved or deleted
            return True
        try:
            return _file_id(self._beside(suffix)) == self._ids[suffix]
        except OSError:
            return True

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


def _file_id(path: Path) -> FileId | None:
    """None where there is no such file. Raises OSError where it cannot be told."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
