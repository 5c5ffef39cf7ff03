"""What a message on the control socket asks for, checked before anything is done."""

from collections.abc import Callable
from typing import Any

from tracer.conditions import checked
from tracer.control.protocol import COMMANDS, STEPPING
from tracer.control.run_control import RunControl
from tracer.errors import UsageError
from tracer.model.breakpoints import MAX_BREAKPOINTS, Breakpoint, from_dict
from tracer.options import Sampling

_MAX_NAMES = 10_000
_LARGEST = 1e300

Request = Callable[[RunControl], None]


def request(message: dict[str, Any]) -> Request:
    """What to do. Raises UsageError where the message is not understood."""
    command = message.get("command")
    if command not in COMMANDS:
        raise UsageError(f"Unknown command; known are {', '.join(COMMANDS)}.")
    if command in STEPPING:
        return _stepping(command, message)
    return _READERS[command](message)


def _stepping(command: str, message: dict[str, Any]) -> Request:
    until = message.get("until")
    if until is None:
        return lambda control: control.obey(command)
    found = checked(Breakpoint(0, until) if isinstance(until, str) else from_dict(until))
    return lambda control: control.obey(command, found)


def _set_breakpoints(message: dict[str, Any]) -> Request:
    given = message.get("breakpoints")
    if not isinstance(given, list) or len(given) > MAX_BREAKPOINTS:
        raise UsageError(f"setBreakpoints wants a list of at most {MAX_BREAKPOINTS} breakpoints.")
    breakpoints = [from_dict(each) for each in given]
    return lambda control: control.set_breakpoints(breakpoints)


def _set_level(message: dict[str, Any]) -> Request:
    sampling = Sampling(message.get("level", ""), message.get("every", 1))
    return lambda control: control.wish(lambda witness: witness.set_level(sampling.level, sampling.every))


def _trace_sources(message: dict[str, Any]) -> Request:
    return lambda control: control.wish(lambda witness: witness.trace_sources())


def _set_hyperparameter(message: dict[str, Any]) -> Request:
    optimizer, group, name, value = (message.get(key) for key in ("optimizer", "group", "name", "value"))
    if not (isinstance(optimizer, str) and type(group) is int and isinstance(name, str) and _is_plain(value)):
        raise UsageError("setHyperparameter wants an optimizer, a group's number, a name, and a number or a list.")
    where = optimizer, group, name
    return lambda control: control.wish(lambda witness: witness.set_hyperparameter(*where, value))


def _set_trainable(message: dict[str, Any]) -> Request:
    names, is_trainable = message.get("names"), message.get("trainable")
    is_list = isinstance(names, list) and 0 < len(names) <= _MAX_NAMES and all(isinstance(name, str) for name in names)
    if not is_list or not isinstance(is_trainable, bool):
        raise UsageError("setTrainable wants a list of names of parameters or modules, and trainable: true or false.")
    chosen: list[str] = list(names or ())
    return lambda control: control.wish(lambda witness: witness.set_trainable(chosen, is_trainable))


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return 0 < len(value) <= 16 and all(map(_is_number, value))
    return _is_number(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and -_LARGEST < value < _LARGEST


_READERS: dict[str, Callable[[dict[str, Any]], Request]] = {
    "setBreakpoints": _set_breakpoints,
    "setLevel": _set_level,
    "traceSources": _trace_sources,
    "setHyperparameter": _set_hyperparameter,
    "setTrainable": _set_trainable,
}
