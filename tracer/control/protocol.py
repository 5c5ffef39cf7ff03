"""What client and training say to each other: JSON lines over a local socket, never longer than 1 MiB.

The client begins with {"token": …}; the training answers {"ok": true} or closes. Then every {"id": n, "command": name}
is answered by {"id": n, "ok": true} or {"id": n, "ok": false, "error": sentence}; an id is a whole number. An answer
says that the command was understood; what it did is told by events on the tape. Commands, and what they say beside:

    pause, next, terminate
    continue            until: a breakpoint, or the name of a condition without fields, at which to stop again
    setBreakpoints      breakpoints: a list, each as `model.breakpoints.to_dict` has it; it replaces the one there was
    setLevel            level, every (see `tracer.options.Sampling`)
    traceSources        asks for the source lines of the next step
    setHyperparameter   optimizer (its name on the tape), group, name, value: a number, a boolean or a list of numbers
    setTrainable        names of parameters or modules, trainable
"""

import json
from typing import Any

STEPPING = ("pause", "next", "continue", "terminate")
COMMANDS = (*STEPPING, "setBreakpoints", "setLevel", "traceSources", "setHyperparameter", "setTrainable")
MAX_LINE_BYTES = 1 << 20  # 256 breakpoints with all their texts


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The message, None where the line is not a JSON object."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


class Lines:
    """Cuts what arrives on a socket into lines. `overflowed` where a line grows past the limit."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    @property
    def overflowed(self) -> bool:
        return len(self._rest) > MAX_LINE_BYTES
