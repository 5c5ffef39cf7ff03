"""`tapescope nan`: where a NaN or an Inf came from."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tracer.errors import SourceError, TapeError
from tracer.exporters.json import to_json
from tracer.model.last_finite import last_finite
from tracer.model.not_finite import Operand, inputs_of, origin_text, output_of, place_of, values_text
from tracer.model.records import Event
from tracer.source_file import read_source
from tracer.store.reader import Tape
from tracer.terminal import say

NAME = "nan"
HELP = "say where a NaN or an Inf came from"

_MEASURED = ("min", "max", "mean", "value_norm", "grad_norm", "update_norm")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    with Tape(args.tape) as tape:
        found = [_facts(tape, event) for event in tape.events("not_finite")]
    if args.json:
        print(to_json(found, indent=2))
    elif not found:
        say(f"Nothing that is NaN or Inf was met in {args.tape}.")
    else:
        for place, facts in enumerate(found):
            say(*([""] if place else []), *_lines(facts))
    return 0


def _facts(tape: Tape, event: Event) -> dict[str, Any]:
    """The event with its source line, the text of that, and the last finite step."""
    source = _source(tape, event)
    last = last_finite(tape, event)
    return {
        "step": event.step,
        **event.data,
        "source": source,
        "code": None if source is None else _code(source),
        "last_finite": None if last is None else asdict(last),
    }


def _source(tape: Tape, event: Event) -> Mapping[str, Any] | None:
    """That of the event, else of its node: the line of an op that was new to the step is noted a step later."""
    source = event.data.get("source")
    if source is None and event.data.get("node"):
        try:
            node = tape.graph(event.step).nodes.get(event.data["node"], {})
        except (TapeError, IndexError):
            return None
        source = node.get("source")
    return source if isinstance(source, dict) and type(source.get("line")) is int else None


def _code(source: Mapping[str, Any]) -> str | None:
    try:
        lines = read_source(str(source.get("file"))).lines
    except SourceError:
        return None
    return lines[source["line"] - 1].strip() if 0 < source["line"] <= len(lines) else None


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"step {facts['step']}: {origin_text(facts)}"
    if facts["code"]:
        yield f"  code         {facts['code']}"
    rows = [(one.name, place_of(one), _tensor(one)) for one in inputs_of(facts)]
    output = output_of(facts)
    rows += [("output", "", _tensor(output))] if output is not None else []
    names, places, _ = (max(map(len, column)) for column in zip(*rows, ("last finite", "", ""), strict=True))
    for name, place, tensor in rows:
        yield f"  {name:<{names}}  {place:<{places}}  {tensor}"
    yield f"  last finite  {_last(facts['last_finite'])}"


def _tensor(operand: Operand) -> str:
    shape = "×".join(map(str, operand.shape)) if operand.shape else "scalar"
    values = "not kept" if operand.values is None else values_text(operand.values, "{:.4g}".format, "{:,}".format)
    return f"{shape} {operand.dtype}: {values}"


def _last(last: Mapping[str, Any] | None) -> str:
    if last is None:
        return "no step before"
    measured = ", ".join(f"{name} {last['measured'][name]:.4g}" for name in _MEASURED if name in last["measured"])
    return f"step {last['step']}" + (f"; {last['measured_key']}: {measured}" if measured else "")
