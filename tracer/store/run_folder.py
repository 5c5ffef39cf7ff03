"""Reading a run folder: the tapes of a distributed job's ranks as one `Tape`."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tracer.errors import TapeError
from tracer.store.facts import facts_of
from tracer.store.rank_file import rank_and_restart
from tracer.store.reader import Tape

_MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class _Run:
    """What the tapes of a job have in common, as they say it."""

    id: str
    world_size: str
    restart: int

    def __str__(self) -> str:
        return f"{self.id or 'without an id'}, of {self.world_size or 'an unknown number of'} processes"


class RunTape(Tape):
    """The tape of the lowest rank that could be read when the folder was opened, with those of the other ranks beside
    it (`ranks`), which are opened when they are first asked for.

    A folder may hold tapes of several runs, and of several attempts of one that torchrun restarted: those that belong
    together with the newest are opened. Raises TapeError where there is none. Belongs to the thread that opened it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.folder = Path(path)
        self._others: dict[int, Tape] = {}
        self._told: dict[int, tuple[object, str]] = {}  # rank -> (the file as it was, what is wrong with it)
        facts, damaged = _facts(self.folder)
        self._run = _newest(facts)
        known = {**{file: "" for file, found in facts.items() if _run(file, found) == self._run}, **damaged}
        for file in sorted(known, key=_rank):
            if not known[file]:
                try:
                    super().__init__(file)
                    self.rank = _rank(file)
                    return
                except TapeError as error:
                    known[file] = str(error)
        reasons = [known[file] for file in sorted(known, key=_order)]
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
        missing = list(_gaps([*ranks, *self._told], int(self._run.world_size or 0)))
        if missing:
            are = "Rank {} of {} has" if missing[0].isdigit() and len(missing) == 1 else "Ranks {} of {} have"
            told.append(f"{are.format(', '.join(missing), self._run.world_size)} no tape in {self.folder}.")
        return (*told, *self._later())

    @property
    def other_attempts(self) -> tuple[Path, ...]:
        """Tapes of this run from before it was restarted, and from after, if it was since."""
        files = (file for file in _files(self.folder) if _restart(file) != self._run.restart)
        return tuple(file for file in files if self._is_of_this_job(file))

    def _look(self) -> None:
        """Open the ranks' tapes that are not yet. One that could not be is tried again once its file has changed."""
        if len(self._others) + 1 == int(self._run.world_size or 0):
            return
        for file in _files(self.folder):
            rank, stamp = _rank(file), _stamp(file)
            if _restart(file) != self._run.restart or rank == self.rank or rank in self._others:
                continue
            if self._told.get(rank, (None, ""))[0] == stamp:
                continue
            self._told.pop(rank, None)
            try:
                run = _run(file, facts_of(file))
                if run == self._run:
                    self._others[rank] = Tape(file)
                else:
                    self._told[rank] = stamp, f"{file} belongs to another run ({run}), not to this one ({self._run})."
            except TapeError as error:
                self._told[rank] = stamp, str(error)

    def _later(self) -> Iterator[str]:
        restarts = [_restart(file) for file in self.other_attempts]
        if max(restarts, default=0) > self._run.restart:
            yield f"The job has been restarted since {self.folder} was opened; open it again for the newest attempt."

    def _is_of_this_job(self, file: Path) -> bool:
        with contextlib.suppress(TapeError):
            return bool(self._run.id) and facts_of(file).get("run_id") == self._run.id
        return False


def _files(folder: Path) -> list[Path]:
    """The ranks' tapes, in order of attempts and ranks. Raises TapeError where the folder cannot be read."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise TapeError(f"{folder} cannot be read: {error.strerror}.") from None
    return [folder / name for name in sorted(filter(rank_and_restart, names), key=lambda name: _order(folder / name))]


def _order(file: Path) -> tuple[int, int]:
    return _restart(file), _rank(file)


def _rank(file: Path) -> int:
    found = rank_and_restart(file.name)
    return 0 if found is None else found[0]


def _restart(file: Path) -> int:
    found = rank_and_restart(file.name)
    return 0 if found is None else found[1]


def _facts(folder: Path) -> tuple[dict[Path, dict[str, str]], dict[Path, str]]:
    """What the tapes say of their runs, and what is wrong with those that say nothing."""
    found: dict[Path, dict[str, str]] = {}
    damaged: dict[Path, str] = {}
    for file in _files(folder):
        try:
            found[file] = facts_of(file)
        except TapeError as error:
            damaged[file] = str(error)
    if not found and not damaged:
        raise TapeError(
            f"{folder} is not a file, nor a folder of a job's tapes (rank-0.tape, rank-1.tape and so on); a tape is "
            "written by `tapescope run`."
        )
    return found, damaged


def _run(file: Path, facts: Mapping[str, str]) -> _Run:
    """The world's size only where it makes sense: a tape may say anything."""
    size = facts.get("world_size", "")
    return _Run(facts.get("run_id", ""), size if re.fullmatch("[1-9][0-9]{0,8}", size) else "", _restart(file))


def _newest(facts: Mapping[Path, Mapping[str, str]]) -> _Run:
    """Of the tape begun last."""
    if not facts:
        return _Run("", "", 0)
    last = max(facts, key=lambda file: (facts[file].get("started_ns", "").zfill(20), _order(file)))
    return _run(last, facts[last])


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
