"""The training side of the control socket: one thread that checks tokens and passes commands on."""

import hmac
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tracer.control.endpoint import listen
from tracer.control.protocol import Lines, decode, encode
from tracer.control.requests import request
from tracer.control.run_control import RunControl
from tracer.errors import UsageError

_MAX_CLIENTS = 32
_RECEIVE_BYTES = 1 << 14
_NO_SOCKET_SECS = 0.2


@dataclass(eq=False, slots=True)
class _Client:
    socket: socket.socket
    lines: Lines = field(default_factory=Lines)
    is_trusted: bool = False


class ControlServer:
    """Listens from construction to `close`. `file` tells clients of this user how to connect."""

    def __init__(self, control: RunControl) -> None:
        self._control = control
        self._listener, endpoint, self.file = listen()
        self._token = endpoint.token
        self._address = endpoint.address
        self._clients: set[_Client] = set()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="tapescope-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and remove the endpoint's files."""
        self._wake_write.send(b"x")
        self._thread.join()
        for client in list(self._clients):
            self._drop(client)
        for opened in (self._listener, self._wake_read, self._wake_write):
            opened.close()
        self._selector.close()
        self.file.unlink(missing_ok=True)
        if self._address.startswith("/"):
            Path(self._address).unlink(missing_ok=True)

    def _run(self) -> None:
        while True:
            ready = [key for key, _ in self._selector.select()]
            for key in sorted(ready, key=self._comes_last):
                handle: Callable[[], None] | None = key.data
                if handle is None:
                    return
                handle()

    def _comes_last(self, key: selectors.SelectorKey) -> bool:
        """Whoever left makes room for who comes."""
        return key.fileobj is self._listener

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # the process has no file descriptor left, for instance: not a reason to spin
            time.sleep(_NO_SOCKET_SECS)
            return
        if len(self._clients) >= _MAX_CLIENTS:
            connection.close()
            return
        connection.settimeout(0.5)
        client = _Client(connection)
        self._clients.add(client)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._receive(client))

    def _receive(self, client: _Client) -> None:
        try:
            data = client.socket.recv(_RECEIVE_BYTES)
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        for line in client.lines.feed(data):
            if client in self._clients:
                self._answer(client, line)
        if client.lines.overflowed:
            self._drop(client)

    def _answer(self, client: _Client, line: bytes) -> None:
        message = decode(line)
        if not client.is_trusted:
            token = message.get("token") if message else None
            if not isinstance(token, str) or not hmac.compare_digest(
                token.encode(errors="replace"), self._token.encode()
            ):
                self._drop(client)
                return
            client.is_trusted = True
            self._control.attach()
            self._send(client, {"ok": True})
            return
        number = message.get("id") if message else None
        number = number if type(number) is int else None
        try:
            request(message or {})(self._control)
        except UsageError as error:
            self._send(client, {"id": number, "ok": False, "error": str(error)})
            return
        self._send(client, {"id": number, "ok": True})

    def _send(self, client: _Client, message: dict[str, object]) -> None:
        try:
            client.socket.sendall(encode(message))
        except OSError:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if client not in self._clients:
            return
        self._clients.discard(client)
        self._selector.unregister(client.socket)
        client.socket.close()
        if client.is_trusted:
            self._control.detach()
