"""A reader that looks now and then has in the end what one has that opens the tape then, whatever was folded."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.samples import Recording, step_record, structure_record
from tracer import Batch, Tape
from tracer.model.step_table import NONE, StepTable
from tracer.store import schema
from tracer.store.records import EventRecord, Record, ScalarRecord

values = st.floats() | st.sampled_from([float("nan"), float("inf"), -0.0, 0.0, 1.0])
scalars = st.dictionaries(st.sampled_from(["loss", "lr", "acc"]), values, max_size=3)
steps = st.tuples(st.just("step"), scalars, st.integers(0, 2))  # which graph
actions = st.lists(
    steps
    | steps
    | steps
    | st.tuples(st.just("lost"), st.none(), st.none())
    | st.tuples(st.just("again"), scalars, st.none())
    | st.tuples(st.just("late"), scalars, st.integers(0, 30))  # how many steps ago
    | st.tuples(st.just("event"), st.none(), st.none())
    | st.tuples(st.just("refresh"), st.none(), st.none())
    | st.tuples(st.just("commit"), st.none(), st.none()),
    max_size=80,
)
GRAPHS = structure_record(2), structure_record(3), None


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "BLOCK_STEPS", 4)
        patch.setattr(schema, "YOUNG_STEPS", 2)
        patch.setattr(schema, "BIN_VALUES", 2)
        yield


class Known:
    """What the batches of a reader add up to."""

    def __init__(self) -> None:
        self.steps: list[tuple[object, ...]] = []
        self.events: list[int] = []
        self.scalars: dict[str, dict[int, int]] = {}

    def add(self, batch: Batch) -> None:
        self.steps += rows(batch.steps)
        self.events += [event.id for event in batch.events]
        for name, (steps, numbers) in batch.scalars.items():
            assert len(steps) == len(numbers) > 0
            self.scalars.setdefault(name, {}).update(by_step(steps, numbers))


def rows(table: StepTable) -> list[tuple[object, ...]]:
    columns = [table.column(name).tolist() for name in ("steps", "structures", "evaluations")]
    texts = [table.texts(name) for name in table.NAMED]
    return list(zip(*columns, *texts, table.durations.tolist(), strict=True))


def by_step(steps: np.ndarray, numbers: np.ndarray) -> dict[int, int]:
    """The bits of each value, so that NaN equals itself and -0.0 not 0.0."""
    return dict(zip(steps.tolist(), np.asarray(numbers, np.float64).view(np.int64).tolist(), strict=True))


def bits(number: float) -> int:
    return int(np.float64(number).view(np.int64))


def check(tape: Tape, known: Known, written: dict[str, dict[int, int]]) -> None:
    assert set(tape.scalars) == set(written)
    for name, expected in written.items():
        steps, numbers = tape.series(name)
        assert np.all(np.diff(steps) > 0)
        assert by_step(steps, numbers) == expected == known.scalars[name]
        every = tape.curve(name, points=10_000)
        assert every[0].tolist() == sorted(expected)
        np.testing.assert_array_equal(every[1], np.where(np.isfinite(numbers), numbers, np.nan))
    assert rows(tape.table) == known.steps
    for index, *_ in known.steps:
        found = {name: bits(value) for name, value in tape.step(index).scalars.items()}
        assert found == {name: some[index] for name, some in written.items() if index in some}
    topologies = tape.table.column("topologies")
    firsts = [number for number in dict.fromkeys(topologies.tolist()) if number != NONE]
    assert firsts == sorted(firsts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_batches_add_up_to_what_is_on_the_tape(tmp_path: Path, actions: list[tuple[str, object, object]]) -> None:
    written: dict[str, dict[int, int]] = {}
    waiting: list[Record] = []
    index, last = 0, -1
    with Recording(tmp_path / "a.tape") as recording, Tape(tmp_path / "a.tape") as tape:
        known = Known()

        def commit() -> None:
            recording.write(*waiting)
            waiting.clear()

        def log(step: int, given: dict[str, float]) -> None:
            for name, value in given.items():
                written.setdefault(name, {})[step] = bits(value)

        for kind, given, number in actions:
            if kind == "step":
                waiting.append(step_record(index, GRAPHS[number], **given))
                log(index, given)
                last, index = index, index + 1
            elif kind == "lost":
                index += 1
            elif kind == "again" and last >= 0:
                waiting.append(step_record(last, GRAPHS[0], **given))
                log(last, given)
            elif kind == "late":
                step = max(0, index - 1 - number)
                for name, value in given.items():
                    waiting.append(ScalarRecord(step, name, value))
                if step <= last:  # else the step is still to be written
                    log(step, given)
                else:
                    del waiting[len(waiting) - len(given) :]
            elif kind == "event":
                waiting.append(EventRecord("note", index, 1, {}))
            elif kind == "commit":
                commit()
            elif kind == "refresh":
                commit()
                known.add(tape.refresh())
                assert not tape.refresh()
        commit()
        known.add(tape.refresh())
        n_steps = len({step for step, *_ in known.steps})
        assert n_steps == len(known.steps) and len(known.events) == len(tape.events())
        with Tape(tmp_path / "a.tape") as other:
            whole = Known()
            whole.add(other.refresh())
            check(other, whole, written)
            assert [row[0] for row in whole.steps] == [row[0] for row in known.steps]
        # a step that was written again may be another to who comes later
        known.steps = rows(tape.table)
        check(tape, known, written)
    with Tape(tmp_path / "a.tape") as closed:
        check(closed, whole, written)


def test_a_reader_that_never_asked_for_scalars_is_not_told_of_old_ones(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.tape") as recording, Tape(tmp_path / "a.tape") as tape:
        recording.write(*(step_record(index, None, loss=float(index)) for index in range(20)))
        batch = tape.refresh(with_scalars=False)
        assert len(batch.steps) == 20 and not batch.scalars
        recording.write(step_record(20, None, loss=20.0))
        assert {name: by_step(*some) for name, some in tape.refresh().scalars.items()} == {"loss": {20: bits(20.0)}}
        assert len(tape.series("loss")[0]) == 21


def test_what_a_reader_sees_stays_until_it_looks_again(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.tape") as recording:
        recording.write(*(step_record(index, GRAPHS[0], loss=float(index)) for index in range(7)))
        with Tape(tmp_path / "a.tape") as tape:
            recording.write(*(step_record(index, GRAPHS[1], loss=float(index)) for index in range(7, 40)))
            assert len(tape) == len(tape.table) == len(tape.series("loss")[0]) == 7
            assert [step.scalars["loss"] for step in tape.steps] == [float(index) for index in range(7)]
            assert len(tape.graph(6)) == 4
            with pytest.raises(IndexError):
                tape.step(7)
            assert len(tape.refresh().steps) == len(tape) == 40


def test_a_step_that_comes_again_is_read_as_it_is_by_now(tmp_path: Path) -> None:
    with Recording(tmp_path / "a.tape") as recording, Tape(tmp_path / "a.tape") as tape:
        recording.write(step_record(0, None, loss=1.0))
        assert len(tape.refresh().steps) == 1
        recording.write(step_record(0, GRAPHS[0], acc=0.5))
        batch = tape.refresh()
        assert not batch.steps and list(batch.scalars) == ["acc"]
        step = tape.step(0)
        assert step.topology_id and step.scalars == {"loss": 1.0, "acc": 0.5} and step.passes[0].loss == 0.5
