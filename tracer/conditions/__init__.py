"""What a training can be told to stop at, one condition per file.

A file has `TITLE` (as on a menu: "the loss is above"), `FIELDS` (what it asks for; they make the app's form) and
`make(**fields) -> Test`, which gives a test of its own to each breakpoint: see `model.step_facts.Test`. A test is
asked before the optimizer changes the weights, and, where it answers None, again when the step has closed; it runs on
the training thread in microseconds and must not raise.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

from tracer.errors import UsageError
from tracer.model.breakpoints import Breakpoint, Field, Value, from_text, hit_test, to_text
from tracer.model.expression import Expression, Message
from tracer.model.step_facts import Test
from tracer.plugins import load, names

_OPERATOR = re.compile(r"[<>!(%*/+]|==")
"""What an expression has, and a condition with its fields has not before its first field."""


def condition_names() -> list[str]:
    return sorted(names(__name__))


def condition(name: str) -> ModuleType:
    """The file of that name. UsageError for an unknown one."""
    found = names(__name__)
    if name not in found:
        raise UsageError(f"There is no condition {name!r}; choose one of {', '.join(sorted(found))}.")
    return load(found[name])


def fields_of(name: str) -> tuple[Field, ...]:
    """What the condition asks for, in the order of its form."""
    fields: tuple[Field, ...] = condition(name).FIELDS
    return fields


def make_test(breakpoint: Breakpoint) -> Test:
    """A test for this breakpoint, which `checked` has looked at."""
    test: Test = condition(breakpoint.condition).make(**breakpoint.fields)
    return test


def checked(breakpoint: Breakpoint) -> Breakpoint:
    """The same with every field in its own type and defaults filled in. Raises UsageError where something makes no
    sense."""
    fields = {field.name: field for field in fields_of(breakpoint.condition)}
    for name in breakpoint.fields:
        if name not in fields:
            has = f"it has {', '.join(fields)}" if fields else "it has none"
            raise UsageError(f"The condition {breakpoint.condition} has no field {name!r}; {has}.")
    for name, field in fields.items():
        if field.is_example and name not in breakpoint.fields:
            example = to_text(Breakpoint(0, breakpoint.condition, {name: field.default}))
            raise UsageError(f"The condition {breakpoint.condition} needs {name}=…; write, for example, {example}")
    values = {name: field.checked(breakpoint.fields.get(name, field.default)) for name, field in fields.items()}
    hit_test(breakpoint.hit_condition)
    Message(breakpoint.log_message)
    found = replace(breakpoint, fields=values)
    make_test(found)  # an expression is looked at when it is made
    return found


def breakpoint_of(text: str, number: int = 0) -> Breakpoint:
    """A checked breakpoint from its text, see `model.breakpoints`; what begins with no condition's name is taken for an
    expression: `loss > 3`. Raises UsageError."""
    first = text.split(maxsplit=1)[:1]
    if first and first[0] not in names(__name__) and _OPERATOR.search(text):
        return checked(Breakpoint(number, "expression", {"expression": text}))
    return checked(from_text(text, number))


def scalars_of(breakpoint: Breakpoint) -> frozenset[str]:
    """The scalars that its expression and its message name."""
    expression = breakpoint.fields.get("expression")
    named = Expression(str(expression)).names if breakpoint.condition == "expression" else frozenset()
    return named | Message(breakpoint.log_message).names


def sentence(breakpoint: Breakpoint) -> str:
    """What it waits for, in words: "the loss is above 3"."""
    describe = getattr(condition(breakpoint.condition), "describe", None)
    if describe is not None:
        return str(describe(**breakpoint.fields))
    values: Mapping[str, Value] = breakpoint.fields
    shown = ", ".join(_short(value) for value in values.values())
    return f"{condition(breakpoint.condition).TITLE} {shown}".strip()


def _short(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
