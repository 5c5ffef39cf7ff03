"""Mean and spread of a window against those of a list."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.model.window import Window

VALUES = st.lists(st.floats(-1e3, 1e3) | st.just(math.nan) | st.just(math.inf), max_size=60)


@given(st.integers(1, 12), VALUES, st.integers(0, 60), st.sampled_from([0.0, 1e6]))
def test_it_follows_a_list_that_grows_and_loses_its_beginning(
    size: int, values: list[float], lost_at: int, offset: float
) -> None:
    window, growing, all_finite = Window(size), [], []
    for at, value in enumerate(values):
        growing.append(value + offset)
        if at == lost_at:
            del growing[: len(growing) // 2]
        window.follow(growing)
        all_finite = [each for each in growing if math.isfinite(each)]
        last = all_finite[-size:]
        if at >= lost_at or len(window) > len(last):
            last = list(window._values)
        assert len(window) <= size
        if last:
            assert window.mean == pytest.approx(statistics.fmean(last), rel=1e-9, abs=1e-6)
            assert window.spread == pytest.approx(statistics.pstdev(last), rel=1e-5, abs=1e-3)


def test_a_small_spread_beside_a_large_mean_is_kept() -> None:
    window, values = Window(50), []
    for at in range(1000):
        values.append(1e8 + (at % 2) * 1e-3)
        window.follow(values)
    assert window.spread == pytest.approx(5e-4, rel=1e-3)
