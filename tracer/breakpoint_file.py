"""The breakpoints of each script, remembered from run to run in a file of the user's."""

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from tracer.conditions import checked
from tracer.errors import UsageError
from tracer.model.breakpoints import MAX_BREAKPOINTS, Breakpoint, from_dict, to_dict

_MAX_BYTES = 1 << 20


def running_script() -> str:
    """The path of the script that this process runs, as `remembered` wants it; "" in a notebook or a shell."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return script_key(file) if isinstance(file, str) else ""


def script_key(script: str | os.PathLike[str]) -> str:
    """What a script is remembered by: its real path."""
    return str(Path(script).resolve())


def remembered(script: str) -> tuple[Breakpoint, ...]:
    """The breakpoints last remembered of the script. What cannot be read, or makes no sense to this version, is left
    out."""
    if not script:
        return ()
    try:
        text = _file(script).read_bytes()[:_MAX_BYTES]
        content = json.loads(text)["breakpoints"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
    found: list[Breakpoint] = []
    for each in content if isinstance(content, list) else ():
        with suppress(UsageError):
            found.append(checked(from_dict(each)))
    return numbered(found[:MAX_BREAKPOINTS])


def remember(script: str, breakpoints: Sequence[Breakpoint]) -> None:
    """Remember these of the script. Raises OSError where the file cannot be written."""
    file = _file(script)
    if not breakpoints:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"script": script, "breakpoints": [to_dict(each) for each in breakpoints]}
    descriptor, draft = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
    os.replace(draft, file)


def numbered(breakpoints: Iterable[Breakpoint]) -> tuple[Breakpoint, ...]:
    """The same with ids from 1 on."""
    return tuple(replace(each, id=number) for number, each in enumerate(breakpoints, 1))


def _file(script: str) -> Path:
    digest = blake2b(os.fsencode(script), digest_size=8).hexdigest()
    return _folder() / f"{Path(script).stem}-{digest}.json"


def _folder() -> Path:
    """Where programs keep what the user would miss, by each system's custom."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or home)
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "tapescope" / "breakpoints"
