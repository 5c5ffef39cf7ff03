"""How much may wait for a disk that stands still."""

import numpy as np
import pytest

from tests.store.samples import step_record, structure_record
from tracer.model.statistics import Statistics, Table
from tracer.store import backlog
from tracer.store.backlog import Backlog
from tracer.store.records import EventRecord, StatisticsRecord, StepRecord


def measured(step: int, n_nodes: int = 1_000) -> StatisticsRecord:
    table = Table(tuple(map(str, range(n_nodes))), ("a", "b", "c", "d"), np.zeros((n_nodes, 4)))
    return StatisticsRecord(step, Statistics(nodes=table))


def waiting(queue: Backlog) -> list[object]:
    return [record for record, _ in queue._waiting]


def test_measurements_wait_up_to_64_megabytes_and_steps_go_on() -> None:
    queue, graph = Backlog(), structure_record()
    for step in range(3_000):
        queue.append(step_record(step, graph, loss=1.0))
        queue.append(measured(step))
    kept = [record for record in waiting(queue) if isinstance(record, StatisticsRecord)]
    assert sum(record.statistics.nodes.values.nbytes for record in kept) == pytest.approx(64e6, rel=0.01)
    assert sum(isinstance(record, StepRecord) for record in waiting(queue)) == 3_000
    first, *_, last = queue.losses.next(10_000)
    assert first[0] == len(kept) and last[0] == 2_999


def test_graphs_that_are_new_in_every_step_wait_up_to_64_megabytes() -> None:
    queue = Backlog()
    for step in range(1_000):
        queue.append(step_record(step, structure_record(400, f"layer{step}"), loss=1.0))
    graphs = [record.structure for record in waiting(queue) if isinstance(record, StepRecord) and record.structure]
    assert len(waiting(queue)) == 1_000
    assert 100 < len(graphs) < 200
    assert queue.losses.next(1_000)[0] == (len(graphs), "without graph: the disk was slower than the training")


def test_room_comes_back_as_batches_are_written() -> None:
    queue = Backlog()
    for step in range(3_000):
        queue.append(measured(step))
    n_lost = len(queue.losses.next(10_000))
    sizes = []
    while not queue.is_empty:
        queue.fill_batch()
        sizes.append(len(queue.batch))
        queue.batch_written()
    assert max(sizes) * 32_000 == pytest.approx(backlog.BATCH_BYTES, rel=0.01)
    for step in range(1_900):
        queue.append(measured(step))
    assert len(queue.losses.next(10_000)) == n_lost


def test_nothing_grows_for_ever_not_even_events(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in (("MAX_GRAPHS", 10), ("MAX_RECORDS", 20), ("MAX_EVENTS", 30)):
        monkeypatch.setattr(backlog, name, limit)
    queue = Backlog()
    for step in range(1_000):
        queue.append(step_record(step, structure_record(), loss=1.0))
        queue.append(EventRecord("hit", step, 0, {}))
    assert len(waiting(queue)) == 31


def test_what_waited_when_it_was_given_up_is_lost() -> None:
    queue = Backlog()
    for step in range(5):
        queue.append(step_record(step))
    queue.fill_batch()
    queue.append(step_record(5))
    queue.give_up()
    assert queue.is_empty
    assert queue.losses.next(10) == [(step, "the disk was slower than the training") for step in range(6)]


def test_a_stopped_one_keeps_nothing() -> None:
    queue = Backlog()
    queue.append(step_record(0))
    queue.stop()
    queue.append(step_record(1))
    assert queue.is_empty
