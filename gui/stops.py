"""Stops, hits and live changes of a training in words, one sentence each, from the events of its tape."""

from collections.abc import Mapping
from typing import Any

from gui import format as fmt
from gui.levels import sampling_text
from tracer import Event
from tracer.errors import UsageError
from tracer.options import Sampling

CHANGES = ("hyperparameter", "trainable", "level")
"""Kinds of events that say what a client changed."""
MOST_NAMES = 3

_REASONS = {"pause": "", "step": "after a step"}


def stop_word(reason: str) -> str:
    """What the state of the run says after "Paused": "breakpoint"."""
    return _REASONS.get(reason, reason.replace("_", " "))


def stop_headline(event: Event) -> str:
    """ "Stopped at step 20 before the optimizer: the structure is not that of step 19"."""
    moment = str(event.data.get("moment", "after the step"))
    text = str(event.data.get("text", ""))
    early = " before the optimizer" if moment == "before the optimizer" else ""
    return f"Stopped at step {fmt.count(event.step)}{early}" + (f": {text}" if text else "")


def hit_line(event: Event) -> str:
    """ "breakpoint: the loss is NaN", or the line that the breakpoint wrote."""
    log, text = str(event.data.get("log", "")), str(event.data.get("text", ""))
    if log:
        return f"logged: {log}"
    passed = "" if event.data.get("attended", True) else " (nobody was attached, so it ran on)"
    return f"breakpoint: {text}{passed}"


def change_line(event: Event) -> str:
    """ "SGD: lr 0.01 → 0.001", "frozen: head.weight and 3 more"."""
    data = event.data
    if event.kind == "hyperparameter":
        group = f" group {data.get('group')}" if data.get("group") else ""
        values = f"{value_text(data.get('before'))} → {value_text(data.get('after'))}"
        return f"{data.get('optimizer')}{group}: {data.get('name')} {values}"
    if event.kind == "trainable":
        names = [str(name) for name in data.get("parameters", ())]
        return f"{'unfrozen' if data.get('after') else 'frozen'}: {names_text(names)}"
    return f"recording: {_sampling_text(data.get('before'))} → {_sampling_text(data)}"


def names_text(names: "list[str] | tuple[str, ...]") -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {fmt.count(rest)} more" if rest > 0 else "")


def value_text(value: object) -> str:
    """A hyperparameter as it is shown and typed."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(value_text, value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _sampling_text(data: object) -> str:
    try:
        given = data if isinstance(data, Mapping) else {}
        return sampling_text(_sampling(given))
    except UsageError:
        return "?"


def _sampling(data: Mapping[str, Any]) -> Sampling:
    return Sampling(data.get("level", "structure"), data.get("every", 1))
