"""Whether the process that writes a tape is still there."""

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path


def process_start(pid: int) -> str:
    """A text that changes when the number is given to another process; empty where the system does not tell cheaply
    (not Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19]


def is_alive(pid: int, start: str) -> bool:
    """Whether process `pid`, started at `start` (see `process_start`), is running on this machine."""
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return process_start(pid) == start and not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _is_alive_on_windows(pid: int) -> bool:
    synchronize, still_running = 0x00100000, 0x00000102
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == still_running)
    finally:
        kernel.CloseHandle(handle)


def state_of(meta: Mapping[str, str]) -> str:
    """Of a tape: "live" (its process runs), "closed" (it ended properly), "abrupt" (its process is gone)."""
    state = meta.get("state", "closed")
    if state != "live":
        return state
    return "live" if is_alive(int(meta["pid"]), meta["process_start"]) else "abrupt"
