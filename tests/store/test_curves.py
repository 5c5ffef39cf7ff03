"""A curve at any zoom is that of its values, in whatever order these came."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.samples import META, Recording, step_record
from tracer import Tape
from tracer.store import schema
from tracer.store.curves import last_of_each_step
from tracer.store.records import ScalarRecord
from tracer.store.writer import Writer

BIN = 4


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "BLOCK_STEPS", 32)
        patch.setattr(schema, "YOUNG_STEPS", 8)
        patch.setattr(schema, "BIN_VALUES", BIN)
        yield


numbers = st.floats(-1e6, 1e6) | st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0])
late = st.lists(st.tuples(st.integers(0, 219), numbers, st.integers(0, 219)), max_size=12)


def write(path: Path, n_steps: int, seed: int, logged_late: list[tuple[int, float, int]]) -> dict[int, float]:
    """A tape with one value for most steps, some of which came again when step `at` had been reached."""
    chance = np.random.default_rng(seed)
    expected: dict[int, float] = {}
    with Recording(path) as recording:
        for index in range(n_steps):
            if chance.random() < 0.1:
                recording.write(step_record(index, None))
            else:
                expected[index] = float(chance.normal())
                recording.write(step_record(index, None, loss=expected[index]))
            for step, number, at in logged_late:
                if at == index and step <= index:
                    recording.write(ScalarRecord(step, "loss", number))
                    expected[step] = number
    return dict(sorted(expected.items()))


def finite(values: list[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 220), st.integers(0, 99), late, st.integers(1, 60), st.data())
def test_bins_have_the_extremes_of_their_values(
    tmp_path: Path, n_steps: int, seed: int, logged_late: list[tuple[int, float, int]], most: int, data: st.DataObject
) -> None:
    expected = write(tmp_path / "a.tape", n_steps, seed, logged_late)
    with Tape(tmp_path / "a.tape") as tape:
        if not expected:
            assert tape.scalars == []
            return
        for _ in range(4):
            first, last = sorted(data.draw(st.tuples(st.integers(-5, 230), st.integers(-5, 230))))
            inside = {step: value for step, value in expected.items() if first <= step <= last}
            bins = tape.envelope("loss", first, last, most)
            assert len(bins.firsts) <= most + 1
            left = dict(inside)
            for at in range(len(bins.firsts)):
                low, high = int(bins.firsts[at]), int(bins.lasts[at])
                assert low in inside and high in inside
                some = finite([left.pop(step) for step in list(left) if low <= step <= high])
                if some:
                    assert (bins.lows[at], bins.highs[at]) == (min(some), max(some))
                    assert min(some) <= bins.means[at] <= max(some)
                else:
                    assert np.isnan([bins.lows[at], bins.highs[at], bins.means[at]]).all()
            assert not left  # each value is in a bin

            steps, values = tape.curve("loss", first, last, most)
            assert len(steps) <= max(most, 2) + 2 and np.all(np.diff(steps) >= 0)
            if len(inside) <= most:
                assert steps.tolist() == list(inside)
                exact = np.array([*inside.values()], np.float64)
                np.testing.assert_array_equal(values, np.where(np.isfinite(exact), exact, np.nan))
            elif finite(list(inside.values())):
                assert set(steps.tolist()) <= set(inside)
                assert np.nanmin(values) == min(finite(list(inside.values())))
                assert np.nanmax(values) == max(finite(list(inside.values())))


def test_bins_keep_their_borders_while_the_range_moves(tmp_path: Path) -> None:
    expected = write(tmp_path / "a.tape", 200, 0, [])
    with Tape(tmp_path / "a.tape") as tape:
        whole = {*tape.envelope("loss", 0, 160, 20).firsts.tolist()}
        for start in range(1, 20):
            moved = tape.envelope("loss", start, 160, 20).firsts.tolist()
            assert set(moved[1:]) <= whole
    assert len(expected) > 150


def test_what_came_late_to_a_chunk_does_not_make_others_be_read(tmp_path: Path) -> None:
    expected = write(tmp_path / "a.tape", 1000, 0, [(500, 7.0, 990)])
    with Tape(tmp_path / "a.tape") as tape:
        reads: list[int] = []
        read = tape._curves._read_chunk
        tape._curves._read_chunk = lambda summary: reads.append(summary.id) or read(summary)  # type: ignore[method-assign,func-returns-value]
        bins = tape.envelope("loss", bins=50)
        assert len(reads) <= 2
        assert bins.highs.max() == 7.0 == expected[500]
        assert tape.step(500).scalars == {"loss": 7.0}
        assert tape.series("loss")[1].tolist() == list(expected.values())


def test_an_empty_range_and_an_unknown_name(tmp_path: Path) -> None:
    write(tmp_path / "a.tape", 100, 0, [])
    with Tape(tmp_path / "a.tape") as tape:
        for first, last in ((1000, 2000), (-9, -1), (60, 50)):
            assert [len(part) for part in tape.curve("loss", first, last)] == [0, 0]
            assert len(tape.envelope("loss", first, last).means) == 0
        for ask in (tape.series, tape.curve, tape.envelope):
            with pytest.raises(KeyError, match="'acc' is not in this tape; it has loss"):
                ask("acc")


def test_a_long_tape_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real sizes: blocks of 2,048 steps, bins of 64 values."""
    for name, size in (("BLOCK_STEPS", 2048), ("YOUNG_STEPS", 256), ("BIN_VALUES", 64)):
        monkeypatch.setattr(schema, name, size)
    n_steps = 10_000
    values = np.random.default_rng(0).normal(size=n_steps)
    writer = Writer(tmp_path / "a.tape", META)
    for index, value in enumerate(values.tolist()):
        writer.append(step_record(index, None, loss=value, lr=0.1))
        assert index % 1000 or writer.flush(60)
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        assert len(tape) == len(tape.table) == n_steps
        assert tape.series("loss")[1].tobytes() == values.tobytes()
        for index in (0, 1, 2047, 2048, 5000, n_steps - 257, n_steps - 1):
            step = tape.step(index)
            assert (step.index, step.started_ns) == (index, 1_000 + index)
            assert step.scalars == {"loss": values[index], "lr": 0.1}
        steps, found = tape.curve("loss", points=200)
        assert len(steps) <= 202 and (found.min(), found.max()) == (values.min(), values.max())


def test_the_last_value_of_a_step_counts() -> None:
    steps, values = last_of_each_step(np.array([3, 1, 3, 2, 1]), np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert steps.tolist() == [1, 2, 3] and values.tolist() == [5.0, 4.0, 3.0]
    assert [len(part) for part in last_of_each_step(np.empty(0, np.int64), np.empty(0))] == [0, 0]
