"""`tapescope check`: whether a tape, or any of a run folder, is damaged, and what of it."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tracer.errors import TapeError
from tracer.exporters.json import to_json
from tracer.store.checking import Condition, check
from tracer.store.run_folder import files_in
from tracer.terminal import say

NAME = "check"
HELP = "say whether a tape is damaged; exit code 1 if it is"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape", help="or a run folder")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    if os.path.isdir(args.tape):
        return _check_folder(args.tape, as_json=args.json)
    condition = check(args.tape)
    if args.json:
        print(to_json(_facts(condition), indent=2))
    else:
        say(*_lines(args.tape, condition))
    return 1 if condition.damage else 0


def _check_folder(folder: Path, *, as_json: bool) -> int:
    """Each rank's tape; one that is none counts as damaged."""
    conditions = {file.path: _condition(file.path) for file in files_in(folder)}
    if not conditions:
        raise TapeError(f"{folder} has no tapes of a job (rank-0.tape, rank-1.tape and so on).")
    if as_json:
        print(to_json({str(path): _facts(condition) for path, condition in conditions.items()}, indent=2))
    else:
        for path, condition in conditions.items():
            first, *rest = _lines(path, condition)
            say(first if condition.damage else f"{path}: {first}", *rest)
    return 1 if any(condition.damage for condition in conditions.values()) else 0


def _condition(path: Path) -> Condition:
    try:
        return check(path)
    except TapeError as error:
        return Condition(0, 0, (str(error),))


def _facts(condition: Condition) -> dict[str, object]:
    return {"intact": not condition.damage, **asdict(condition)}


def _lines(path: Path, condition: Condition) -> Iterator[str]:
    if not condition.damage:
        yield f"intact: {_counted(condition.n_steps, 'step')}, {_counted(condition.n_events, 'event')}"
        return
    yield f"{path} is damaged; {condition.n_steps:,} steps are intact:"
    yield from (f"  {line}" for line in condition.damage)
    yield f"`tapescope repair {path} -o NEW.tape` takes out what is intact."


def _counted(n: int, one: str) -> str:
    return f"{n:,} {one}{'' if n == 1 else 's'}"
