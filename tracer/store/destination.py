"""Where a new tape may be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracer.errors import TapeError, UsageError
from tracer.store.connection import open_read_only


def free_name(stem: str) -> Path:
    """`stem.tape` in the working directory, numbered where that exists."""
    path, number = Path(f"{stem}.tape"), 2
    while path.exists():
        path, number = Path(f"{stem}-{number}.tape"), number + 1
    return path


@contextmanager
def prepare(path: Path) -> Iterator[None]:
    """Hold the place of a tape that will be written later; one that nobody wrote leaves no file.

    Raises UsageError where the file could not be written, and where it would replace something that is not a tape.
    """
    is_new = not path.exists()
    if not is_new and path.stat().st_size and not _is_tape(path):
        raise UsageError(f"{path} exists and is not a tape; it is left as it is. Choose another name for the tape.")
    try:
        path.open("ab").close()
    except OSError as error:
        raise UsageError(
            f"Cannot write the tape {path}: {error.strerror}. Choose a place that can be written."
        ) from None
    try:
        yield
    finally:
        if is_new and path.exists() and path.stat().st_size == 0:
            path.unlink()


def _is_tape(path: Path) -> bool:
    try:
        open_read_only(path).close()
    except TapeError:
        return False
    return True
