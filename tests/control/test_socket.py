"""The socket between a client and a training: who may speak, and what nonsense does (nothing)."""

import json
import os
import random
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tracer.control import endpoint as endpoints
from tracer.control.client import ControlClient
from tracer.control.endpoint import load, open_socket
from tracer.control.protocol import MAX_LINE_BYTES
from tracer.control.run_control import RunControl
from tracer.control.server import ControlServer
from tracer.errors import ControlError
from tracer.model.breakpoints import Breakpoint


class Noted(RunControl):
    def __init__(self) -> None:
        super().__init__()
        self.commands: list[str] = []

    def obey(self, command: str, until: Breakpoint | None = None) -> None:
        self.commands.append(command)
        super().obey(command, until)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    runtime = Path("/tmp") / f"ts-{os.getpid()}-{tmp_path.name[-12:]}"  # short, as sockets need it
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    yield runtime / f"tapescope-{os.getuid()}"
    for left in sorted(runtime.rglob("*"), reverse=True):
        left.rmdir() if left.is_dir() else left.unlink()
    runtime.rmdir()


@pytest.fixture
def control() -> Noted:
    return Noted()


@pytest.fixture
def server(control: Noted) -> Iterator[ControlServer]:
    with closing(ControlServer(control)) as server:
        yield server


def connected(server: ControlServer) -> ControlClient:
    endpoint = load(server.file)
    client = ControlClient(open_socket(endpoint, 5))
    client.authenticate(endpoint.token)
    return client


def test_every_command_arrives_and_is_answered(server: ControlServer, control: Noted) -> None:
    with closing(connected(server)) as client:
        for command in (client.pause, client.next, client.continue_, client.terminate):
            command()
            client.wait_for_answer()
        client.pause()  # unanswered ones are no hindrance
        client.next()
        client.continue_()
        client.wait_for_answer()
    assert control.commands == ["pause", "next", "continue", "terminate", "pause", "next", "continue"]


def test_only_the_user_can_read_where_it_listens(server: ControlServer, own_folder: Path) -> None:
    assert stat.S_IMODE(own_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.file.stat().st_mode) == 0o600
    assert server.file.parent == own_folder
    assert len(load(server.file).token) == 64


def test_closing_leaves_no_file(control: Noted, own_folder: Path) -> None:
    ControlServer(control).close()
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize(
    "first", [{"token": "0" * 64}, {"token": None}, {"token": "ü\ud800"}, {"command": "pause"}, {}]
)
def test_a_wrong_token_is_refused(server: ControlServer, control: Noted, first: dict[str, object]) -> None:
    with closing(open_socket(load(server.file), 5)) as stranger:
        stranger.sendall(json.dumps(first).encode() + b"\n" + b'{"id":1,"command":"pause"}\n')
        assert stranger.recv(100) == b""
    assert control.commands == []


def test_an_unknown_command_is_answered_with_an_error(server: ControlServer, control: Noted) -> None:
    client = connected(server)
    deep = b'{"command":"fly","id":' + b"[" * 900 + b"]" * 900 + b"}\n"
    with closing(client):
        for line in (b'{"id":7,"command":"fly"}\n', b"null\n", b"\xff\n", b'{"id":7,"command":["pause"]}\n', deep):
            client._socket.sendall(line)
            answer = client._receive()
            assert answer["ok"] is False and "known are pause, next, continue, terminate" in answer["error"]
            assert answer["id"] in (7, None)
        client._send("fly")
        with pytest.raises(ControlError, match=r"^Unknown command; known are"):
            client.wait_for_answer()
    assert control.commands == []


def nonsense(chance: random.Random, token: str) -> bytes:
    known = json.dumps({"token": token}).encode() + b"\n"
    line = chance.choice(
        [
            chance.randbytes(chance.randrange(1, 3000)),
            chance.randbytes(50) + b"\n" + chance.randbytes(50),
            b"x" * (MAX_LINE_BYTES + 20_000),
            b"[" * 60_000 + b"\n",
            b'{"id":' * 5_000 + b"\n",
            b'{"id":' + b"9" * 50_000 + b',"command":"next"}\n',
            json.dumps({"command": "x" * 60_000, "id": [[]]}).encode() + b"\n",
            b'{"command":"continue","until":[]}\n',
            b'{"command":"continue","until":"../x"}\n',
            b'{"command":{},"until":{}}\n',
            b"\n" * 3000,
            b"\0" * 100 + b"\n",
            '{"command":"\ud800"}\n'.encode("utf-16", "surrogatepass"),
        ]
    )
    return chance.choice([b"", known]) + line


def test_nonsense_never_reaches_the_training(server: ControlServer, control: Noted) -> None:
    endpoint, chance = load(server.file), random.Random(3)
    for _ in range(300):
        stranger = open_socket(endpoint, 5)
        try:
            stranger.sendall(nonsense(chance, endpoint.token))
            if chance.random() < 0.3:
                stranger.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was thrown out while speaking
        stranger.close()
    with closing(connected(server)) as client:
        client.pause()
        client.wait_for_answer()
    assert control.commands == ["pause"]
    assert server._thread.is_alive()


def test_too_many_connections_are_closed_and_room_comes_back(server: ControlServer) -> None:
    endpoint = load(server.file)
    opened = [open_socket(endpoint, 5) for _ in range(40)]
    assert opened[-1].recv(1) == b""
    for stranger in opened:
        stranger.close()
    with closing(connected(server)) as client:
        client.continue_()
        client.wait_for_answer()


def test_only_a_private_file_is_taken_for_an_endpoint(server: ControlServer, tmp_path: Path) -> None:
    public = tmp_path / "public.json"
    public.write_text(server.file.read_text())
    public.chmod(0o644)
    link = tmp_path / "link.json"
    link.symlink_to(server.file)
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe, 0o600)
    for file in (public, link, pipe):
        with pytest.raises(ControlError, match="is not a file of your own"):
            load(file)
    private = tmp_path / "private.json"
    private.touch(0o600)
    for content in ("", "[]", '{"address": 1}', "[" * 100_000):
        private.write_text(content)
        with pytest.raises(ControlError, match="can no longer be reached"):
            load(private)


def test_what_a_killed_training_left_is_swept_by_the_next(control: Noted, own_folder: Path) -> None:
    code = "import os; from tracer.control import endpoint; endpoint.listen(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], timeout=240)
    assert len(list(own_folder.iterdir())) == 2
    first, second = ControlServer(control), ControlServer(control)
    assert {path.stem for path in own_folder.iterdir()} == {first.file.stem, second.file.stem}
    first.close()
    second.close()


def test_a_runtime_folder_that_is_too_long_or_missing_is_passed_over(
    control: Noted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_folder: Path
) -> None:
    monkeypatch.setattr(endpoints.tempfile, "gettempdir", lambda: str(own_folder.parent))
    for folder in (tmp_path / ("x" * 100), tmp_path / "none"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        if len(folder.name) > 50:
            folder.mkdir()
        server = ControlServer(control)
        assert server.file.parent == own_folder
        server.close()
