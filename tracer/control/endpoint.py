"""Where a training process can be reached: a socket and a token, in a file that only the user can read."""

import contextlib
import json
import os
import secrets
import socket
import stat
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tracer.errors import ControlError

_LONGEST_BASE = 60
_HAS_UNIX_SOCKETS = hasattr(socket, "AF_UNIX") and sys.platform != "win32"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`address` is the path of a Unix socket, or "host:port" on the loopback interface. `token` is 64 hex digits."""

    address: str
    token: str


def listen() -> tuple[socket.socket, Endpoint, Path]:
    """A listening socket, its endpoint, and the file (mode 0600) that tells of it."""
    folder = _private_folder()
    _sweep(folder)
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    if _HAS_UNIX_SOCKETS:
        address = str(folder / f"{name}.sock")
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(f"{address}~")
        server.listen(64)
        os.rename(f"{address}~", address)  # not before it listens: a sweep would take it for dead
    else:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        address = f"127.0.0.1:{server.getsockname()[1]}"
    endpoint = Endpoint(address, secrets.token_hex(32))
    file = folder / f"{name}.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(asdict(endpoint), stream)
    return server, endpoint, file


def load(file: Path) -> Endpoint:
    """The endpoint that `listen` wrote. Raises ControlError where it is gone, somebody else's, or not one."""
    try:
        if not _is_private_file(file):
            raise ControlError(f"{file} is not a file of your own; the training process is not called.")
        content = json.loads(file.read_text())
        return Endpoint(str(content["address"]), str(content["token"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ControlError("The training process can no longer be reached; it may have ended.") from None


def open_socket(endpoint: Endpoint, timeout_secs: float) -> socket.socket:
    """A connected socket; OSError where nobody listens."""
    if _HAS_UNIX_SOCKETS and endpoint.address.startswith("/"):
        return _open_unix_socket(endpoint.address, timeout_secs)
    host, _, port = endpoint.address.rpartition(":")
    if host != "127.0.0.1" or not port.isdigit():
        raise ControlError(f"{endpoint.address} is not on this machine; only local training can be controlled.")
    client = socket.create_connection((host, int(port)), timeout=timeout_secs)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _open_unix_socket(address: str, timeout_secs: float) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout_secs)
    deadline = time.monotonic() + timeout_secs
    try:
        while True:
            try:
                client.connect(address)
                return client
            except BlockingIOError:  # many connect at once; for Unix sockets a time-out does not cover that
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
    except BaseException:
        client.close()
        raise


def _is_private_file(file: Path) -> bool:
    """A tape from elsewhere may name any path: only a plain file that this user alone can read is opened."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode):
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o077)


def _private_folder() -> Path:
    """A folder of the user's own, mode 0700, with a short path (Unix sockets allow about 100 bytes)."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = runtime if 0 < len(os.fsencode(runtime)) <= _LONGEST_BASE and os.access(runtime, os.W_OK) else None
    owner = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(base or tempfile.gettempdir()) / f"tapescope-{owner}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        status = folder.lstat()
        if status.st_uid != os.getuid() or folder.is_symlink():
            raise ControlError(f"{folder} belongs to somebody else; remove it or set XDG_RUNTIME_DIR.")
        folder.chmod(0o700)
    return folder


def _sweep(folder: Path) -> None:
    """Remove what killed processes left: sockets on which nobody listens any more, and their files."""
    for address in folder.glob("*.sock"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(address))
            except ConnectionRefusedError:
                address.with_suffix(".json").unlink(missing_ok=True)
                address.unlink(missing_ok=True)
