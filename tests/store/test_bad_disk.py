"""A disk that is full or slow, a process that is killed: the training never notices, the tape says what is missing."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.samples import META, step_record, structure_record
from tracer import Tape, TapeError
from tracer.store import backlog, trouble
from tracer.store import writer as writing
from tracer.store.records import EventRecord, ScalarRecord
from tracer.store.writer import Writer

ROOT = Path(__file__).resolve().parents[2]


def fill(writer: Writer, until: Callable[[], bool]) -> int:
    """Append steps of ever new graphs until it is so; how many. Each one must be quick and silent."""
    index = 0
    while not until():
        writer.append(step_record(index, structure_record(50, f"layer{index}"), loss=float(index)))
        assert writer.flush(timeout_secs=0.05) or index < 5_000
        index += 1
    return index


def test_recording_waits_for_a_full_disk_and_then_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "RETRY_SECS", 0.01)
    writer = Writer(tmp_path / "a.tape", META)
    writer._connection.execute("PRAGMA max_page_count=24")
    n_steps = fill(writer, until=lambda: writer._trouble.has_warned)
    with Tape(tmp_path / "a.tape") as tape:
        before = len(tape)
        assert before < n_steps
    writer._connection.execute("PRAGMA max_page_count=100000")
    assert writer.flush()
    writer.append(step_record(n_steps, None, loss=-1.0))
    writer.close("closed")

    with Tape(tmp_path / "a.tape") as tape:
        assert [step.scalars["loss"] for step in tape.steps] == [*map(float, range(n_steps)), -1.0]
        assert tape.gaps == []
        assert len(tape.graph(n_steps - 1)) == 52
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tapescope: {tmp_path}/a.tape cannot be written (database or disk is full); the training")


def test_a_disk_that_stays_full_leaves_a_tape_that_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "RETRY_SECS", 0.01)
    writer = Writer(tmp_path / "a.tape", META)
    writer._connection.execute("PRAGMA max_page_count=24")
    n_steps = fill(writer, until=lambda: writer._trouble.has_warned)
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        missing = [step for first, last, _ in tape.gaps for step in range(first, last + 1)]
        if tape.state == "closed":  # there was room for the gaps
            assert [*range(len(tape)), *missing] == list(range(n_steps))
        else:
            assert tape.state == "abrupt"


def test_a_limit_on_file_size_ends_the_recording_but_not_the_program(tmp_path: Path) -> None:
    code = """
import os, resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from tests.store.samples import META, step_record, structure_record
from tracer.store.writer import Writer
writer = Writer(Path(sys.argv[1]), META)
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(sys.argv[1]) + 60_000, resource.RLIM_INFINITY))
for index in range(150):
    writer.append(step_record(index, structure_record(200, f"layer{index}"), loss=1.0))
    writer._trouble.has_warned or writer.flush(0.05)
writer.close("closed")
print("trained")
"""
    tape = tmp_path / "a.tape"
    done = subprocess.run([sys.executable, "-c", code, tape], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith(f"tapescope: {tape} cannot be written")
    with Tape(tape) as opened:
        assert 0 < len(opened) <= 150
        assert opened.graph(0)


def test_behind_a_slow_disk_graphs_go_first_then_steps_but_never_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MAX_GRAPHS", 10)
    monkeypatch.setattr(backlog, "MAX_RECORDS", 30)
    monkeypatch.setattr(backlog, "BATCH_RECORDS", 1)
    writer = Writer(tmp_path / "a.tape", META)
    writer._connection.execute("PRAGMA max_page_count=1")  # stands still
    writer.append(EventRecord("first", 0, 0, {"much": "x" * 300_000}))
    while not writer._trouble.is_on:
        writer.flush(0.05)
    graph = structure_record()
    for index in range(60):
        writer.append(step_record(index, graph, loss=float(index)))
    writer.append(EventRecord("last", 60, 0, {}))
    writer.append(ScalarRecord(3, "late", 1.0))
    writer._connection.execute("PRAGMA max_page_count=100000")
    writer.flush()
    writer.close("closed")

    with Tape(tmp_path / "a.tape") as tape:
        n_graphs = sum(bool(step.topology_id) for step in tape.steps[:20])
        n_steps = len(tape)
        assert 0 < n_graphs < n_steps < 60
        assert [step.scalars["loss"] for step in tape.steps] == [float(index) for index in range(n_steps)]
        assert tape.gaps == [
            (n_graphs, n_steps - 1, "without graph: the disk was slower than the training"),
            (n_steps, 59, "the disk was slower than the training"),
        ]
        first, disk, last = tape.events()
        assert (first.kind, disk.kind, last.kind) == ("first", "disk", "last")
        assert (disk.data["first"], disk.data["last"]) == (0, 59)
        assert tape.scalars == ["loss"]
        with pytest.raises(
            TapeError, match=rf"^The graph of step {n_graphs} was not recorded \(without graph: the disk"
        ):
            tape.graph(n_graphs)


KILLED = """
import os, sys
from pathlib import Path
from tests.store.samples import META, step_record, structure_record
from tracer.store.liveness import process_start
from tracer.store.writer import Writer
meta = {**META, "pid": str(os.getpid()), "process_start": process_start(os.getpid())}
writer, graph, index = Writer(Path(sys.argv[1]), meta), structure_record(), 0
print("ready", flush=True)
while sys.stdin.readline():  # a step each, paced by the test
    writer.append(step_record(index, graph, loss=float(index)))
    print(index, flush=True)
    index += 1
"""


def test_a_killed_training_leaves_an_abrupt_tape_with_all_but_the_last_moment(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdin and trainer.stdout
        assert trainer.stdout.readline() == "ready\n"
        with Tape(path) as tape:
            assert tape.state == "live"
            for _ in range(200):
                trainer.stdin.write("\n")
            trainer.stdin.flush()
            follower = tape.follow()
            committed = [next(follower) for _ in range(200)]
            trainer.stdin.write("\n")
            trainer.stdin.flush()
            for _ in range(201):
                trainer.stdout.readline()
            os.kill(trainer.pid, signal.SIGKILL)
            trainer.wait()
            assert tape.state == "abrupt"
            assert all(step.index in (200,) for step in follower)  # ends by itself
    with Tape(path) as tape:
        assert tape.state == "abrupt"
        assert len(tape) in (200, 201)
        assert [step.scalars["loss"] for step in tape.steps[:200]] == [float(step.index) for step in committed]
        assert len(tape.graph(199)) == 4


def test_a_folder_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        TapeError, match=r"^Cannot create the tape .*/a\.tape: .*\. Choose a place that can be written\.$"
    ):
        Writer(tmp_path / "none" / "a.tape", META)


def test_a_file_that_another_program_locks_holds_nobody_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "RETRY_SECS", 0.01)
    writer = Writer(tmp_path / "a.tape", META)
    writer._connection.execute("PRAGMA busy_timeout=10")
    writer.append(step_record(0, None, loss=0.0))
    assert writer.flush()
    with contextlib.closing(sqlite3.connect(tmp_path / "a.tape", isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        writer.append(step_record(1, None, loss=1.0))
        assert not writer.flush(0.1)
        writer.close("closed")
        locking.execute("ROLLBACK")
    with Tape(tmp_path / "a.tape") as tape:
        assert tape.series("loss")[1].tolist() == [0]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("a.tape cannot be written (database is locked); the training goes on, recording waits.")


def test_a_disk_that_does_not_answer_is_left_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CLOSE_SECS", 0.05)
    monkeypatch.setattr(writing, "_GRACE_SECS", 0.05)
    answers = threading.Event()
    writer = Writer(tmp_path / "a.tape", META)
    writer.append(step_record(0, None, loss=0.0))
    assert writer.flush()
    writer._connection.set_progress_handler(lambda: 0 if answers.wait() else 1, 1)
    for index in range(1, 10):
        writer.append(step_record(index, None, loss=float(index)))
    writer.close("closed")
    assert capsys.readouterr().err == (
        f"tapescope: {tmp_path}/a.tape cannot be written (the disk does not answer); what was recorded last may be "
        "missing.\n"
    )
    with Tape(tmp_path / "a.tape") as tape:
        assert len(tape) == 1
    answers.set()  # and so it did, in the end
    writer._thread.join()
    with Tape(tmp_path / "a.tape") as tape:
        assert tape.state == "closed"
        missing = [step for first, last, _ in tape.gaps for step in range(first, last + 1)]
        assert [*range(len(tape)), *missing] == [*range(10)]


def test_a_program_ends_although_its_disk_does_not_answer(tmp_path: Path) -> None:
    code = """
import sys, threading
from pathlib import Path
from tests.store.samples import META, step_record
from tracer.store import writer as writing
writing.CLOSE_SECS = writing._GRACE_SECS = 0.1
writer = writing.Writer(Path(sys.argv[1]), META)
writer.append(step_record(0, None, loss=0.0))
assert writer.flush()
writer._connection.set_progress_handler(lambda: threading.Event().wait(), 1)
writer.append(step_record(1, None, loss=1.0))
writer.close("closed")
"""
    tape = tmp_path / "a.tape"
    done = subprocess.run([sys.executable, "-c", code, tape], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr.count("\n") == 1, done.stderr
    with Tape(tape) as opened:
        assert len(opened) == 1
