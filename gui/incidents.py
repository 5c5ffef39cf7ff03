"""What the user has to know of a run, in words: where a NaN came from, that capture or the disk failed."""

from collections.abc import Mapping, Sequence
from typing import Any

from gui import format as fmt
from gui.failures import MOST_CHARS_WITH_ROOM, failure_headline, failure_key
from tracer import Event
from tracer.model.not_finite import unsearched_text
from tracer.model.source_paths import short_path

LEADING = ("not_finite", "exception")
"""Kinds of incidents that have a place in the graph of their step."""

_VALUES = {"nan": "NaN", "inf": "Inf"}


def headline(event: Event) -> str:
    """One sentence: what happened, at which step, where it began."""
    if event.kind == "exception":
        return failure_headline(event)
    if event.kind == "capture_failed":
        return _failure(event)
    if event.kind == "disk":
        return f"At step {fmt.count(event.step)} {str(event.data.get('text', ''))[:MOST_CHARS_WITH_ROOM]}"
    value, what = _value(event.data), event.data.get("what", "loss")
    if _is_unsearched(event.data):
        return f"The {what} of step {fmt.count(event.step)} is {value}; {unsearched_text(event.data)}"
    where = origin_place(event.data)
    at = _line_text(event.data.get("source"), "")
    return f"The {what} of step {fmt.count(event.step)} is {value}: first {where}{_left_behind(event)}{at}"


def origin_text(event: Event, folder: str = "", source: Mapping[str, Any] | None = None) -> str:
    """For the inspector; `source` is the node's line, for events that came before it was known."""
    if event.kind == "exception":
        return failure_headline(event, MOST_CHARS_WITH_ROOM)
    if _is_unsearched(event.data):
        return f"{_value(event.data)} in the {event.data.get('what', 'loss')}; {unsearched_text(event.data)}"
    at = _line_text(event.data.get("source") or source, folder)
    return f"First value that is not finite: {_value(event.data)} {origin_place(event.data)}{_left_behind(event)}{at}"


def origin_key(event: Event) -> str:
    """The node, module call or parameter to go to; "" where the event names none."""
    if event.kind == "exception":
        return failure_key(event)
    data = event.data
    first, second = ("parameter", "node") if data.get("origin") == "parameter" else ("node", "call")
    return str(data.get(first) or data.get(second) or data.get("parameter") or data.get("call") or "")


def origin_place(data: Mapping[str, Any]) -> str:
    """ "out of LogBackward0 in decoder#3", "in the parameter fc1.weight"."""
    op, module = data.get("op"), data.get("call") or data.get("module")
    inside = f" in {_call_text(str(module))}" if module else ""
    if data.get("origin") == "parameter" and data.get("parameter"):
        thing = "gradient of" if data.get("what") == "gradient" else "parameter"
        return f"in the {thing} {data['parameter']}{_others(data)}"
    if data.get("origin") == "input":
        return f"in what {op or 'the model'} was given{inside}"
    return f"out of {op or 'an op'}{inside}"


def foremost(incidents: Sequence[Event], step: int) -> Event | None:
    """The first incident of a step, else the first of all; None where there are none."""
    return next((event for event in incidents if event.step == step), incidents[0] if incidents else None)


def concerns(event: Event, key: str) -> bool:
    """Whether a node, a module call or a parameter is where this began."""
    return bool(key) and key in (event.data.get("node"), event.data.get("call"), event.data.get("parameter"))


def last_line(event: Event) -> str:
    """What a failed hook raised."""
    lines = str(event.data.get("traceback", "")).strip().splitlines()
    return lines[-1].strip() if lines else ""


def _failure(event: Event) -> str:
    step, reason = fmt.count(event.step), last_line(event)
    why = f" ({reason})" if reason else ""
    if event.data.get("hook") == "search":  # `NotFinite.search`, the one hook whose failure leaves the graphs on
        return f"The search for what is not finite in step {step} failed{why}"
    return f"From step {step} on no graphs are recorded, as Tapescope failed there; the training is not affected{why}"


def _is_unsearched(data: Mapping[str, Any]) -> bool:
    """Whether there was no graph to look for the origin in. Not so in an event that lacks the field."""
    return data.get("origin", "") is None


def _left_behind(event: Event) -> str:
    """A parameter that a loss found spoilt was so before its step began: it is not the cause."""
    if event.data.get("origin") != "parameter" or event.data.get("what") == "gradient":
        return ""
    if event.step == 0:
        return ", which was so before the first step"
    return f", which the update of step {fmt.count(event.step - 1)} left behind"


def _line_text(source: Mapping[str, Any] | None, folder: str) -> str:
    return f", {short_path(str(source['file']), folder)}:{source['line']}" if source else ""


def _value(data: Mapping[str, Any]) -> str:
    return _VALUES.get(str(data.get("value")), "not finite")


def _call_text(call: str) -> str:
    return "the model itself" if call == "#0" else call


def _others(data: Mapping[str, Any]) -> str:
    count = len(data.get("others") or ())
    return f" and {fmt.plural(count, 'other')}" if count else ""
