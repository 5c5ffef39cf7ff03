"""`tapescope statistics`: what was measured in a step."""

import argparse
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tracer.errors import UsageError
from tracer.exporters.json import to_json
from tracer.model.statistics import Statistics, Table
from tracer.steps import checked_step
from tracer.store.reader import Tape
from tracer.terminal import say

NAME = "statistics"
HELP = "say what was measured in a step"

_N_OPERATORS = 20


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("--step", type=int, metavar="N", help="default: the last step that was measured")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    with Tape(args.tape) as tape:
        index = _last_measured(tape) if args.step is None else checked_step(tape, args.step)
        measured = tape.statistics(index)
    if measured is None:
        raise UsageError(f"Step {index} of {args.tape} was not measured; record with --level statistics or full.")
    if args.json:
        print(to_json(as_dict(index, measured), indent=2))
    else:
        say(*_lines(index, measured))
    return 0


def as_dict(step: int, measured: Statistics) -> dict[str, Any]:
    """Everything, by keys and names of quantities."""
    tables = {name: getattr(measured, name) for name in ("calls", "parameters", "nodes")}
    operators = zip(measured.operators, measured.operator_secs.tolist(), strict=True)
    return {
        "step": step,
        **{name: {key: table.row(key) for key in table.keys} for name, table in tables.items()},
        "operators": [{**asdict(operator), "secs": secs} for operator, secs in operators],
    }


def _last_measured(tape: Tape) -> int:
    for index in reversed(range(len(tape))):
        if tape.steps[index].level != "structure":
            return index
    raise UsageError(f"No step of {tape.path} was measured; record with --level statistics or full.")


def _lines(step: int, measured: Statistics) -> Iterator[str]:
    yield f"Step {step}"
    for title, table in (
        ("module call", measured.calls),
        ("parameter", measured.parameters),
        ("node", measured.nodes),
    ):
        if table.keys:
            yield ""
            yield from _table(title, table)
    if measured.operators:
        yield ""
        yield from _operators(measured)


def _table(title: str, table: Table) -> Iterator[str]:
    rows = zip(table.keys, table.values.tolist(), strict=True)
    yield from _aligned([[title, *table.columns], *([key, *(f"{value:.4g}" for value in row)] for key, row in rows)])


def _operators(measured: Statistics) -> Iterator[str]:
    """Those that took longest, all calls of one together."""
    flops, counts = Counter[str](), Counter[str]()
    times: dict[str, float] = {}
    for operator, secs in zip(measured.operators, measured.operator_secs.tolist(), strict=True):
        counts[operator.name] += 1
        times[operator.name] = times.get(operator.name, 0.0) + (secs if math.isfinite(secs) else 0.0)
        flops[operator.name] += operator.flops or 0
    shown = sorted(times, key=lambda name: -times[name])[:_N_OPERATORS]
    rows = [[name, f"{counts[name]:,}", f"{times[name]:.4g}", f"{flops[name]:,}"] for name in shown]
    yield from _aligned([["operator", "times", "secs", "flops"], *rows])
    yield f"all {len(measured.operators):,}: {sum(times.values()):.4g} s, {sum(flops.values()):,} FLOPs"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        numbers = "  ".join(text.rjust(width) for text, width in zip(rest, widths[1:], strict=True))
        yield f"{first.ljust(widths[0])}  {numbers}"
