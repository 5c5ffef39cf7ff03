"""`tapescope info`: what a tape holds."""

import argparse
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tracer.exporters.json import to_json
from tracer.model.failure import exception_place
from tracer.model.not_finite import origin_text
from tracer.store.reader import Tape

NAME = "info"
HELP = "say what a tape holds"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", type=Path, metavar="FILE.tape")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    with Tape(args.tape) as tape:
        facts = _facts(tape)
    print(to_json(facts, indent=2) if args.json else "\n".join(_lines(facts)))
    return 0


def _facts(tape: Tape) -> dict[str, Any]:
    batch = tape.refresh()
    steps = batch.steps
    seen = [step for step in steps if step.topology_id]
    changes = [after.index for before, after in pairwise(seen) if before.topology_id != after.topology_id]
    return {
        "path": str(tape.path),
        "state": tape.state,
        "run": tape.meta,
        "steps": len(tape),
        "structures": len({step.topology_id for step in steps if step.topology_id}),
        "shapes": len({step.shape_id for step in steps if step.shape_id}),
        "changes": changes,
        "levels": dict(Counter(step.level for step in steps)),
        "seconds": sum(step.duration_secs for step in steps),
        "scalars": {name: float(tape.series(name)[1][-1]) for name in tape.scalars},
        "events": [{"kind": event.kind, "step": event.step, **event.data} for event in batch.events],
        "gaps": [{"first": first, "last": last, "reason": reason} for first, last, reason in tape.gaps],
        "size_bytes": tape.path.stat().st_size,
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    run = facts["run"]
    yield f"{facts['path']}: {facts['state']}, {facts['size_bytes'] / 1e6:.1f} MB"
    yield f"  command     {run.get('command', '')}"
    yield f"  python      {run.get('python', '')}, torch {run.get('torch', '')}, {run.get('platform', '')}"
    yield f"  steps       {facts['steps']:,} in {facts['seconds']:.1f} s"
    changes = f"changed {len(facts['changes']):,} times"
    yield f"  levels      {', '.join(f'{level} ×{n:,}' for level, n in facts['levels'].items())}"
    yield f"  structures  {facts['structures']:,}, with shapes {facts['shapes']:,}; {changes}"
    for name, value in facts["scalars"].items():
        yield f"  {name:<11} {value:.6g} (last)"
    for event in facts["events"]:
        if event["kind"] == "exception":
            yield f"  ended       {_exception(event, facts['steps'])}"
        elif event["kind"] not in ("started", "closed"):
            yield f"  {_title(event)}: {_detail(event)}".removesuffix(": ")
    for gap in facts["gaps"]:
        yield f"  steps {gap['first']} to {gap['last']} have gaps: {gap['reason']}"


def _title(event: dict[str, Any]) -> str:
    if event["kind"] == "evaluated":
        return f"evaluated after step {event['step'] - 1}"
    return f"{event['kind']} at step {event['step']}"


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
    if event["kind"] == "capture_failed":
        return (str(event.get("traceback", "")).strip().splitlines() or [""])[-1]
    if event["kind"] == "not_finite":
        return origin_text(event)
    if event["kind"] == "level":
        return f"{event.get('level')}, every {event.get('every')}"
    if event["kind"] == "evaluated":
        return f"{event.get('passes')} forward-only passes of {', '.join(event.get('modules', ()))}"
    return str(event.get("condition") or event.get("reason") or "")
