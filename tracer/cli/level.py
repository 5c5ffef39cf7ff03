"""`tapescope level`: change what a running training records."""

import argparse
from contextlib import closing
from pathlib import Path

from tracer.control.client import connect
from tracer.options import LEVELS, Sampling

NAME = "level"
HELP = "change what a running training records"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("level", metavar="LEVEL", help=" | ".join(LEVELS))
    parser.add_argument("--every", type=int, default=1, metavar="K", help="at every K-th step only (default 1)")


def run(args: argparse.Namespace) -> int:
    sampling = Sampling(args.level, args.every)
    with closing(connect(args.tape)) as client:
        client.set_level(sampling.level, sampling.every)
        client.wait_for_answer()
    return 0
