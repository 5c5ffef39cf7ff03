"""What a power cut leaves: what was synced, and of what was written since any part, torn, zeroed or never there.

A test cannot cut the power. It copies a tape and its log while they are written, and does to the copy what a disk may
do to bytes that were not synced: everything up to the last sync must be there, and all there is must be right.
"""

import contextlib
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.store.samples import META, step_record, structure_record
from tracer import Tape
from tracer.store import log_sync
from tracer.store import writer as writing
from tracer.store.new_tape import create
from tracer.store.transactions import transaction
from tracer.store.writer import Writer

SECTOR = 512
GONE = {**META, "pid": str(2**22 - 1), "process_start": "before the cut"}


@dataclass
class Cut:
    """A tape and its log: `synced` as they were at the last sync, after `n_synced` steps; `written` later."""

    n_synced: int
    n_written: int
    synced: tuple[bytes, bytes]
    written: tuple[bytes, bytes]


def files(path: Path) -> tuple[bytes, bytes]:
    return path.read_bytes(), path.with_name(path.name + "-wal").read_bytes()


def files_when_synced(writer: Writer, path: Path, patch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """What was there when the last commit was synced; it is the last sync."""
    snapshots, sync = list[tuple[bytes, bytes]](), os.fsync

    def look(file: int) -> None:
        snapshots.append(files(path))
        sync(file)

    writer._sync.committed()  # whether or not it was synced already
    patch.setattr(os, "fsync", look)
    while not snapshots:
        writer._thread.join(0.001)
    patch.setattr(log_sync, "SYNC_SECS", 3_600.0)
    patch.setattr(os, "fsync", lambda _: None)
    return snapshots[-1]


def append(writer: Writer, first: int, last: int) -> None:
    """A commit each; every third graph is new."""
    for index in range(first, last):
        writer.append(step_record(index, structure_record(40, f"layer{index // 3}"), loss=float(index)))
        assert writer.flush(20)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    path = tmp_path_factory.mktemp("cut") / "a.tape"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_sync, "SYNC_SECS", 0.001)
        writer = Writer(path, GONE)
        append(writer, 0, 80)
        writer._connection.execute("PRAGMA wal_checkpoint")
        append(writer, 80, 90)  # the log begins anew: old frames lie behind the new ones
        synced = files_when_synced(writer, path, patch)
        append(writer, 90, 120)
        written = files(path)
        writer.close("closed")
    assert synced[0] == written[0], "the tape itself changes at checkpoints only"
    assert len(synced[1]) == len(written[1]), "old frames lie behind"
    return Cut(90, 120, synced, written)


def first_change(cut: Cut) -> int:
    before, after = cut.synced[1], cut.written[1]
    return next(at for at in range(len(after)) if before[at : at + 1] != after[at : at + 1])


def shortened(log: bytearray, begin: int, before: bytes, chance: random.Random) -> None:
    del log[chance.randrange(begin, len(log)) :]


def zeroed(log: bytearray, begin: int, before: bytes, chance: random.Random) -> None:
    at = chance.randrange(begin, len(log))
    size = min(chance.choice((SECTOR, 16_384, len(log))), len(log) - at)
    log[at : at + size] = bytes(size)


def flipped(log: bytearray, begin: int, before: bytes, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 20))):
        log[chance.randrange(begin, len(log))] ^= 1 << chance.randrange(8)


def scribbled(log: bytearray, begin: int, before: bytes, chance: random.Random) -> None:
    at = chance.randrange(begin, len(log))
    size = min(chance.choice((24, SECTOR, 20_000)), len(log) - at)
    log[at : at + size] = chance.randbytes(size)


def torn(log: bytearray, begin: int, before: bytes, chance: random.Random) -> None:
    """Some sectors were written and others were not: there the log has what was there before."""
    old = before.ljust(len(log), b"\0")
    for at in range(begin, len(log), SECTOR):
        if chance.random() < 0.3:
            log[at : at + SECTOR] = old[at : at + SECTOR]


def check(folder: Path, tape: bytes, log: bytes, at_least: int, at_most: int) -> int:
    """Right as far as it goes; how many steps that is."""
    path = folder / "cut.tape"
    path.write_bytes(tape)
    path.with_name("cut.tape-wal").write_bytes(log)
    path.with_name("cut.tape-shm").unlink(missing_ok=True)
    with Tape(path) as opened:
        n_steps = len(opened)
        assert at_least <= n_steps <= at_most
        assert opened.state == "abrupt" and opened.gaps == []
        assert opened.series("loss")[1].tolist() == [*range(n_steps)]
        for index in (0, at_least - 1, n_steps - 1):
            assert f"layer{index // 3}.weight" in opened.graph(index)
    return n_steps


@pytest.mark.parametrize("damage", [shortened, zeroed, flipped, scribbled, torn])
@pytest.mark.parametrize("seed", range(4))
def test_what_was_synced_is_there_whatever_became_of_the_rest(
    tmp_path: Path, cut: Cut, seed: int, damage: Callable[[bytearray, int, bytes, random.Random], None]
) -> None:
    chance, begin, ends = random.Random(seed), first_change(cut), set()
    for _ in range(10):
        log = bytearray(cut.written[1])
        damage(log, begin, cut.synced[1], chance)
        ends.add(check(tmp_path, cut.written[0], bytes(log), cut.n_synced, cut.n_written))
    assert min(ends) < cut.n_written


@pytest.mark.parametrize("seed", range(10))
def test_a_cut_in_the_midst_of_a_checkpoint_loses_nothing(tmp_path: Path, seed: int) -> None:
    """The log is synced before and stays until the tape is, of which any sectors may have been written."""
    path, chance = tmp_path / "a.tape", random.Random(seed)
    writer = Writer(path, GONE)
    append(writer, 0, 20)
    before, log = files(path)
    writer._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    after, still = files(path)
    writer.close("closed")
    assert log == still and before != after
    mixed = bytearray(after)
    for at in range(0, len(after), SECTOR):
        if chance.random() < 0.5:
            mixed[at : at + SECTOR] = before[at : at + SECTOR].ljust(SECTOR, b"\0")
    check(tmp_path, bytes(mixed[: chance.choice((len(before), len(after)))]), log, 20, 20)


def test_each_commit_is_synced_within_a_second_and_commits_go_on_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sync, "SYNC_SECS", 0.001)
    path, inodes, slow, may_end = tmp_path / "a.tape", list[int](), threading.Event(), threading.Event()
    sync = os.fsync

    def slow_sync(file: int) -> None:
        inodes.append(os.fstat(file).st_ino)
        sync(file)
        slow.set()
        assert may_end.wait(60)

    writer = Writer(path, GONE)
    monkeypatch.setattr(os, "fsync", slow_sync)
    append(writer, 0, 1)
    assert slow.wait(60)
    append(writer, 1, 20)  # each is committed while the disk still syncs the first
    with Tape(path) as tape:
        assert len(tape) == 20
    assert inodes == [(tmp_path / "a.tape-wal").stat().st_ino]
    may_end.set()
    writer.close("closed")
    assert len(inodes) > 1  # they were synced after it


def test_a_log_that_cannot_be_synced_is_said_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(log_sync, "SYNC_SECS", 0.001)
    monkeypatch.setattr(writing, "LOOK_SECS", 0.001)

    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    writer = Writer(tmp_path / "a.tape", GONE)
    monkeypatch.setattr(os, "fsync", refuse)
    append(writer, 0, 1)
    while not writer._trouble.has_warned:
        writer._thread.join(0.01)
    monkeypatch.undo()
    append(writer, 1, 3)
    writer.close("closed")
    assert capsys.readouterr().err == (
        f"tapescope: {tmp_path}/a.tape cannot be written ([Errno 5] Input/output error); what was recorded may be lost "
        "if the power is cut.\n"
    )
    with Tape(tmp_path / "a.tape") as tape:
        assert (len(tape), tape.state) == (3, "closed")


def test_a_transaction_that_fails_is_undone(tmp_path: Path) -> None:
    with contextlib.closing(create(tmp_path / "a.tape", META)) as connection:
        with pytest.raises(KeyError), transaction(connection):
            connection.execute("DELETE FROM meta")
            raise KeyError
        assert connection.execute("SELECT count(*) FROM meta").fetchone() == (len(META),)
