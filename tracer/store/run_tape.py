"""The tapes of a distributed job's ranks as one `Tape`."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tracer.errors import TapeError
from tracer.store.heading import read_heading
from tracer.store.reader import Tape
from tracer.store.run_folder import RankFile, facts_in, files_in, newest, run_of

_MOST_REASONS = 3


class RunTape(Tape):
    """The tape of the lowest rank that could be read when the folder was opened, with those of the other ranks beside
    it (`ranks`), which are opened when they are first asked for.

    A folder may hold tapes of several runs, and of several attempts of one that torchrun restarted: those that belong
    together with the newest are opened. Raises TapeError where there is none. Belongs to the thread that opened it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.folder = Path(path)
        self._others: dict[int, Tape] = {}
        self._told: dict[RankFile, tuple[object, str]] = {}  # the file as it was, and what is wrong with it
        facts, damaged = facts_in(self.folder)
        self._run = newest(facts)
        known = {**{file: "" for file, found in facts.items() if run_of(file, found) == self._run}, **damaged}
        for file in sorted(known, key=lambda file: file.rank):
            if not known[file]:
                try:
                    super().__init__(file.path)
                    self.rank = file.rank
                    return
                except TapeError as error:
                    known[file] = str(error)
        reasons = [known[file] for file in sorted(known)]
        raise TapeError(f"No tape in {self.folder} can be read. {' '.join(reasons[:_MOST_REASONS])}")

    def close(self) -> None:
        """All of them."""
        for tape in self._others.values():
            tape.close()
        super().close()

    @property
    def ranks(self) -> Mapping[int, Tape]:
        """The tapes by rank, growing, those included that have appeared since; closed with this one. Each is refreshed
        by itself, as `refresh` and `follow` of this one are about its own file."""
        self._look()
        return MappingProxyType(dict(sorted({**self._others, self.rank: self}.items())))

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each tape of the folder that cannot be read or belongs to another run, and for the ranks that
        have none (yet)."""
        ranks = self.ranks
        told = [text for _, (_, text) in sorted(self._told.items())]
        missing = list(_gaps([*ranks, *(file.rank for file in self._told)], int(self._run.world_size or 0)))
        if missing:
            are = "Rank {} of {} has" if missing[0].isdigit() and len(missing) == 1 else "Ranks {} of {} have"
            told.append(f"{are.format(', '.join(missing), self._run.world_size)} no tape in {self.folder}.")
        return (*told, *self._later())

    @property
    def other_attempts(self) -> tuple[Path, ...]:
        """Tapes of this run from before it was restarted, and from after, if it was since."""
        return tuple(file.path for file in self._attempts())

    def _look(self) -> None:
        """Open the ranks' tapes that are not yet. One that could not be is tried again once its file has changed."""
        if len(self._others) + 1 == int(self._run.world_size or 0):
            return
        files = [file for file in files_in(self.folder) if file.restart == self._run.restart]
        self._told = {file: self._told[file] for file in files if file in self._told}
        for file in files:
            stamp = _stamp(file.path)
            is_known = file.rank == self.rank or file.rank in self._others
            if not is_known and (file not in self._told or self._told[file][0] != stamp):
                self._told.pop(file, None)
                try:
                    self._open(file)
                except TapeError as error:
                    self._told[file] = stamp, str(error)

    def _open(self, file: RankFile) -> None:
        """Raises TapeError where it cannot be read or does not belong here."""
        run = run_of(file, read_heading(file.path).meta)
        if run != self._run:
            raise TapeError(f"{file.path} belongs to another run ({run}), not to this one ({self._run}).")
        self._others[file.rank] = Tape(file.path)

    def _later(self) -> Iterator[str]:
        if any(file.restart > self._run.restart for file in self._attempts()):
            yield f"The job has been restarted since {self.folder} was opened; open it again for the newest attempt."

    def _attempts(self) -> Iterator[RankFile]:
        for file in files_in(self.folder):
            if file.restart != self._run.restart and self._run.id:
                with contextlib.suppress(TapeError):
                    if read_heading(file.path).meta.get("run_id") == self._run.id:
                        yield file


def _gaps(present: Iterable[int], n: int) -> Iterator[str]:
    """The numbers below n that are not present, as "3" or "5 to 8"."""
    at = 0
    for number in (*sorted(number for number in set(present) if number < n), n):
        if number > at:
            yield str(at) if number == at + 1 else f"{at} to {number - 1}"
        at = number + 1


def _stamp(file: Path) -> object:
    """Changes when a file is replaced or grows."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
