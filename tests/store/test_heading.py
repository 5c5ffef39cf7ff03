"""What is read of a tape before anything else: the same as `Tape` says, without its steps."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.samples import META, step_record, write_tape
from tracer import Tape
from tracer.errors import TapeError
from tracer.store.heading import read_heading
from tracer.store.liveness import process_start
from tracer.store.writer import Writer


@pytest.mark.parametrize(
    ("start", "state"), [(process_start(os.getpid()), "live"), ("another", "abrupt")], ids=["live", "abrupt"]
)
def test_a_heading_says_what_the_tape_says(tmp_path: Path, start: str, state: str) -> None:
    writer = Writer(tmp_path / "run.tape", META | {"pid": str(os.getpid()), "process_start": start})
    writer.append(step_record(0))
    assert writer.flush()
    heading = read_heading(writer.path)
    with Tape(writer.path) as tape:
        assert (heading.meta, heading.state) == (tape.meta, tape.state)
    assert heading.state == state
    writer.close("closed")
    assert read_heading(writer.path).state == "closed"


def test_the_heading_of_a_tape_is_read_whatever_its_steps_are(tmp_path: Path) -> None:
    path = write_tape(tmp_path / "run.tape")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE step SET crc = crc + 1")
    assert read_heading(path).meta["command"] == META["command"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("UPDATE meta SET value = 'x' WHERE key = 'command'", "a fact of the run does not match its checksum"),
        ("CREATE TABLE more(a)", "does not have the tables of a tape"),
        ("PRAGMA user_version = 99", "Update Tapescope"),
    ],
)
def test_what_is_no_tape_has_no_heading(tmp_path: Path, change: str, sentence: str) -> None:
    path = write_tape(tmp_path / "run.tape")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)
    with pytest.raises(TapeError, match=sentence):
        read_heading(path)


def test_a_file_that_is_not_there_has_no_heading(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="There is no file"):
        read_heading(tmp_path / "none.tape")
