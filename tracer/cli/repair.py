"""`tapescope repair`: what is intact of a damaged tape, as a new one."""

import argparse
from pathlib import Path

from tracer.store.salvage import repair
from tracer.terminal import say

NAME = "repair"
HELP = "write what is intact of a damaged tape to a new one"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.tape", help="the new tape")


def run(args: argparse.Namespace) -> int:
    salvage = repair(args.tape, args.output)
    say(f"{args.output}: {salvage.n_steps:,} steps")
    if salvage.lost:
        say("lost:", *(f"  {line}" for line in salvage.lost))
    else:
        say("nothing was lost")
    return 0
