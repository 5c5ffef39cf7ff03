"""`tapescope repair`: what is intact of a damaged tape, as a new one."""

import argparse
import os
from pathlib import Path

from tracer.errors import UsageError
from tracer.store.run_folder import files_in
from tracer.store.salvage import repair
from tracer.terminal import say

NAME = "repair"
HELP = "write what is intact of a damaged tape to a new one"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.tape", help="the new tape")


def run(args: argparse.Namespace) -> int:
    if os.path.isdir(args.tape):
        names = ", ".join(str(file.path) for file in files_in(args.tape)) or "there are none in it"
        raise UsageError(f"{args.tape} is a folder; repair one of its tapes: {names}.")
    if os.path.lexists(args.output) and not _is_same(args.tape, args.output):
        raise UsageError(f"{args.output} exists; it is left as it is. Choose another name for the new tape.")
    salvage = repair(args.tape, args.output)
    say(f"{args.output}: {salvage.n_steps:,} steps")
    if salvage.lost:
        say("lost:", *(f"  {line}" for line in salvage.lost))
    else:
        say("nothing was lost")
    return 0


def _is_same(tape: Path, output: Path) -> bool:
    """Of which `repair` has something to say."""
    try:
        return os.path.samefile(tape, output)
    except OSError:
        return False
