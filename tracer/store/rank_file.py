"""The files of a run folder: one tape for each rank of a distributed job, and for each time that it was restarted.

run.tape/rank-0.tape   run.tape/rank-1.tape   run.tape/rank-0.restart-1.tape   run.tape/rank-1.restart-1.tape
"""

import os
import re
from pathlib import Path

from tracer.errors import TapeError, UsageError
from tracer.rank import Rank
from tracer.store.heading import read_heading
from tracer.store.liveness import process_start

_NAME = re.compile(r"rank-(0|[1-9][0-9]{0,8})(?:\.restart-([1-9][0-9]{0,8}))?\.tape")


def file_name(rank: int, restart: int = 0) -> str:
    return f"rank-{rank}.restart-{restart}.tape" if restart else f"rank-{rank}.tape"


def rank_and_restart(name: str) -> tuple[int, int] | None:
    """What `file_name` was made of; None for a name of something else."""
    found = _NAME.fullmatch(name)
    return None if found is None else (int(found[1]), int(found[2] or 0))


def own_file(folder: Path, rank: Rank) -> Path:
    """Where this process is to write its tape, in a folder that is made if need be.

    A tape that another run left there will be replaced; one of an earlier process of the same run is kept, also where
    torchrun does not count the restart, as when a node has come or gone. Raises UsageError where there can be no such
    folder.
    """
    make_folder(folder)
    restart = rank.restart
    while _is_earlier(folder / file_name(rank.number, restart), rank):
        restart += 1
    return folder / file_name(rank.number, restart)


def make_folder(folder: Path) -> None:
    """Raises UsageError where that is not possible."""
    try:
        folder.mkdir(parents=False, exist_ok=True)
    except FileExistsError:
        raise UsageError(
            f"{folder} is a file; the tapes of a job's ranks need a folder. Choose another name for it."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"Cannot make the folder {folder} for the tapes of the job's ranks: {reason}. Choose another place."
        ) from None


def _is_earlier(path: Path, rank: Rank) -> bool:
    """Whether an earlier process of the same run and rank has left its tape there."""
    try:
        facts = read_heading(path).meta
    except TapeError:
        return False
    is_ours = (facts.get("pid"), facts.get("process_start")) == (str(os.getpid()), process_start(os.getpid()))
    return bool(rank.run_id) and facts.get("run_id") == rank.run_id and not is_ours
