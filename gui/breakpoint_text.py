"""Breakpoints in words: which conditions belong together, and what one does when it is met."""

from tracer.conditions import condition_names, sentence
from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint

_GROUPS = (
    ("Structure", ("topology_changed", "structure_new", "structure_is", "shape_changed")),
    ("Modules and ops", ("module_ran", "module_not_run", "module_ran_times", "op_appears")),
    (
        "Loss and gradients",
        (
            *("loss_not_finite", "loss_above", "loss_below", "loss_jumps"),
            *("gradient_norm_above", "gradient_zero", "parameter_unreached"),
        ),
    ),
    ("Time and steps", ("step_is", "every_n", "elapsed")),
    ("Expression", ("expression",)),
)


def grouped_conditions() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The conditions there are files of, under their titles; those that no group knows come last."""
    present = condition_names()
    known = {name for _, group in _GROUPS for name in group}
    groups = [(title, tuple(name for name in group if name in present)) for title, group in _GROUPS]
    groups.append(("More", tuple(name for name in present if name not in known)))
    return tuple((title, group) for title, group in groups if group)


def condition_text(breakpoint: Breakpoint) -> str:
    """ "The loss is above 3"; what begins with something typed, a name or an expression, is left as typed; of a
    condition that this version does not know, its name."""
    try:
        text = sentence(breakpoint)
    except (UsageError, TypeError, KeyError):
        return breakpoint.condition
    typed = (value for value in breakpoint.fields.values() if isinstance(value, str) and value)
    if text.startswith(tuple(typed)):
        return text
    return text[:1].upper() + text[1:]


def effect_text(breakpoint: Breakpoint, does: str = "") -> str:
    """ "Stops when the loss is above 3, from the 5th time on". `does`: what to say instead of what it does."""
    verb = does or (f"Writes “{breakpoint.log_message}”" if breakpoint.log_message else "Stops")
    what = sentence(breakpoint)
    when = what if what.startswith("every ") else f"when {what}"
    parts = (f"{verb} {when}", hit_words(breakpoint.hit_condition), _once(breakpoint))
    return ", ".join(part for part in parts if part)


def suffix_text(breakpoint: Breakpoint) -> str:
    """What a row of the list says beside the condition: "from the 5th time on · once · writes “loss {loss}”"."""
    log = f"writes “{breakpoint.log_message}”" if breakpoint.log_message else ""
    return " · ".join(part for part in (hit_words(breakpoint.hit_condition), _once(breakpoint), log) if part)


def hit_words(hit_condition: str) -> str:
    """ "" for each time, "from the 5th time on", "every 5th time", "the 5th time only"."""
    text = hit_condition.replace(" ", "")
    number = int(text.lstrip("<>=%") or 0)
    if not number:
        return ""
    if text.startswith(">"):
        return f"from the {_ordinal(number + (text[1:2] != '='))} time on"
    return f"every {_ordinal(number)} time" if text.startswith("%") else f"the {_ordinal(number)} time only"


def _once(breakpoint: Breakpoint) -> str:
    return "once" if breakpoint.is_one_shot else ""


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
