"""A real training whose disk is full, or refuses to be written, for a while or for good."""

import contextlib
import subprocess
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from tracer import Tape, record
from tracer.capture.recorder import Recorder
from tracer.cli import info
from tracer.store import backlog, trouble

Moments = dict[int, Callable[[], object]]


def system(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of sixteen megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not system("mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)):
        pytest.skip("only root may mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(autouse=True)
def tries_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "RETRY_SECS", 0.01)
    monkeypatch.setattr(trouble, "MOST_RETRY_SECS", 0.02)


def train(moments: Moments, recorder: Recorder | None = None) -> list[torch.Tensor]:
    """120 steps of ever new graphs; before some of them something happens to the disk."""
    torch.manual_seed(0)
    layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(8))
    optimizer = torch.optim.Adam(layers.parameters(), lr=0.01)
    for step in range(120):
        moments.get(step, lambda: None)()
        x = torch.randn(2, 4)
        for turn in range(4):
            x = layers[(step >> turn) % 8](x).tanh()
        loss = x.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if recorder is not None:
            recorder._writer.flush(0.05)
    return [parameter.detach() for parameter in layers.parameters()]


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def recorded(path: Path, moments: Moments) -> list[torch.Tensor]:
    with record(path, level="full") as recorder:
        return train(moments, recorder)


def assert_same(weights: list[torch.Tensor]) -> None:
    assert all(torch.equal(one, other) for one, other in zip(weights, train({}), strict=True))


def test_a_disk_that_was_full_for_a_while_costs_nothing_but_a_line(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small_disk / "a.tape"
    assert_same(recorded(path, {20: lambda: fill(small_disk), 110: (small_disk / "filler").unlink}))
    with Tape(path) as tape:
        assert (tape.state, len(tape), tape.gaps) == ("closed", 120, [])
        assert all(tape.graph(step) and tape.statistics(step) for step in (0, 19, 20, 40, 119))
        (event,) = tape.events("disk")
        assert 20 <= event.data["first"] == event.step <= event.data["last"] <= 112
        assert event.data["text"].startswith("the tape could not be written for ")
        assert event.data["text"].endswith(" s (database or disk is full)")
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"tapescope: {path} cannot be written (database or disk is full); the training goes on, recording waits."
    )
    info.run(Namespace(tape=path, json=False))
    assert f"  disk at step {event.step}: {event.data['text']}\n" in capsys.readouterr().out


def test_what_does_not_fit_into_memory_meanwhile_is_a_gap(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MAX_GRAPHS", 3)
    path = small_disk / "a.tape"
    assert_same(recorded(path, {20: lambda: fill(small_disk), 110: (small_disk / "filler").unlink}))
    with Tape(path) as tape:
        assert (tape.state, len(tape)) == ("closed", 120)  # the steps and their scalars are all there
        assert len(tape.series("loss")[0]) == 120
        lost = {step for first, last, reason in tape.gaps for step in range(first, last + 1) if "graph" in reason}
        assert lost and lost == {step for step in range(120) if not tape.steps[step].topology_id}
        assert min(lost) > 20 and max(lost) < 115


def test_a_disk_that_stays_full_leaves_what_was_recorded_before(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small_disk / "a.tape"
    assert_same(recorded(path, {50: lambda: fill(small_disk)}))
    with Tape(path) as tape:
        assert 50 <= len(tape) < 120
        assert all(tape.graph(step) for step in range(len(tape)))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_tape_that_becomes_read_only_goes_on_when_it_is_no_longer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tape"
    files = str(path), str(path) + "-wal"
    (tmp_path / "try").touch()
    if not system("chattr", "+i", str(tmp_path / "try")):
        pytest.skip("only root may make files immutable here, and not on every file system")
    system("chattr", "-i", str(tmp_path / "try"))
    try:
        weights = recorded(
            path, {20: lambda: system("chattr", "+i", *files), 50: lambda: system("chattr", "-i", *files)}
        )
    finally:
        system("chattr", "-i", *files)
    assert_same(weights)
    with Tape(path) as tape:
        assert (tape.state, len(tape), tape.gaps) == ("closed", 120, [])
        (event,) = tape.events("disk")
        assert 20 <= event.step <= 21
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("; the training goes on, recording waits.")
