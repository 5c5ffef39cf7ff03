"""Curves of a million points: what they keep, and what they draw, against doing the same plainly."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gui import extremes
from gui.extremes import Extremes
from gui.runs import Runs
from gui.series import Series

NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
VALUES = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(), st.sampled_from(NOT_FINITE), st.just(0.1)
)
LOGGED = st.lists(st.lists(st.tuples(st.integers(0, 40), VALUES), max_size=12), max_size=8)


def long_series(n: int, seed: int = 1) -> tuple[Series, NDArray[np.float64]]:
    """Spikes, a hole, single infinities; logged in pieces of all sizes."""
    random = np.random.default_rng(seed)
    values = np.cumsum(random.normal(size=n))
    values[random.integers(0, n, n // 50)] *= 100
    values[n // 3 : n // 3 + n // 20] = np.nan
    values[random.integers(0, n, n // 200)] = np.inf
    series, begin = Series(), 0
    while begin < n:
        end = begin + int(random.choice([1, 3, 64, 500, 20_000]))
        series.append(np.arange(begin, min(end, n)), values[begin:end])
        begin = end
    return series, values


def test_series_keeps_all_and_thins_for_the_screen() -> None:
    series = Series()
    steps = np.arange(100_000)
    values = np.sin(steps / 500)
    values[41_234] = 9.0
    series.append(steps, values)
    thin_steps, thin_values = series.thinned(0, 99_999, 500)
    assert len(thin_steps) <= 1000
    assert thin_values.max() == 9.0
    assert np.all(np.diff(thin_steps) >= 0)


def test_series_takes_steps_in_any_order_and_the_later_value() -> None:
    series = Series()
    series.append([0, 2, 2], [1.0, 2.0, 3.0])
    series.append([1, 0], [5.0, 7.0])
    assert series.steps.tolist() == [0, 1, 2]
    assert series.values.tolist() == [7.0, 5.0, 3.0]
    assert series.at(1) == 5.0
    assert series.at(9) is None


def test_series_leaves_holes_where_values_are_infinite() -> None:
    series = Series()
    series.append([0, 1, 2], [1.0, float("inf"), 2.0])
    assert np.isnan(series.thinned(0, 2, 100)[1][1])


@given(LOGGED)
def test_a_series_is_what_a_dict_of_all_that_was_logged_is(pieces: Sequence[Sequence[tuple[int, float]]]) -> None:
    series, known = Series(), dict[int, float]()
    for piece in pieces:
        series.append([step for step, _ in piece], [value for _, value in piece])
        known.update(piece)
    assert series.steps.tolist() == sorted(known)
    np.testing.assert_array_equal(series.values, np.array([known[step] for step in sorted(known)]))
    for step in range(42):
        np.testing.assert_equal(series.at(step), known.get(step))


@settings(max_examples=50, deadline=None)
@given(st.floats(-100, 30_100), st.floats(1, 30_000), st.integers(1, 300), st.integers(0, 3))
def test_each_pixel_shows_the_lowest_and_the_highest_of_its_steps(
    first: float, length: float, width: int, seed: int
) -> None:
    series, values = long_series(30_000, seed)
    steps, last = np.arange(30_000), first + length
    thin_steps, thin_values = series.thinned(first, last, width)
    begin = max(int(np.searchsorted(steps, first)) - 1, 0)
    end = min(int(np.searchsorted(steps, last, side="right")) + 1, len(steps))
    assert len(thin_steps) <= 2 * width + 4
    if end - begin <= 2 * width:
        np.testing.assert_array_equal(thin_steps, steps[begin:end])
        np.testing.assert_array_equal(thin_values, plainly_finite(values[begin:end]))
        return
    edges = np.linspace(first, last, width + 1)
    pixel = np.searchsorted(edges[:-1], steps[begin:end], side="right") + (steps[begin:end] > last)
    for place, number in enumerate(np.unique(pixel).tolist()):
        within = begin + np.flatnonzero(pixel == number)
        assert thin_steps[2 * place : 2 * place + 2].tolist() == [within[0], within[-1]]
        inside = plainly_finite(values[within])
        expected = (np.fmin.reduce(inside), np.fmax.reduce(inside))
        np.testing.assert_array_equal(thin_values[2 * place : 2 * place + 2], expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 20_000), min_size=2, max_size=40, unique=True), st.integers(0, 3))
def test_extremes_are_those_of_the_values_themselves(bounds: list[int], seed: int) -> None:
    series, values = long_series(20_000, seed)
    starts, ends = np.array(sorted(bounds)[:-1]), np.array(sorted(bounds)[1:])
    lowest, highest = series._extremes.within(series.values, starts, ends)
    plain = [plainly_finite(values[start:end]) for start, end in zip(starts, ends, strict=True)]
    np.testing.assert_array_equal(lowest, [np.fmin.reduce(part) for part in plain])
    np.testing.assert_array_equal(highest, [np.fmax.reduce(part) for part in plain])


@pytest.mark.parametrize("step", [0, 63, 64, 9_999, 19_999])
def test_a_value_logged_again_moves_the_extremes(step: int) -> None:
    series, values = long_series(20_000)
    series.append([step], [1e9])
    values[step] = 1e9
    lowest, highest = series._extremes.within(series.values, np.array([0, 10_000]), np.array([10_000, 20_000]))
    plain = plainly_finite(values).reshape(2, -1)
    np.testing.assert_array_equal(lowest, np.fmin.reduce(plain, axis=1))
    np.testing.assert_array_equal(highest, np.fmax.reduce(plain, axis=1))


def test_extremes_of_fewer_values_than_before_forget_the_others() -> None:
    known = Extremes()
    values = np.arange(10_000.0)
    known.update(values, 0)
    known.update(values[:130], 130)
    assert len(known._levels) == 1
    assert known.within(values[:130], np.array([0]), np.array([130])) == ([0.0], [129.0])


def test_far_fewer_values_are_touched_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[int] = []
    finite = extremes.finite
    series = Series()
    series.append(np.arange(1_000_000), np.sin(np.arange(1_000_000)))
    monkeypatch.setattr(extremes, "finite", lambda values: touched.append(values.size) or finite(values))
    series.thinned(0, 999_999, 100)
    assert sum(touched) < 50_000


def test_values_of_single_precision_take_four_bytes_until_one_is_not() -> None:
    series = Series()
    series.append([0, 1, 2], [0.5, float("nan"), float("-inf")])
    assert series.values.dtype == np.float32
    series.append([3], [0.1])
    assert series.values.dtype == np.float64
    assert (series.at(0), series.at(3)) == (0.5, 0.1)


@given(st.sets(st.integers(-50, 50)), st.integers(0, 60), st.lists(st.integers(-120, 120), max_size=20))
def test_runs_keep_any_steps(steps: set[int], cut: int, halves: list[int]) -> None:
    known, runs = np.array(sorted(steps), np.int64), Runs()
    for piece in np.array_split(known, 3):
        runs.append(piece)
    assert runs.between(0, len(runs)).tolist() == known.tolist()
    places = np.array(halves) / 2
    assert runs.before(places).tolist() == np.searchsorted(known, places).tolist()
    cut = min(cut, len(known))
    runs.cut(cut)
    runs.append(np.array([60, 61, 63]))
    assert runs.between(0, len(runs)).tolist() == [*known[:cut].tolist(), 60, 61, 63]


def plainly_finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan)
