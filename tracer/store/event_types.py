"""What an event holds, but for what is not of the types that readers look into: whoever wrote the tape, an event is
told as far as it goes."""

from collections.abc import Callable
from typing import Any


def of_its_types(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """The same dictionary where nothing is odd."""
    checks = _CHECKS | _CHECKS_OF.get(kind, {})
    odd = [name for name, value in data.items() if name in checks and not checks[name](value)]
    return {name: value for name, value in data.items() if name not in odd} if odd else data


def _is_object(value: Any) -> bool:
    """A place in a file has a name and a line, where it has them."""
    return value is None or (
        isinstance(value, dict)
        and isinstance(value.get("file"), str | None)
        and isinstance(value.get("line"), int | None)
    )


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(item, kind) for item in value)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("made_at", "output", "source"), _is_object),
    **dict.fromkeys(("breakpoints", "frames", "groups", "inputs", "optimizers"), _is_list_of(dict)),
    **dict.fromkeys(("modules", "parameters"), _is_list_of(str)),
    **dict.fromkeys(("call", "node", "parameter"), lambda value: isinstance(value, str | None)),
    "step": lambda value: isinstance(value, int),
    "kind": lambda value: isinstance(value, str),
}
# What a name stands for in events of one kind alone.
_CHECKS_OF: dict[str, dict[str, Callable[[Any], bool]]] = {"stopped": {"breakpoints": _is_list_of(int)}}
