"""Rows of numbers come back bit for bit, and damaged ones not at all."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.errors import TapeError
from tracer.model.records import Pass
from tracer.model.statistics import Operator, Statistics, Table
from tracer.store import columns, curves, measurements
from tracer.store.encoding import encode_layout
from tracer.store.step_rows import (
    StepRow,
    pack_block,
    pack_ids,
    pack_scalars,
    pack_step,
    unpack_block,
    unpack_scalars,
    unpack_step,
)

any_float = st.floats(allow_nan=True, allow_infinity=True, width=64) | st.floats(width=32)
ints = st.integers(-(2**63), 2**63 - 1)
passes = st.builds(Pass, st.sampled_from(("backward", "forward")), st.none() | any_float, st.integers(1, 9))
step_rows = st.builds(
    StepRow,
    st.just(0),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.sampled_from(("train", "eval", "partial")),
    st.none() | st.text(max_size=5),
    st.integers(0, 2**62),
    st.integers(0, 2**40),
    st.sampled_from(("structure", "full")),
    st.lists(passes, max_size=3).map(tuple),
)


def bits(values: Any) -> list[int]:
    return np.asarray(values, "<f8").view("<i8").tolist()


def same(one: StepRow, other: StepRow) -> bool:
    """As ==, but a loss of NaN equals itself."""
    losses = [[item.loss for item in step.passes] for step in (one, other)]
    kinds = [[(item.kind, item.count) for item in step.passes] for step in (one, other)]
    known = [[loss is None for loss in some] for some in losses]
    numbers = [bits([loss for loss in some if loss is not None]) for some in losses]
    return one[:-1] == other[:-1] and kinds[0] == kinds[1] and known[0] == known[1] and numbers[0] == numbers[1]


@settings(deadline=None)
@given(st.lists(st.one_of(st.lists(ints).map(lambda x: ("i", x)), st.lists(any_float).map(lambda x: ("d", x)))))
def test_columns_come_back_bit_for_bit(given_columns: list[tuple[str, list[Any]]]) -> None:
    arrays = [np.array(values, np.int64 if kind == "i" else np.float64) for kind, values in given_columns]
    header, found = columns.unpack(*columns.pack({"a": [1]}, arrays))
    assert header == {"a": [1]}
    assert [array.tobytes() for array in found] == [array.tobytes() for array in arrays]
    assert [array.dtype for array in found] == [array.dtype for array in arrays]


def test_columns_of_another_kind_are_refused() -> None:
    size, data = columns.pack(None, [np.arange(3), np.array([0.5, 0.1])])
    assert [len(array) for array in columns.unpack(size, data, "id")[1]] == [3, 2]
    for kinds in ("di", "i", "idd", "ii", ""):
        with pytest.raises(TapeError, match="of other kinds than they should be"):
            columns.unpack(size, data, kinds)


def test_what_is_float32_is_kept_as_such() -> None:
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(size=2000), rng.normal(size=2000).astype("f4").astype("f8")
    assert len(columns.pack(None, [narrow])[1]) < 0.55 * len(columns.pack(None, [wide])[1])


def packed(head: Any, body: bytes = b"", size: int | None = None) -> tuple[int, bytes]:
    text = json.dumps(head).encode()
    content = len(text).to_bytes(4, "little") + text + body
    return (len(content) if size is None else size), zlib.compress(content)


@pytest.mark.parametrize(
    "size, data",
    [
        packed([None, []], size=10**9),
        packed([None, []], size=-1),
        packed([None, []], size=3),
        packed([None, [["d", 2]]], bytes(8)),
        packed([None, [["d", 1]]], bytes(16)),
        packed([None, [["d", -1], ["d", 2]]], bytes(8)),
        packed([None, [["q", 1]]], bytes(8)),
        packed([None, [["d", 1e999]]], bytes(8)),
        packed([None]),
        (5, b"no deflate"),
        (4, zlib.compress(bytes(1 << 20))),
    ],
)
def test_columns_that_lie_about_their_length_are_refused(size: int, data: bytes) -> None:
    with pytest.raises((TapeError, ValueError, KeyError, TypeError, OverflowError, zlib.error)):
        columns.unpack(size, data)


@settings(deadline=None)
@given(step_rows, st.dictionaries(st.integers(0, 2**31 - 1), any_float, max_size=12))
def test_a_step_comes_back_with_its_scalars(step: StepRow, scalars: dict[int, float]) -> None:
    found, rest = unpack_step(pack_step(step, pack_scalars(pack_ids(list(scalars)), scalars.values())))
    assert same(found, step)
    numbers = unpack_scalars(rest)
    assert list(numbers) == list(scalars) and bits(list(numbers.values())) == bits(list(scalars.values()))


@settings(deadline=None)
@given(st.lists(step_rows, min_size=1, max_size=30), st.data())
def test_a_block_gives_each_of_its_steps(steps: list[StepRow], data: st.DataObject) -> None:
    indices = data.draw(
        st.lists(st.integers(0, 10**9), min_size=len(steps), max_size=len(steps), unique=True).map(sorted)
    )
    steps = [step._replace(step=index) for step, index in zip(steps, indices, strict=True)]
    block = unpack_block(pack_block(steps))
    assert len(block) == len(steps)
    for at, step in enumerate(steps):
        assert block.place(step.step) == at
        assert same(block.step(at), step)
    assert block.place(10**9 + 1) is None and block.place(-1) is None


@settings(deadline=None)
@given(st.lists(any_float, min_size=1, max_size=300), st.integers(0, 10**6))
def test_a_chunk_comes_back_and_its_summary_has_its_extremes(values: list[float], first: int) -> None:
    steps, numbers = np.arange(len(values)) * 3 + first, np.array(values)
    found = curves.unpack_chunk(curves.pack_chunk(7, 0, steps, numbers))
    assert found[0].tolist() == steps.tolist() and bits(found[1]) == bits(numbers)
    summary = curves.unpack_summary(curves.pack_summary(7, 2, 50, steps, numbers))
    assert (summary.id, summary.scalar, summary.first, summary.n) == (7, 2, 50, len(values))
    assert (summary.low, summary.high) == (steps[0], steps[-1])
    bins = summary.bins()
    for at in range(len(bins.lows)):
        part = numbers[64 * at : 64 * at + 64]
        finite = part[np.isfinite(part)]
        low, high, mean = bins.lows[at], bins.highs[at], bins.means[at]
        if len(finite):
            assert (low, high) == (finite.min(), finite.max())
            assert low <= mean <= high
        else:
            assert np.isnan([low, high, mean]).all()
        assert bins.firsts[at] == steps[64 * at]
        assert bins.lasts[at] == steps[min(64 * at + 63, len(values) - 1)]


def measured(rows: int, numbers: Callable[[int, int], Any]) -> Statistics:
    keys = tuple(f"k{row}" for row in range(rows))
    operators = (Operator("aten.mm.default", "fc#0", "forward", True, ((2, 2),), "float32", "cpu", 16),) * rows
    return Statistics(
        calls=Table(keys, ("a", "b"), numbers(rows, 2)),
        parameters=Table(keys, ("c",), numbers(rows, 1)),
        operators=operators,
        operator_secs=numbers(rows, 1).reshape(-1),
    )


@settings(deadline=None)
@given(st.booleans(), st.integers(0, 4), st.lists(any_float, min_size=16, max_size=16))
def test_measurements_come_back_bit_for_bit(is_deflated: bool, rows: int, values: list[float]) -> None:
    left = iter(values)

    def numbers(n: int, m: int) -> Any:
        return np.array([next(left) for _ in range(n * m)], np.float64).reshape(n, m)

    given_statistics = measured(rows, numbers)
    layout = encode_layout(given_statistics)
    found = measurements.unpack(layout, *measurements.pack(given_statistics, is_deflated=is_deflated))
    for name in ("calls", "parameters", "nodes"):
        one, other = getattr(found, name), getattr(given_statistics, name)
        assert (one.keys, one.columns) == (other.keys, other.columns)
        assert bits(one.values.reshape(-1)) == bits(other.values.reshape(-1))
    assert found.operators == given_statistics.operators
    assert bits(found.operator_secs) == bits(given_statistics.operator_secs)


@pytest.mark.parametrize("cut", [0, 1, 3, 4, -1])
def test_measurements_of_another_length_are_refused(cut: int) -> None:
    statistics = measured(2, lambda n, m: np.full((n, m), 0.5))
    size, data = measurements.pack(statistics, is_deflated=False)
    layout = encode_layout(statistics)
    changed = data[:cut] if cut >= 0 else data + b"\0"
    with pytest.raises((TapeError, ValueError, KeyError)):
        measurements.unpack(layout, size, changed)
