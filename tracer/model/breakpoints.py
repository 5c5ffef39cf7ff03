"""Breakpoints as the Debug Adapter Protocol has them: a condition with its fields, a hit condition, a log message.

As text a breakpoint is the condition's name and its fields, quoted as in a shell:

    loss_above value=3
    module_ran module=layer4.* hit='>= 5' once
    loss_not_finite log='loss is {loss} at step {step}'

Words after the condition are its fields, and `hit=`, `log=`, `once`, `off`, which every breakpoint may have.
"""

import operator
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tracer.errors import UsageError

Value = float | int | str
MAX_BREAKPOINTS = 256
_MAX_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a condition asks for. `kind` is "number" (float), "count" (int from `least` on), "text", "pattern"
    (a glob over module paths, parameters or ops), or "expression" (see `model.expression`); `default` has its type, and
    where `is_example` is what a form may begin with, but no value to be taken without a word."""

    name: str
    title: str
    kind: str
    default: Value
    tip: str = ""
    least: float | None = None
    is_example: bool = False

    def checked(self, value: object) -> Value:
        """The value in the field's own type. Raises UsageError where it makes no sense."""
        if self.kind in ("number", "count"):
            return self._checked_number(value)
        if not isinstance(value, str) or len(value) > _MAX_TEXT:
            raise UsageError(f"{self.title!r} wants a text of at most {_MAX_TEXT} characters.")
        if not value.strip():
            raise UsageError(f"{self.title!r} is empty; give {self.tip or 'a text'}.")
        return value.strip()

    def _checked_number(self, value: object) -> Value:
        kind: type[float] | type[int] = int if self.kind == "count" else float
        try:
            number = kind(value)  # type: ignore[call-overload,arg-type]
        except (TypeError, ValueError, OverflowError):
            wanted = "a whole number" if self.kind == "count" else "a number"
            raise UsageError(f"{self.title!r} wants {wanted}, not {value!r}.") from None
        if number != number or (self.kind == "count" and isinstance(value, float) and number != value):
            raise UsageError(f"{self.title!r} wants {'a whole number' if kind is int else 'a number'}, not {value!r}.")
        if self.least is not None and number < self.least:
            raise UsageError(f"{self.title!r} is {number}; give {self.least:g} or more.")
        return number


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """`condition` names a file of `tracer/conditions/`, `fields` are its fields' values.

    `hit_condition` says at which of its hits it acts: "" at each, "5" or "== 5" at the fifth, ">= 5", "> 5", "% 5" at
    every fifth. With `log_message`, whose {expressions} are filled in, it writes a line instead of stopping. With
    `is_one_shot` it is disabled once it has acted. `id` is the client's; ids of one training's breakpoints differ.
    """

    id: int
    condition: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    is_enabled: bool = True
    hit_condition: str = ""
    log_message: str = ""
    is_one_shot: bool = False


_HIT = re.compile(r"\s*(>=|>|==|=|%|)\s*(\d{1,9})\s*")
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "%": lambda hits, number: hits % number == 0,
}


def hit_test(hit_condition: str) -> Callable[[int], bool]:
    """Whether a breakpoint acts at its n-th hit, n from 1 on. Raises UsageError where the text is no hit condition."""
    if not hit_condition.strip():
        return lambda hits: True
    found = _HIT.fullmatch(hit_condition)
    if found is None or int(found[2]) == 0:
        raise UsageError(f"{hit_condition!r} is no hit condition; write 5, >= 5, > 5 or % 5.")
    compare, number = _COMPARISONS[found[1]], int(found[2])
    return lambda hits: compare(hits, number)


def to_dict(breakpoint: Breakpoint) -> dict[str, Any]:
    """As the socket, the tape and files have it; the names are the Debug Adapter Protocol's where it has one."""
    return {
        "id": breakpoint.id,
        "condition": breakpoint.condition,
        "fields": dict(breakpoint.fields),
        "enabled": breakpoint.is_enabled,
        "hitCondition": breakpoint.hit_condition,
        "logMessage": breakpoint.log_message,
        "oneShot": breakpoint.is_one_shot,
    }


def from_dict(content: object) -> Breakpoint:
    """The reverse. Raises UsageError where it is none; whether there is such a condition is not looked at."""
    if not isinstance(content, Mapping):
        raise UsageError("A breakpoint is an object with a condition.")
    given = {**to_dict(Breakpoint(0, "")), **content}
    number, fields = given["id"], given["fields"]
    texts = given["condition"], given["hitCondition"], given["logMessage"]
    is_well_formed = (
        type(number) is int
        and abs(number) < 1 << 53
        and isinstance(fields, Mapping)
        and all(isinstance(name, str) and isinstance(value, (int, float, str)) for name, value in fields.items())
        and all(isinstance(text, str) and len(text) <= _MAX_TEXT for text in texts)
        and isinstance(given["enabled"], bool)
        and isinstance(given["oneShot"], bool)
    )
    if not is_well_formed:
        raise UsageError("A breakpoint has a condition, fields, id, enabled, hitCondition, logMessage and oneShot.")
    condition, hit_condition, log_message = texts
    return Breakpoint(number, condition, dict(fields), given["enabled"], hit_condition, log_message, given["oneShot"])


def to_text(breakpoint: Breakpoint) -> str:
    """See the top of this file; `from_text` is the reverse, but for the id."""
    words = [breakpoint.condition, *(f"{name}={value}" for name, value in breakpoint.fields.items())]
    words += [f"hit={breakpoint.hit_condition}"] if breakpoint.hit_condition else []
    words += [f"log={breakpoint.log_message}"] if breakpoint.log_message else []
    words += ["once"] if breakpoint.is_one_shot else []
    words += [] if breakpoint.is_enabled else ["off"]
    return shlex.join(words)


def from_text(text: str, number: int) -> Breakpoint:
    """The breakpoint with `number` as its id. Raises UsageError where a word is none of those above."""
    try:
        condition, *words = shlex.split(text)
    except ValueError:
        raise UsageError(
            f"The quotes of the breakpoint {text!r} do not match; write, say, loss_above value=3"
        ) from None
    found = Breakpoint(number, condition)
    fields: dict[str, Value] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals and word == "once":
            found = replace(found, is_one_shot=True)
        elif not equals and word == "off":
            found = replace(found, is_enabled=False)
        elif not equals:
            raise UsageError(f"{word!r} in the breakpoint {text!r} is no field; write name=value, once or off.")
        elif name == "hit":
            found = replace(found, hit_condition=value)
        elif name == "log":
            found = replace(found, log_message=value)
        else:
            fields[name] = value
    return replace(found, fields=fields)
