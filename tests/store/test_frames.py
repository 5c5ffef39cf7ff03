"""A tape as a pandas data frame, checked against the steps read one by one."""

import contextlib
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.store.samples import META, step_record, structure_record, write_rich_tape
from tracer import Tape, UsageError
from tracer.store import schema
from tracer.store.records import ScalarRecord
from tracer.store.writer import Writer


@pytest.fixture
def tape_path(tmp_path: Path) -> Path:
    """Steps with and without a graph, one missing, scalars that come, go, come late, and have the name of a fact."""
    writer = Writer(tmp_path / "run.tape", META)
    for index in range(6):
        if index != 2:
            scalars = {"loss": 1 / (index + 1)} | ({"phase": 7.0} if index == 4 else {})
            writer.append(step_record(index, None if index == 3 else structure_record(2 + index % 2), **scalars))
    writer.append(ScalarRecord(1, "accuracy", 0.5))
    writer.append(ScalarRecord(2, "accuracy", 0.25))  # of a step that is not there
    writer.close("closed")
    return tmp_path / "run.tape"


def test_a_frame_says_what_the_steps_say(tape_path: Path) -> None:
    with Tape(tape_path) as tape:
        frame, steps = tape.to_pandas(), list(tape)
    assert frame.index.name == "step" and frame.index.tolist() == [0, 1, 3, 4, 5] == [step.index for step in steps]
    for step, (_, row) in zip(steps, frame.iterrows(), strict=True):
        assert (row["phase"], row["level"]) == (step.phase, step.level)
        for name in ("optimizer", "topology_id", "shape_id"):
            assert (None if pandas.isna(row[name]) else row[name]) == (getattr(step, name) or None)
        assert row["duration_secs"] == step.duration_secs
        assert row["started"].value == step.started_ns and str(row["started"].tz) == "UTC"
        for column, name in (("loss", "loss"), ("accuracy", "accuracy"), ("phase (scalar)", "phase")):
            np.testing.assert_equal(row[column], step.scalars.get(name, np.nan))


def test_old_steps_stand_in_the_frame_as_new_ones_do(tmp_path: Path) -> None:
    writer, graphs = Writer(tmp_path / "run.tape", META), [structure_record(2), structure_record(3)]
    n_steps = 2 * schema.BLOCK_STEPS + schema.YOUNG_STEPS
    for index in range(n_steps):
        writer.append(replace(step_record(index, graphs[index % 2], loss=index / 7), started_ns=index * 1_000))
        if index % 1_000 == 0:
            assert writer.flush(30)
    writer.close("closed")
    with contextlib.closing(sqlite3.connect(tmp_path / "run.tape")) as file:
        assert file.execute("SELECT count(*) FROM block").fetchone()[0] >= 1
    with Tape(tmp_path / "run.tape") as tape:
        frame, steps = tape.to_pandas(), list(tape)
        assert frame.index.tolist() == [step.index for step in steps] == list(range(n_steps))
        assert tape.started_ns.tolist() == [step.started_ns for step in steps]
        assert frame["topology_id"].tolist() == [step.topology_id for step in steps]
        assert frame["loss"].tolist() == [step.scalars["loss"] for step in steps]


def test_a_frame_can_be_changed_without_changing_the_tape(tape_path: Path) -> None:
    with Tape(tape_path) as tape:
        frame = tape.to_pandas()
        frame["duration_secs"] = frame["loss"] = -1.0
        assert tape.to_pandas()["loss"].tolist() == tape.series("loss")[1].tolist()
        assert (tape.table.durations >= 0).all()


def test_frames_of_tapes_without_steps_and_with_all_there_can_be(tmp_path: Path) -> None:
    Writer(tmp_path / "empty.tape", META).close("closed")
    with Tape(tmp_path / "empty.tape") as tape:
        assert tape.to_pandas().shape == (0, 7) and list(tape) == []
    with Tape(write_rich_tape(tmp_path / "rich.tape")) as tape:
        assert tape.to_pandas()["level"].tolist() == ["structure", "structure", "statistics"]


def test_without_pandas_a_sentence_says_what_to_do(tape_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with Tape(tape_path) as tape, pytest.raises(UsageError) as caught:
        tape.to_pandas()
    assert str(caught.value) == "to_pandas needs pandas, which is not installed; `pip install pandas` installs it."
