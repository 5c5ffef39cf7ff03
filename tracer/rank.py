"""Which process of a distributed job this one is."""

import os
import re
import sys
from dataclasses import dataclass

_RUN_ID = "TORCHELASTIC_RUN_ID"
_UUID = re.compile(r"([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_ID = ("", "none")  # what torchrun gives a job that was not named


@dataclass(frozen=True, slots=True)
class Rank:
    """`number` is the rank, from 0 to `world_size` - 1. `run_id` is the same in all processes of a job, "" where nobody
    gave it one; `restart` counts how often torchrun has started the job anew; `local_rank` may be "" (not known)."""

    number: int
    world_size: int
    local_rank: str = ""
    run_id: str = ""
    restart: int = 0

    @property
    def facts(self) -> dict[str, str]:
        """What the rank's tape says of it."""
        return {
            "rank": str(self.number),
            "world_size": str(self.world_size),
            "local_rank": self.local_rank,
            "run_id": self.run_id,
            "restart": str(self.restart),
        }

    @property
    def short_run_id(self) -> str:
        """The run's id as part of a file's name, "" where it has none."""
        is_uuid = _UUID.fullmatch(self.run_id)
        return is_uuid[1] if is_uuid else re.sub(r"[^\w.-]+", "-", self.run_id)[:40].strip("-.")


def own_rank() -> Rank | None:
    """None in a process on its own. What torch.distributed says, once it has begun, comes before the environment."""
    told = _told_by_torch() or _told_by_environment()
    if told is None or not 0 <= told[0] < told[1] or told[1] < 2:
        return None
    run_id = os.environ.get(_RUN_ID, "")
    return Rank(
        *told,
        os.environ.get("LOCAL_RANK", ""),
        "" if run_id in _NO_ID else run_id,
        _number("TORCHELASTIC_RESTART_COUNT") or 0,
    )


def _told_by_torch() -> tuple[int, int] | None:
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed.get_rank(), distributed.get_world_size()


def _told_by_environment() -> tuple[int, int] | None:
    rank, world_size = _number("RANK"), _number("WORLD_SIZE")
    return None if rank is None or world_size is None else (rank, world_size)


def _number(name: str) -> int | None:
    text = os.environ.get(name, "")
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
