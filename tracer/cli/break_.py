"""`tapescope break`: list or set the breakpoints of a running training."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tracer.breakpoint_file import numbered
from tracer.conditions import breakpoint_of, condition, condition_names, scalars_of, sentence
from tracer.control.client import connect
from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint, from_dict, to_text
from tracer.store.reader import Tape
from tracer.terminal import say

NAME = "break"
HELP = "list or set the breakpoints of a running training"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Without a BREAKPOINT, lists those that are set. A breakpoint is a condition and its fields, quoted as one\n"
        "word of the shell, and perhaps hit=, log=, once, off:\n\n"
        "    'loss_above value=3'    'module_ran module=layer4.* hit=\">= 5\"'    'loss > 2 * mean(loss[-20:])'\n"
        "    'loss_not_finite log=\"loss is {loss} at step {step}\"'\n"
    )
    parser.epilog = "conditions:\n" + "\n".join(f"    {line}" for line in _conditions())
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("breakpoints", nargs="*", metavar="BREAKPOINT", help="added to those there are")
    parser.add_argument("--clear", action="store_true", help="take out those there are first")


def run(args: argparse.Namespace) -> int:
    added = [breakpoint_of(text) for text in args.breakpoints]
    present = () if args.clear else breakpoints_on(args.tape)
    if added or args.clear:
        with closing(connect(args.tape)) as client:
            present = numbered((*present, *added))
            client.set_breakpoints(present)
            client.wait_for_answer()
        _warn(args.tape, added)
    for each in present:
        state = "" if each.is_enabled else "  (off)"
        say(f"{each.id}  {to_text(each)}    {sentence(each)}{state}")
    if not present and not args.clear:
        say("There are no breakpoints.")
    return 0


def _warn(path: Path, added: list[Breakpoint]) -> None:
    """A name that was not logged so far may be a slip."""
    with Tape(path) as tape:
        known = tape.scalars
    names = sorted({name for each in added for name in scalars_of(each)} - set(known))
    if names and known:
        text = f"tapescope: nothing called {' or '.join(names)} was logged so far; there is {', '.join(known)}."
        say(text, to=sys.stderr)


def breakpoints_on(path: Path) -> tuple[Breakpoint, ...]:
    """Those the tape says are set. Raises TapeError for no tape."""
    with Tape(path) as tape:
        events = tape.events("breakpoints")
    try:
        return tuple(from_dict(each) for each in events[-1].data["breakpoints"]) if events else ()
    except (KeyError, TypeError, UsageError):
        return ()


def _conditions() -> Iterator[str]:
    for name in condition_names():
        found = condition(name)
        fields = " ".join(f"{field.name}={field.default or '…'}" for field in found.FIELDS)
        yield f"{name:20} {fields:44} {found.TITLE}"
