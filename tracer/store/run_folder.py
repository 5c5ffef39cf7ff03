"""What lies in a run folder, and which of it belongs together."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracer.errors import TapeError
from tracer.store.heading import read_heading
from tracer.store.rank_file import rank_and_restart


@dataclass(frozen=True, slots=True, order=True)
class RankFile:
    """A tape by its name, which says whose it is."""

    restart: int
    rank: int
    path: Path


@dataclass(frozen=True, slots=True)
class Run:
    """What the tapes of one attempt of a job have in common. The world's size is "" where they do not say it, or make
    no sense of it."""

    id: str
    world_size: str
    restart: int

    def __str__(self) -> str:
        return f"{self.id or 'without an id'}, of {self.world_size or 'an unknown number of'} processes"


Facts = Mapping[RankFile, Mapping[str, str]]
"""What tapes say of their runs."""


def tape_file(path: Path) -> Path:
    """`path` itself; of a run folder the file of the lowest rank whose tape says what run it is of. Raises TapeError
    where a folder has no tapes."""
    if not os.path.isdir(path):
        return path
    facts, damaged = facts_in(path)
    members = [file for file in facts if run_of(file, facts[file]) == newest(facts)]
    return min(members or damaged, key=lambda file: file.rank).path


def run_title(path: Path) -> str:
    """What to call a tape: of a rank's also the run it is of."""
    return f"{path.parent.stem}, {path.stem}" if rank_and_restart(path.name) else path.stem


def files_in(folder: Path) -> list[RankFile]:
    """The ranks' tapes, by attempts and ranks. Raises TapeError where the folder cannot be read."""
    try:
        names = {name: rank_and_restart(name) for name in os.listdir(folder)}
    except OSError as error:
        raise TapeError(f"{folder} cannot be read: {error.strerror}.") from None
    return sorted(RankFile(numbers[1], numbers[0], folder / name) for name, numbers in names.items() if numbers)


def facts_in(folder: Path) -> tuple[Facts, dict[RankFile, str]]:
    """What the tapes say of their runs, and of those that say nothing what is wrong. Raises TapeError where there are
    none."""
    found: dict[RankFile, dict[str, str]] = {}
    damaged: dict[RankFile, str] = {}
    for file in files_in(folder):
        try:
            found[file] = read_heading(file.path).meta
        except TapeError as error:
            damaged[file] = str(error)
    if not found and not damaged:
        raise TapeError(
            f"{folder} is not a file, nor a folder of a job's tapes (rank-0.tape, rank-1.tape and so on); a tape is "
            "written by `tapescope run`."
        )
    return found, damaged


def run_of(file: RankFile, facts: Mapping[str, str]) -> Run:
    size = facts.get("world_size", "")
    return Run(facts.get("run_id", ""), size if re.fullmatch("[1-9][0-9]{0,8}", size) else "", file.restart)


def newest(facts: Facts) -> Run:
    """Of the tape begun last."""
    if not facts:
        return Run("", "", 0)
    last = max(facts, key=lambda file: (facts[file].get("started_ns", "").zfill(20), file))
    return run_of(last, facts[last])
