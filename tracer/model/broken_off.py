"""What is known of a step that an exception broke off, as far as it explains what the step lacks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tracer.model.failure import exception_place
from tracer.model.records import Event, Step
from tracer.model.source_paths import short_path
from tracer.model.structure import SourceLine


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """`text` says what was raised and where. `is_complete` tells that the forward went through, so that of the graph
    at most later passes are missing; `has_backward` that a backward ran."""

    step: int
    text: str
    source: SourceLine | None
    is_complete: bool
    has_backward: bool


def broken_off(step: Step, events: Iterable[Event], folder: str = "") -> BrokenOff | None:
    """None where the step was not. Paths of source files are written below `folder`."""
    if step.phase != "partial":
        return None
    of_step = (event.data for event in events if event.kind == "exception" and event.step == step.index)
    data: Mapping[str, Any] = next(of_step, {})
    place, source = exception_place(data), data.get("made_at") or data.get("source")
    where = f" {place}" if place else ""
    at = f", {short_path(str(source['file']), folder)}:{source['line']}" if source else ""
    return BrokenOff(
        step.index,
        f"{data.get('type', 'an exception')}{where}{at}",
        SourceLine(str(source["file"]), int(source["line"]), str(source["function"])) if source else None,
        data.get("where") in ("backward", "optimizer"),
        any(one.kind in ("backward", "grad") for one in step.passes),
    )
