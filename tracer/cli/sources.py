"""`tapescope sources`: have a running training note anew where its ops are made."""

import argparse
from contextlib import closing
from pathlib import Path

from tracer.control.client import connect

NAME = "sources"
HELP = "have a running training note the source lines of its next step"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")


def run(args: argparse.Namespace) -> int:
    with closing(connect(args.tape)) as client:
        client.trace_sources()
        client.wait_for_answer()
    return 0
