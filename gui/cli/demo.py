"""`tapescope demo`: start a demo in the app, or without a window into files."""

import argparse

from gui.demos import DEFAULT, find_demo, find_demos
from tracer.display import has_display
from tracer.errors import UsageError

NAME = "demo"
HELP = "start a demo in the app"


def configure(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(demo.name for demo in find_demos())
    parser.add_argument("demo", nargs="?", default=DEFAULT, metavar="NAME", help=f"one of {names} (default: {DEFAULT})")
    parser.add_argument("--steps", type=int, metavar="N", help="end after N steps (default: all; headless: 60)")
    parser.add_argument("--headless", action="store_true", help="no window: the tape and pictures go to tapescope-out/")


def run(args: argparse.Namespace) -> int:
    demo = find_demo(args.demo)
    if args.steps is not None and args.steps < 1:
        raise UsageError(f"Ending after {args.steps} steps makes no sense; give a number from 1 on.")
    if args.headless or not has_display():
        from gui.headless import STEPS, run_demo

        return run_demo(demo.name, args.steps or STEPS)
    from gui.application import run_app

    return run_app(script=demo.path, options=("--max-steps", str(args.steps)) if args.steps else ())
