"""What a tape says of the run as a whole: its `meta` rows."""

import os
import platform
import shlex
import socket
import sys
import time
from pathlib import Path

import torch

from tracer.breakpoint_file import running_script
from tracer.rank import Rank
from tracer.store.liveness import process_start


def run_facts(command: list[str], control_file: Path | None, rank: Rank | None) -> dict[str, str]:
    """Rows for the writer. `command` is what the user ran, `control_file` tells clients how to connect, `rank` which
    process of a distributed job this is."""
    return {
        "state": "live",
        "pid": str(os.getpid()),
        "process_start": process_start(os.getpid()),
        "host": socket.gethostname(),
        "command": shlex.join(command),
        "folder": str(Path.cwd()),
        "script": running_script(),
        "started_ns": str(time.time_ns()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": f"{sys.platform} {platform.machine()}",
        "control": "" if control_file is None else str(control_file),
        **({} if rank is None else rank.facts),
    }
