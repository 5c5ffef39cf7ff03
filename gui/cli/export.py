"""`tapescope export`: one step, or a range of steps, as pictures or data."""

import argparse
from pathlib import Path
from types import ModuleType

from gui.formats import exporter, format_names
from tracer.errors import ExportError, UsageError
from tracer.steps import checked_step, step_range
from tracer.store.reader import Tape

NAME = "export"
HELP = "write the graph of a step as a picture or as data"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--step", type=int, metavar="N", help="one step, negative from the end")
    which.add_argument("--steps", metavar="A:B[:K]", help="a range of steps, one file each")
    parser.add_argument("--against", type=int, metavar="M", help="mark what differs from this step, in a picture")
    parser.add_argument("--format", required=True, metavar="FMT", help=f"one of {', '.join(format_names())}")
    parser.add_argument(
        "-o", dest="out", required=True, type=Path, metavar="OUT", help="the file; for a range also a folder"
    )


def run(args: argparse.Namespace) -> int:
    writer = exporter(args.format)
    if args.against is not None and args.step is None:
        raise UsageError("--against goes with --step, not with --steps.")
    if args.against is not None and not hasattr(writer, "paint"):
        raise UsageError(f"{args.format} is no picture; tapescope diff compares two steps as text or JSON.")
    with Tape(args.tape) as tape:
        if args.step is not None:
            step = checked_step(tape, args.step)
            out = _in_folder(args.out, step, writer.SUFFIX) if args.out.is_dir() else _checked(args.out)
            if args.against is not None:
                _paint_two(writer, tape, step, checked_step(tape, args.against), out)
            else:
                writer.export(tape, step, out)
            return 0
        for step in step_range(tape, args.steps):
            out = (
                _in_folder(args.out, step, writer.SUFFIX)
                if args.out.is_dir()
                else _numbered(args.out, step, writer.SUFFIX)
            )
            writer.export(tape, step, _checked(out))
    return 0


def _paint_two(writer: ModuleType, tape: Tape, step: int, against: int, out: Path) -> None:
    # Here, so that the help of other commands need not wait for Qt.
    from gui.canvas.snapshot import comparison
    from gui.theme import LIGHT

    writer.paint(*comparison(tape, step, against, LIGHT), out)


def _in_folder(folder: Path, step: int, suffix: str) -> Path:
    return folder / f"step-{step}{suffix}"


def _numbered(out: Path, step: int, suffix: str) -> Path:
    return out.with_name(f"{out.stem}-{step}{out.suffix or suffix}")


def _checked(out: Path) -> Path:
    if not out.absolute().parent.is_dir():
        raise ExportError(f"Cannot write {out}: there is no folder {out.absolute().parent}.")
    return out
