"""What the search bar knows of the query language beside its grammar: examples, and what may be typed next."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gui import format as fmt
from tracer.model.query import KINDS, NODE_FIELDS, NODE_FLAGS, QUANTITIES, STEP_FIELDS, STEP_FLAGS, STEPS
from tracer.options import LEVELS

MOST = 50
LEAST_CHARS = 2
"""From so many letters on, names are proposed without a field."""

EXAMPLES = (
    ("op:addmm module:layer3.*", "ops inside of modules; * and ? stand for anything"),
    ("shape:[64,*] -param:bias", "any second size; - is not"),
    ("linear or (conv bn)", "words find names; or, and parentheses"),
    ("source:model.py:42", "what a line of the script made"),
    ("added or changed", "against the compared step"),
    ("grad_norm > 10", "what was measured: zeros, saved_bytes …"),
    (f"{STEPS} module:layer4 did not run", "steps, marked on the timeline"),
    (f"{STEPS} loss > 2 or loss not finite", "any scalar; also step % 10 = 0"),
    (f"{STEPS} new or shape changed", "structures never seen before"),
)
"""Queries that teach the language, and what each shows."""

_PREFIX = re.compile(r"\s*steps(\s+where)?\b\s*", re.IGNORECASE)
_WORD = re.compile(r'[^\s()"]*$')
_STEP_WORDS = ("step", "duration", "ran", "did not run", "not finite")
_EVENTS = (
    "started",
    "stopped",
    "passed",
    "continued",
    "level",
    "not_finite",
    "exception",
    "capture_failed",
    "evaluated",
)
_PLAIN = re.compile(r"[\w.#/-]+")


def is_for_steps(text: str) -> bool:
    found = _PREFIX.match(text)
    return found is not None and found[1] is not None


def turned_to_steps(text: str, is_about_steps: bool) -> str:
    """The same question about steps, or about nodes."""
    rest = _PREFIX.sub("", text, count=1) if is_for_steps(text) else text.strip()
    return f"{STEPS} {rest}" if is_about_steps else rest


@dataclass(frozen=True, slots=True)
class Proposals:
    """What may stand in place of the word from `start` to the cursor."""

    start: int
    words: tuple[str, ...]


def proposals(text: str, cursor: int, names: Mapping[str, tuple[str, ...]], scalars: Iterable[str]) -> Proposals:
    """`names` are what the fields can be asked for, by field."""
    word = _WORD.search(text[:cursor])
    typed = "" if word is None else word[0].removeprefix("-").lower()
    start = cursor - len(typed)
    if not typed or text[:start].count('"') % 2:
        return Proposals(start, ())
    about_steps = is_for_steps(text[:start])
    field, colon, value = typed.partition(":")
    if colon:
        words = (f"{field}:{_as_value(name)}" for name in _matching(_values(field, names), value))
    else:
        words = iter((*_words(typed, about_steps, scalars, text[:start]), *_named(typed, names)))
    unique = tuple(dict.fromkeys(words))[:MOST]
    return Proposals(start, () if unique == (typed,) else unique)


def _words(typed: str, about_steps: bool, scalars: Iterable[str], before: str) -> list[str]:
    """Fields, flags and numbers that begin so."""
    fields = (*STEP_FIELDS, *NODE_FIELDS) if about_steps else NODE_FIELDS
    flags = (*STEP_FLAGS, *_STEP_WORDS) if about_steps else NODE_FLAGS
    numbers = (*(_as_value(name) for name in scalars), *QUANTITIES) if about_steps else QUANTITIES
    steps = () if before.strip() else (f"{STEPS} ",)
    words = (*steps, *(f"{field}:" for field in fields), *flags, *(f"{number} " for number in numbers))
    return [word for word in words if word.lower().lstrip('"').startswith(typed)]


def _named(typed: str, names: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Modules, classes and ops with the word in their names."""
    if len(typed) < LEAST_CHARS:
        return []
    fields = ("module", "class", "op")
    return [f"{field}:{_as_value(name)}" for field in fields for name in _matching(names.get(field, ()), typed)]


def _matching(values: Iterable[str], typed: str) -> list[str]:
    """Those that begin so first, of these the outermost."""
    fitting = [value for value in values if typed in value.lower()]
    return sorted(fitting, key=lambda value: (not value.lower().startswith(typed), value.count(".")))


def _values(field: str, names: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    fixed = {"kind": KINDS, "phase": ("train", "eval"), "level": LEVELS, "event": _EVENTS}
    return names.get(field) or tuple(fixed.get(field, ()))


def _as_value(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def count_text(count: int, place: int, *, is_about_steps: bool) -> str:
    """How much was found, and at which of it the user is; -1 for none of it."""
    if place >= 0:
        return f"{fmt.count(place + 1)} of {fmt.count(count)}"
    return fmt.plural(count, "step") if is_about_steps else f"{fmt.count(count)} found"
