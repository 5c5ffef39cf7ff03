"""What ended a run, in words and rows: the exception, where it was raised, and what the variables were there."""

from collections.abc import Iterable, Mapping
from typing import Any

from gui import format as fmt
from gui.facts import Fact, Section
from tracer import Event
from tracer.model.failure import exception_place
from tracer.model.source_paths import short_path

MOST_CHARS = 90
"""Of a message, where it shares a line with other things; where it has room of its own it may have more."""

MOST_CHARS_WITH_ROOM = 200

_VALUES = (("nans", "NaN"), ("infs", "Inf"))


def failure_headline(event: Event, most_chars: int = MOST_CHARS) -> str:
    """One sentence: what was raised, where, and the beginning of what it says."""
    place, source = exception_place(event.data), event.data.get("made_at") or event.data.get("source")
    where = f" {place}" if place else ""
    at = f", {short_path(str(source['file']))}:{source['line']}" if source else ""
    said = _first_line(event, most_chars)
    return f"{event.data.get('type', 'An exception')}{where}{at}{': ' if said else ''}{said}"


def failure_key(event: Event) -> str:
    """The node, parameter or module call that it was raised in; "" where the event names none."""
    data = event.data
    return str(data.get("parameter") or data.get("node") or data.get("call") or "")


def _first_line(event: Event, most_chars: int) -> str:
    line = str(event.data.get("message", "")).strip().partition("\n")[0]
    return line if len(line) <= most_chars else f"{line[:most_chars].rstrip()}…"


def failure_sections(event: Event, folder: str = "") -> tuple[Section, ...]:
    """The exception, then the user's frames, the innermost first, each with its variables."""
    frames = event.data.get("frames") or ()
    return (
        Section("Exception", tuple(_exception_rows(event, folder))),
        *(_frame_section(frame, folder) for frame in reversed(frames)),
    )


def _exception_rows(event: Event, folder: str) -> Iterable[Fact]:
    data = event.data
    yield Fact("type", str(data.get("type", "")))
    for number, line in enumerate(str(data.get("message", "")).strip().splitlines()):
        yield Fact("" if number else "message", line)
    if place := exception_place(data):
        yield Fact("raised", place, failure_key(event))
    for given in data.get("inputs") or ():
        yield Fact(f"input {given.get('name', '')}", variable_text(given))
    if data.get("made_at"):
        yield Fact("op made at", _line_text(data["made_at"], folder))
    if data.get("source"):
        yield Fact("line", _line_text(data["source"], folder))


def _frame_section(frame: Mapping[str, Any], folder: str) -> Section:
    title = f"{frame.get('function', '')}, {_line_text(frame, folder)}"
    rows = [Fact(str(variable.get("name", "")), variable_text(variable)) for variable in frame.get("locals") or ()]
    return Section(title, tuple(rows) or (Fact("", "No variables"),))


def variable_text(variable: Mapping[str, Any]) -> str:
    """ "2 × 4 float32, needs grad, 3 NaN", "'train.txt'", "list of 3", "Adam"."""
    kind = str(variable.get("type", ""))
    if "dtype" in variable:
        return ", ".join(_tensor_parts(variable, kind))
    if "value" in variable:
        return str(variable["value"])
    return f"{kind} of {fmt.count(variable['length'])}" if "length" in variable else kind


def _tensor_parts(variable: Mapping[str, Any], kind: str) -> Iterable[str]:
    if "value" in variable:
        yield _number_text(str(variable["value"]))
    named = "" if kind == "Tensor" else f"{kind} "
    yield f"{named}{fmt.shape(variable.get('shape') or ())} {variable['dtype']}"
    if variable.get("device") != "cpu":
        yield str(variable.get("device"))
    if variable.get("requires_grad"):
        yield "needs grad"
    for name, title in _VALUES:
        if variable.get(name):
            yield f"{fmt.count(variable[name])} {title}"


def _number_text(value: str) -> str:
    try:
        return fmt.number(float(value))
    except ValueError:  # a complex number, True
        return value


def _line_text(source: Mapping[str, Any], folder: str) -> str:
    return f"{short_path(str(source.get('file', '')), folder)}:{source.get('line', '')}"
