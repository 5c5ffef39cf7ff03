"""Recording from within a script: `record`, `log`, `step`. Imports torch only when a recording begins."""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.errors import UsageError
from tracer.options import Options
from tracer.rank import own_rank
from tracer.store.destination import check, taking_turns
from tracer.store.rank_file import own_file

if TYPE_CHECKING:
    import torch

    from tracer.capture.recorder import Recorder

_active: "Recorder | None" = None
_is_whole_script = False


@contextmanager
def record(path: str | os.PathLike[str], **options: Any) -> Iterator["Recorder"]:
    """Record everything trained inside the block to the tape `path`, replacing a file of that name. In a process of a
    distributed job `path` is a folder, in which each rank has its own.

    Options are those of `tracer.options.Options`. Raises TapeError where the file cannot be written and
    UsageError for options that make no sense, while another recording is on, and for a file that is not a tape. Under
    `tapescope run`, which records the whole script already, the block is part of that tape and `path` is not written.
    """
    if _active is not None and _is_whole_script:
        yield _active
        return
    recorder = begin(path, sys.orig_argv, **options)
    try:
        yield recorder
    except BaseException as error:
        end(error)
        raise
    end()


def begin(
    path: str | os.PathLike[str], command: list[str], *, whole_script: bool = False, **options: Any
) -> "Recorder":
    """Start recording; `end` closes the tape. `whole_script`: the script did not ask for it, `tapescope run` did."""
    global _active, _is_whole_script
    if _active is not None:
        raise UsageError(f"A recording to {_active.path} is already on; end it before beginning another.")
    options_checked, rank = Options(**options), own_rank()
    path = Path(path) if rank is None else own_file(Path(path), rank)
    check(path)
    from tracer.capture.recorder import Recorder

    with taking_turns(path.absolute().parent):
        check(path)
        recorder = Recorder(path, options_checked, command, rank)
    recorder.start()
    _active, _is_whole_script = recorder, whole_script
    return recorder


def end(error: BaseException | None = None) -> None:
    """Close the tape, noting the error that ended the training."""
    global _active
    if _active is not None:
        recorder, _active = _active, None
        recorder.stop(error)


def log(**scalars: "float | torch.Tensor") -> None:
    """Record scalars of the current step, by name: `log(accuracy=0.93)`. Without a recording this does nothing."""
    if _active is not None:
        for name, number in scalars.items():
            _active.log(name, number)


def step() -> None:
    """Close the step here: for loops without an optimizer of torch. From then on steps end only here."""
    if _active is not None:
        _active.step()


def _abandon() -> None:
    """In a forked child (a worker of a DataLoader): the tape is the parent's."""
    global _active
    if _active is not None:
        recorder, _active = _active, None
        recorder.suspend()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon)

atexit.register(end)  # of a recording that the script forgot to end; later, its writer's thread would be gone
