"""`tapescope run`: a script as `python` would run it, with its tape written beside."""

import argparse
import atexit
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracer import recording
from tracer.breakpoint_file import numbered, remembered, running_script
from tracer.display import has_display
from tracer.errors import TapescopeError, UsageError
from tracer.imports import after_import
from tracer.launch import command as tapescope
from tracer.model.breakpoints import Breakpoint
from tracer.options import LEVELS, Options
from tracer.rank import Rank, own_rank
from tracer.script import Program, execute, module, modules_of_ours, script
from tracer.store.destination import free_name, prepare
from tracer.store.rank_file import own_file

NAME = "run"
HELP = "run a training script unmodified and record it"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [options] (SCRIPT | -m MODULE) [ARGS…]"
    parser.add_argument("--headless", action="store_true", help="do not open the app beside the running script")
    parser.add_argument(
        "-o",
        dest="tape",
        metavar="FILE.tape",
        type=Path,
        help="the tape to write (default: named like the script); under torchrun a folder with a tape for each rank",
    )
    parser.add_argument("--level", default="structure", help=f"what to record: {', '.join(LEVELS)} (default structure)")
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        metavar="K",
        help="at every K-th step only; of the steps between, the graph alone is kept, at level structure the scalars",
    )
    parser.add_argument(
        "--max-size",
        metavar="SIZE",
        help="how large the tape may grow, for example 500MB or 2GB: then graphs and measurements of older steps are "
        "thinned, scalars and events never",
    )
    parser.add_argument(
        "--keep",
        metavar="WHAT",
        help="of which steps graphs and measurements stay: every=K, last=N, changes (of the structure), with commas "
        "between (default: of all)",
    )
    parser.add_argument("--max-steps", type=int, metavar="N", help="end the script after N steps")
    parser.add_argument(
        "--on-detach",
        choices=("resume", "hold"),
        default="resume",
        help="if the app goes away while paused: go on (default) or wait",
    )
    parser.add_argument(
        "--break",
        dest="breakpoints",
        action="append",
        default=[],
        metavar="BREAKPOINT",
        help="stop there, if somebody is attached: a condition and its fields, 'loss_above value=3', or an expression, "
        "'loss > 3'; may be given several times; `tapescope break --help` lists the conditions",
    )
    parser.add_argument(
        "--break-on-exception",
        action="store_true",
        help="wait where an exception would end the script, with the unfinished step on the tape",
    )
    parser.add_argument(
        "--attended", action="store_true", help="a client is about to attach: wait for it at the first stop"
    )
    parser.add_argument(
        "-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="run a module, as `python -m` does"
    )
    parser.add_argument(
        "script", nargs=argparse.REMAINDER, metavar="SCRIPT [ARGS…]", help="the script and its own arguments"
    )


def run(args: argparse.Namespace) -> int:
    words: list[str] = args.module or args.script
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise UsageError("Nothing to run: give a script, or -m and a module.")
    rank = own_rank()
    with_window = not args.headless and has_display() and (rank is None or rank.number == 0)
    names = ("level", "every", "max_size", "keep", "max_steps", "on_detach", "break_on_exception")
    options = {name: getattr(args, name) for name in names}
    options |= {"breakpoints": tuple(args.breakpoints), "expects_client": args.attended or with_window}
    Options(**options)
    name = words[0]
    tape: Path = args.tape or _default(Path(name.rpartition(".")[2] if args.module else name).stem, rank)
    prepare(tape if rank is None else own_file(tape, rank))
    command = ["-m", *words] if args.module else words
    begin = _Begin(tape.absolute(), command, options, with_window)
    sys.argv = ["-m", *words[1:]] if args.module else list(words)
    program = module(name) if args.module else script(name)
    if args.tape is None and (rank is None or rank.number == 0):
        print(f"tapescope: recording to {tape}", file=sys.stderr, flush=True)
    call_off = after_import("torch", begin)
    try:
        return _execute(program)
    finally:
        call_off()


def _default(stem: str, rank: Rank | None) -> Path:
    """Without -o. All ranks of a job have to come to the same name, so theirs goes by the job's id."""
    if rank is None:
        return free_name(stem)
    if not rank.short_run_id:
        raise UsageError("This job has no id to name the folder of its tapes by; give one with -o.")
    return Path(f"{stem}-{rank.short_run_id}.tape")


def _execute(program: Program) -> int:
    try:
        execute(program)
    except (TapescopeError, BrokenPipeError) as error:  # the script's own, as it may use us: not to be taken for ours
        recording.end(error)
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    except Exception as error:
        recording.end(error)
        raise
    except BaseException as error:
        _end_after_threads(error)
        raise
    _end_after_threads()
    return 0


def _end_after_threads(error: BaseException | None = None) -> None:
    """Python lets a script's threads finish after its last line, and so does the recording."""
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        atexit.register(recording.end, error)
    else:
        recording.end(error)


class _Begin:
    """Starts the recording once the script has imported torch; a recording that cannot start never stops the script."""

    def __init__(self, tape: Path, command: list[str], options: dict[str, Any], with_window: bool) -> None:
        self._tape = tape
        self._command = command
        self._options = options
        self._with_window = with_window

    def __call__(self, _: object) -> None:
        try:
            with modules_of_ours():
                options = self._options | {"breakpoints": self._breakpoints()}
                self._tape = recording.begin(self._tape, self._command, whole_script=True, **options).path
        except Exception as error:
            text = str(error) if isinstance(error, TapescopeError) else f"Recording fails ({error!r})."
            print(f"tapescope: {text} The script runs on unrecorded.", file=sys.stderr)
            return
        self._open_window()

    def _breakpoints(self) -> tuple[Breakpoint, ...]:
        """Those of the command line, and where the app is to come, those that it remembers of the script."""
        given = Options(breakpoints=self._options["breakpoints"]).all_breakpoints
        if not self._options["expects_client"]:
            return given
        known = remembered(running_script())
        new = (each for each in given if not any(replace(each, id=other.id) == other for other in known))
        return numbered((*known, *new))

    def _open_window(self) -> None:
        if self._with_window:
            subprocess.Popen(
                tapescope("open", str(self._tape)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
