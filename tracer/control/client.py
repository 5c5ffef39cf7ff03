"""The app's side of the control socket; equally for `tapescope continue`, a notebook, a script."""

import contextlib
import os
import socket
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracer.control.endpoint import load, open_socket
from tracer.control.protocol import Lines, decode, encode
from tracer.errors import ControlError
from tracer.model.breakpoints import Breakpoint, to_dict
from tracer.store.heading import read_heading
from tracer.store.run_folder import tape_file

Hyperparameter = float | bool | list[float]

_GONE = "The training process can no longer be reached; it may have ended."


class ControlClient:
    """A connection to one training process. Commands take effect at its next step boundary, and show on the tape."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = Lines()
        self._answers: deque[bytes] = deque()
        self._n_sent = 0

    def pause(self) -> None:
        """Stop at the end of the current step."""
        self._send("pause")

    def next(self) -> None:
        """Run exactly one step, then stop."""
        self._send("next")

    def continue_(self, until: "str | Breakpoint | None" = None) -> None:
        """Run on; `until` is a breakpoint, or the name of a condition without fields, at which to stop again."""
        wanted = to_dict(until) if isinstance(until, Breakpoint) else until
        self._send("continue", **({} if wanted is None else {"until": wanted}))

    def set_breakpoints(self, breakpoints: Sequence[Breakpoint]) -> None:
        """These instead of those there were; ids must differ."""
        self._send("setBreakpoints", breakpoints=[to_dict(each) for each in breakpoints])

    def set_hyperparameter(self, optimizer: str, group: int, name: str, value: Hyperparameter) -> None:
        """Change what a group of an optimizer, by its name on the tape, works with: lr, weight_decay, betas, …"""
        self._send("setHyperparameter", optimizer=optimizer, group=group, name=name, value=value)

    def set_trainable(self, names: Sequence[str], is_trainable: bool) -> None:
        """Freeze or unfreeze parameters, by their names or those of modules they are in."""
        self._send("setTrainable", names=list(names), trainable=is_trainable)

    def terminate(self) -> None:
        """End the script at the end of the current step, as `sys.exit(130)` there would."""
        self._send("terminate")

    def set_level(self, level: str, every: int = 1) -> None:
        """From the next step on record every `every`-th step at `level`: "structure", "statistics" or "full"."""
        self._send("setLevel", level=level, every=every)

    def trace_sources(self) -> None:
        """Note the source lines of the next step, also where they are known."""
        self._send("traceSources")

    def wait_for_answer(self) -> None:
        """Wait (up to the connection's time-out) until the last command is understood. Raises ControlError where it
        is refused."""
        while True:
            answer = self._receive()
            if not answer.get("ok"):
                raise ControlError(str(answer.get("error", "The training process refused the command.")))
            if answer.get("id") == self._n_sent:
                return

    def close(self) -> None:
        self._socket.close()

    def authenticate(self, token: str) -> None:
        """Show the token; comes before any command. Raises ControlError where it is refused."""
        try:
            self._socket.sendall(encode({"token": token}))
        except OSError:
            raise ControlError(_GONE) from None
        if not self._receive().get("ok"):
            raise ControlError(_GONE)

    def _send(self, command: str, **fields: Any) -> None:
        self._drain()
        self._n_sent += 1
        try:
            self._socket.sendall(encode({"id": self._n_sent, "command": command, **fields}))
        except OSError:
            raise ControlError(_GONE) from None

    def _drain(self) -> None:
        """Throw away answers nobody waited for."""
        timeout = self._socket.gettimeout()
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            while data := self._socket.recv(1 << 14):
                self._lines.feed(data)  # keeps the beginning of a line that is still to come
        self._socket.settimeout(timeout)
        self._answers.clear()

    def _receive(self) -> dict[str, Any]:
        try:
            while not self._answers:
                data = self._socket.recv(1 << 14)
                if not data:
                    raise ControlError(_GONE)
                self._answers += self._lines.feed(data)
        except OSError:
            raise ControlError(_GONE) from None
        return decode(self._answers.popleft()) or {}


def connect(tape: str | os.PathLike[str], timeout_secs: float = 2.0) -> ControlClient:
    """A client of the process that writes `tape`, of a run folder the lowest rank's. Raises ControlError where it has
    ended or does not listen, TapeError for no tape."""
    heading = read_heading(tape_file(Path(tape)))
    file = heading.meta.get("control", "")
    if heading.state != "live":
        raise ControlError(f"The training that wrote {tape} has ended.")
    if not file:
        raise ControlError(f"The training that writes {tape} does not listen; it was recorded without control.")
    endpoint = load(Path(file))
    try:
        connection = open_socket(endpoint, timeout_secs)
    except OSError:
        raise ControlError(_GONE) from None
    client = ControlClient(connection)
    try:
        client.authenticate(endpoint.token)
    except ControlError:
        client.close()
        raise
    return client
