"""A long tape reaches the session in pieces, and nothing of it is lost or told twice."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QObject, Slot
from pytestqt.qtbot import QtBot

from gui import follower as following
from gui import portions as portioning
from gui.follower import Follower
from gui.session import Session
from tests.gui.test_app import SOON_MSECS
from tests.store.samples import META, step_record, structure_record
from tracer import Batch, Tape
from tracer.store.liveness import process_start
from tracer.store.records import EventRecord, ScalarRecord
from tracer.store.writer import Writer

GRAPHS = structure_record(2), structure_record(3)


class Taker(QObject):
    """Gives a session what a follower reads, as the workbench does."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.session = Session()
        self.session.open(path, follows_live=False)
        self.batches: list[Batch] = []
        self.follower = Follower(path, self)
        self.follower.exception_found.connect(self.session.expect_exception)
        self.follower.batch_read.connect(self.take)
        self.follower.start()

    @Slot(object)
    def take(self, batch: Batch) -> None:
        if batch:
            self.batches.append(batch)
        self.session.append(batch)
        self.follower.took_batch()


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Of a tape that this process, alive, writes; a few steps are many."""
    monkeypatch.setattr(following, "SHORT_STEPS", 20)
    monkeypatch.setattr(portioning, "MOST_VALUES", 100)
    monkeypatch.setattr(portioning, "MOST_EVENTS", 10)
    own = {"pid": str(os.getpid()), "process_start": process_start(os.getpid())}
    writer = Writer(tmp_path / "run.tape", META | own)
    yield writer
    writer.close("closed")


def write(writer: Writer, steps: range) -> None:
    for step in steps:
        some = {"rare": step / 3} if step % 7 == 0 else {}
        writer.append(step_record(step, GRAPHS[step // 50 % 2], lr=0.1, loss=1 / (step + 1), **some))
    assert writer.flush()


def test_a_long_tape_comes_in_pieces_and_goes_on_growing(qtbot: QtBot, writer: Writer) -> None:
    write(writer, range(3_000))
    taker = Taker(writer.path)
    session = taker.session
    qtbot.waitUntil(lambda: len(session.series.get("rare", ())) == 429, timeout=SOON_MSECS)
    assert len(taker.batches[0].steps) == 3_000 and not taker.batches[0].scalars
    assert list(session.series) == ["loss", "lr", "rare"]
    assert max(len(values) for batch in taker.batches for _, values in batch.scalars.values()) == 100
    writer.append(ScalarRecord(2_999, "loss", 5.0))
    write(writer, range(3_000, 6_000))
    qtbot.waitUntil(lambda: sum(map(len, session.series.values())) == 2 * 6_000 + 858, timeout=SOON_MSECS)
    taker.follower.finish()
    with Tape(writer.path) as tape:
        for name in tape.scalars:
            steps, values = tape.series(name)
            np.testing.assert_array_equal(session.series[name].steps, steps)
            np.testing.assert_array_equal(session.series[name].values, values)
        assert session.series["loss"].at(2_999) == 5.0
        assert session.timeline.structures.tolist() == tape.table.column("topologies").tolist()


def test_of_a_tape_that_ends_in_an_exception_the_last_step_is_shown_first(qtbot: QtBot, writer: Writer) -> None:
    write(writer, range(100))
    for number in range(25):
        writer.append(EventRecord("evaluated", number, 0, {}))
    writer.append(EventRecord("exception", 99, 0, {"type": "ValueError", "message": "no"}))
    assert writer.flush()
    taker = Taker(writer.path)
    shown: list[int] = []
    taker.session.step_changed.connect(shown.append)
    qtbot.waitUntil(lambda: taker.session.exception is not None, timeout=SOON_MSECS)
    taker.follower.finish()
    assert shown == [99]
