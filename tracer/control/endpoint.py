"""Where a training process can be reached: a socket and a token, in a file that only the user can read."""

import json
import os
import secrets
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tracer.errors import ControlError

_HAS_UNIX_SOCKETS = hasattr(socket, "AF_UNIX") and sys.platform != "win32"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`address` is the path of a Unix socket, or "host:port" on the loopback interface. `token` is 64 hex digits."""

    address: str
    token: str


def listen() -> tuple[socket.socket, Endpoint, Path]:
    """A listening socket, its endpoint, and the file (mode 0600) that tells of it."""
    folder = _private_folder()
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    if _HAS_UNIX_SOCKETS:
        address = str(folder / f"{name}.sock")
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(address)
    else:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{server.getsockname()[1]}"
    server.listen(8)
    endpoint = Endpoint(address, secrets.token_hex(32))
    file = folder / f"{name}.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(asdict(endpoint), stream)
    return server, endpoint, file


def load(file: Path) -> Endpoint:
    """The endpoint that `listen` wrote. Raises ControlError where it is gone, somebody else's, or not one."""
    try:
        content = json.loads(file.read_text())
        return Endpoint(str(content["address"]), str(content["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise ControlError("The training process can no longer be reached; it may have ended.") from None


def open_socket(endpoint: Endpoint, timeout_secs: float) -> socket.socket:
    """A connected socket; OSError where nobody listens."""
    if _HAS_UNIX_SOCKETS and endpoint.address.startswith("/"):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(timeout_secs)
        client.connect(endpoint.address)
        return client
    host, _, port = endpoint.address.rpartition(":")
    if host != "127.0.0.1" or not port.isdigit():
        raise ControlError(f"{endpoint.address} is not on this machine; only local training can be controlled.")
    client = socket.create_connection((host, int(port)), timeout=timeout_secs)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _private_folder() -> Path:
    """A folder of the user's own, mode 0700, with a short path (Unix sockets allow about 100 bytes)."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    owner = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(base) / f"tapescope-{owner}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        status = folder.lstat()
        if status.st_uid != os.getuid() or folder.is_symlink():
            raise ControlError(f"{folder} belongs to somebody else; remove it or set XDG_RUNTIME_DIR.")
        folder.chmod(0o700)
    return folder
