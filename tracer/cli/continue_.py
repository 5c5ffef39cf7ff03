"""`tapescope continue`: let a paused training go on."""

import argparse
from pathlib import Path

from tracer.control.client import connect

NAME = "continue"
HELP = "let a paused training go on"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")


def run(args: argparse.Namespace) -> int:
    client = connect(args.tape)
    try:
        client.continue_()
        client.wait_for_answer()
    finally:
        client.close()
    return 0
