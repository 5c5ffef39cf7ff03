"""`tapescope info`: what a tape holds, or what the ranks of a job have recorded in a run folder."""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tracer.exporters.json import to_json
from tracer.model.failure import exception_place
from tracer.model.not_finite import origin_text
from tracer.model.step_table import NONE
from tracer.store.facts_reader import THINNED
from tracer.store.reader import Tape
from tracer.terminal import say

NAME = "info"
HELP = "say what a tape holds, or a folder with a tape for each rank"

MOST_OF_KIND = 20
"""Events of one kind that are listed; --json has all."""

_MOST_STEPS = 10
_THINNED = f"{THINNED}of these steps "


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    with Tape(args.tape) as tape:
        is_folder = os.path.isdir(args.tape)
        facts = _folder_facts(args.tape, tape) if is_folder else _facts(tape)
    lines = _folder_lines if is_folder else _lines
    if args.json:
        print(to_json(facts, indent=2))
    else:
        say(*lines(facts))
    return 0


def _folder_facts(folder: Path, tape: Tape) -> dict[str, Any]:
    return {
        "path": str(folder),
        "run_id": tape.meta.get("run_id", ""),
        "world_size": tape.meta.get("world_size", ""),
        "ranks": {str(rank): _facts(one) for rank, one in tape.ranks.items()},
        "disagreements": tape.disagreements().tolist(),
        "problems": list(tape.problems),
        "other_attempts": list(map(str, tape.other_attempts)),
    }


def _folder_lines(facts: dict[str, Any]) -> Iterator[str]:
    ranks, differ = facts["ranks"], facts["disagreements"]
    of = f"{len(ranks)} of {facts['world_size'] or len(ranks)} ranks"
    yield f"{facts['path']}: {of}, run {facts['run_id'] or 'without an id'}"
    yield from (f"  rank {rank:<6} {_summary(one)}" for rank, one in ranks.items())
    if differ:
        listed = ", ".join(map(str, differ[:_MOST_STEPS])) + (" and more" if len(differ) > _MOST_STEPS else "")
        yield f"  graphs      differ between ranks at {len(differ):,} steps: {listed}"
    elif len(ranks) > 1:
        yield "  graphs      the same in all ranks"
    yield from (f"  {problem}" for problem in facts["problems"])
    if facts["other_attempts"]:
        yield f"  other attempts of this run: {', '.join(facts['other_attempts'])}"


def _summary(rank: dict[str, Any]) -> str:
    loss = f", loss {rank['scalars']['loss']:.6g}" if "loss" in rank["scalars"] else ""
    file = f"{Path(rank['path']).name} by process {rank['run'].get('pid', '')} on {rank['run'].get('host', '')}"
    structures = f"{rank['structures']:,} structure{'' if rank['structures'] == 1 else 's'}"
    return f"{rank['state']}, {rank['steps']:,} steps, {structures}{loss} ({file})"


def _facts(tape: Tape) -> dict[str, Any]:
    events, table = tape.events(), tape.table
    topologies = table.column("topologies")
    seen = topologies != NONE
    is_change = np.flatnonzero(np.diff(topologies[seen])) + 1
    return {
        "path": str(tape.path),
        "state": tape.state,
        "run": tape.meta,
        "steps": len(tape),
        "structures": len(table.names["topologies"]),
        "shapes": len(table.names["shapes"]),
        "changes": table.column("steps")[seen][is_change].tolist(),
        "levels": dict(Counter(table.texts("levels"))),
        "seconds": float(table.durations.sum()),
        "scalars": {name: float(tape.series(name)[1][-1]) for name in tape.scalars},
        "events": [{"kind": event.kind, "step": event.step, **event.data} for event in events],
        "gaps": [{"first": first, "last": last, "reason": reason} for first, last, reason in tape.gaps],
        "size_bytes": tape.path.stat().st_size,
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    run = facts["run"]
    yield f"{facts['path']}: {facts['state']}, {facts['size_bytes'] / 1e6:.1f} MB"
    yield f"  command     {run.get('command', '')}"
    yield f"  python      {run.get('python', '')}, torch {run.get('torch', '')}, {run.get('platform', '')}"
    yield f"  steps       {facts['steps']:,} in {facts['seconds']:.1f} s"
    n_changes = len(facts["changes"])
    changes = f"changed {n_changes:,} time{'' if n_changes == 1 else 's'}"
    yield f"  levels      {', '.join(f'{level} ×{n:,}' for level, n in facts['levels'].items())}"
    yield f"  structures  {facts['structures']:,}, with shapes {facts['shapes']:,}; {changes}"
    for name, value in facts["scalars"].items():
        yield f"  {name:<11} {value:.6g} (last)"
    n_of_kind: Counter[str] = Counter()
    for event in facts["events"]:
        n_of_kind[event["kind"]] += 1
        if n_of_kind[event["kind"]] > MOST_OF_KIND:
            continue
        if event["kind"] == "exception":
            yield f"  ended       {_exception(event, facts['steps'])}"
        elif event["kind"] not in ("started", "closed"):
            yield f"  {_title(event)}: {_detail(event)}".removesuffix(": ")
    for kind, n in n_of_kind.items():
        if n > MOST_OF_KIND:
            yield f"  and {n - MOST_OF_KIND:,} more of {kind}"
    is_measured = any(level != "structure" for level in facts["levels"])
    for gap in facts["gaps"]:
        if is_measured or "steps measurements are" not in gap["reason"]:
            yield f"  {_gap(gap)}"


def _gap(gap: dict[str, Any]) -> str:
    """Thinning says of which steps something is kept, all else of which it is missing."""
    first, last, reason = gap["first"], gap["last"], gap["reason"]
    steps = f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"
    if not reason.startswith(_THINNED):
        return f"{steps}: {reason}"
    shared = "; one stays while a step that is kept has it" if " graphs are " in reason else ""
    return f"thinned     of {steps} {reason.removeprefix(_THINNED)}{shared}"


def _title(event: dict[str, Any]) -> str:
    if event["kind"] == "evaluated":
        return f"evaluated after step {event['step'] - 1}"
    where = f"at step {event['step']}" if event["step"] >= 0 else "from the beginning"
    return f"{event['kind']} {where}"


def _exception(event: dict[str, Any], n_steps: int) -> str:
    """What ended the run, where, and what it said."""
    step = event["step"]
    when = f"in step {step}" if step < n_steps else f"after step {step - 1}" if step else "before the first step"
    place = exception_place(event)
    source = event.get("made_at") or event.get("source") or {}
    at = f", {source.get('file')}:{source.get('line')}" if source else ""
    first, *_ = str(event.get("message", "")).strip().splitlines() or [""]
    said = f": {first}" if first else ""
    return f"by {event.get('type', 'an exception')} {when}{', ' if place else ''}{place}{at}{said}"


def _detail(event: dict[str, Any]) -> str:
    """What there is to say of an event in one line."""
    detail = _DETAILS.get(event["kind"])
    return str(event.get("text") or event.get("reason") or "") if detail is None else detail(event)


def _change(event: dict[str, Any]) -> str:
    group = f" group {event['group']}" if event.get("group") else ""
    return f"{event.get('optimizer')}{group} {event.get('name')} {event.get('before')} → {event.get('after')}"


def _trainable(event: dict[str, Any]) -> str:
    first, *rest = event.get("parameters") or [""]
    return f"{'unfrozen' if event.get('after') else 'frozen'} {first}" + (f" and {len(rest)} more" if rest else "")


_DETAILS: dict[str, Callable[[dict[str, Any]], str]] = {
    "capture_failed": lambda event: (str(event.get("traceback", "")).strip().splitlines() or [""])[-1],
    "not_finite": origin_text,
    "level": lambda event: f"{event.get('level')}, every {event.get('every')}",
    "evaluated": lambda event: f"{event.get('passes')} forward-only passes of {', '.join(event.get('modules', ()))}",
    "hit": lambda event: str(event.get("log") or event.get("text") or ""),
    "stopped": lambda event: ": ".join(filter(None, (str(event.get("reason", "")), str(event.get("text", ""))))),
    "breakpoints": lambda event: f"{len(event.get('breakpoints', ()))} set",
    "hyperparameter": _change,
    "trainable": _trainable,
    "refused": lambda event: str(event.get("error", "")),
}
