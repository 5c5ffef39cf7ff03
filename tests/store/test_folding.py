"""Making blocks of old steps happens beside the recording: what it fails of costs nothing."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.samples import META, step_record, structure_record
from tracer import Tape
from tracer.store import appender, folding, schema
from tracer.store.damage import DamageError
from tracer.store.writer import Writer

N_STEPS = 100


@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError("disk is full"), MemoryError(), DamageError("a row in it"), ValueError("odd")],
    ids=repr,
)
def test_a_fold_that_fails_halfway_leaves_the_steps_as_they_were_and_the_next_one_succeeds(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "BLOCK_STEPS", 16)
    monkeypatch.setattr(schema, "YOUNG_STEPS", 4)
    monkeypatch.setattr(appender, "fold", failing(error, n_times=2))
    writer = Writer(tmp_path / "a.tape", META)
    for index in range(N_STEPS):
        writer.append(step_record(index, structure_record(), loss=float(index)))
        assert writer.flush(60)
    writer.close("closed")
    assert capsys.readouterr().err == ""
    connection = sqlite3.connect(tmp_path / "a.tape")
    assert connection.execute("SELECT count(*) FROM block").fetchone()[0] > 0
    connection.close()
    with Tape(tmp_path / "a.tape") as tape:
        assert [step.index for step in tape.steps] == list(range(N_STEPS)) and not tape.gaps
        assert tape.series("loss")[1].tolist() == list(range(N_STEPS))


def failing(error: Exception, n_times: int) -> Callable[[sqlite3.Connection], tuple[int, list[int]]]:
    """`fold`, but the first times it raises once half of it is done."""
    left = [n_times]

    def fold(connection: sqlite3.Connection) -> tuple[int, list[int]]:
        done = folding.fold(connection)
        if left[0]:
            left[0] -= 1
            raise error
        return done

    return fold
