"""`tapescope open`: show a tape, or join a run that is being recorded."""

import argparse
import os
import sys
from pathlib import Path

from tracer.display import has_display
from tracer.errors import UsageError
from tracer.store.run_folder import tape_file
from tracer.terminal import say

NAME = "open"
HELP = "show a tape, or join a run that is being recorded"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("--step", type=int, metavar="N", help="the step to show first")
    # For the documentation's pictures: the window as a PNG once it has drawn the step, without staying open.
    parser.add_argument("--screenshot", type=Path, metavar="FILE.png", help=argparse.SUPPRESS)
    parser.add_argument("--size", default="1440x900", help=argparse.SUPPRESS)
    parser.add_argument("--theme", choices=("light", "dark"), help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    if os.path.isdir(args.tape):
        folder, args.tape = args.tape, tape_file(args.tape)
        say(f"tapescope: showing {args.tape.name} of {folder}; give another file of it to see that", to=sys.stderr)
    if args.screenshot is not None:
        from gui.screenshot import Shot, take_screenshot

        width, _, height = args.size.partition("x")
        take_screenshot(Shot(args.tape, args.screenshot, (int(width), int(height)), args.step, args.theme or "light"))
        return 0
    if not has_display():
        raise UsageError(f"There is no display to show {args.tape} on; `tapescope export` writes its graphs to files.")
    from gui.application import run_app

    return run_app(tape=args.tape, step=args.step)
