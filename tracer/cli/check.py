"""`tapescope check`: whether a tape is damaged, and what of it."""

import argparse
from dataclasses import asdict
from pathlib import Path

from tracer.exporters.json import to_json
from tracer.store.checking import check
from tracer.terminal import say

NAME = "check"
HELP = "say whether a tape is damaged; exit code 1 if it is"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    condition = check(args.tape)
    if args.json:
        print(to_json({"intact": not condition.damage, **asdict(condition)}, indent=2))
    elif condition.damage:
        say(f"{args.tape} is damaged; {condition.n_steps:,} steps are intact:")
        say(*(f"  {line}" for line in condition.damage))
        say(f"`tapescope repair {args.tape} -o NEW.tape` takes out what is intact.")
    else:
        say(f"intact: {condition.n_steps:,} steps, {condition.n_events:,} events")
    return 1 if condition.damage else 0
