"""Scales: colours that can be told apart and read, bounds that hold still."""

import math

import numpy as np
import pyqtgraph as pg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.scales import (
    ENTRIES,
    LEAST_CONTRAST,
    MOST_DECADES,
    Scale,
    alarm_swatch,
    contrast,
    plain,
    ramp,
    steady_scale,
    swatch_on,
)
from gui.theme import DARK, LIGHT, Theme

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
RAMPS = ("viridis", "cividis", "signed", "alarm")

positive = st.floats(1e-12, 1e12)


def rgb(color: str) -> tuple[int, ...]:
    return tuple(int(color[at : at + 2], 16) for at in (1, 3, 5))


def is_round(value: float) -> bool:
    head = value / 10.0 ** math.floor(math.log10(value) + 1e-9)
    return any(math.isclose(head, step, rel_tol=1e-6) for step in (1, 2, 5, 10))


@THEMES
@pytest.mark.parametrize("name", RAMPS)
def test_texts_can_be_read_on_every_colour_of_a_ramp(name: str, theme: Theme) -> None:
    swatches = (*ramp(name, theme), alarm_swatch(theme))
    assert len(swatches) == ENTRIES + 1
    for swatch in swatches:
        assert contrast(swatch.text, swatch.fill) >= LEAST_CONTRAST
        assert contrast(swatch.muted_text, swatch.fill) >= LEAST_CONTRAST


@given(st.tuples(*[st.integers(0, 255)] * 3), st.booleans())
def test_texts_can_be_read_on_any_colour(channels: tuple[int, int, int], is_dark: bool) -> None:
    swatch = swatch_on("#{:02x}{:02x}{:02x}".format(*channels), is_dark)
    assert contrast(swatch.text, swatch.fill) >= LEAST_CONTRAST
    assert contrast(swatch.muted_text, swatch.fill) >= LEAST_CONTRAST


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#3e63dd", "#3e63dd") == 1.0


@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_sequential_ramps_are_the_published_maps(name: str) -> None:
    published = pg.colormap.get(name).getLookupTable(nPts=ENTRIES)
    ours = np.array([rgb(swatch.fill) for swatch in ramp(name, DARK)])
    assert np.abs(ours - published.astype(int)).max() <= 8


@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_more_is_brighter_on_a_dark_canvas_and_darker_on_a_light_one(name: str) -> None:
    dark, light = ramp(name, DARK), ramp(name, LIGHT)
    from_canvas = [contrast(swatch.fill, "#000000") for swatch in dark[::8]]
    assert from_canvas == sorted(from_canvas)
    from_canvas = [contrast(swatch.fill, "#ffffff") for swatch in light[::8]]
    assert from_canvas == sorted(from_canvas)


@THEMES
def test_the_signed_ramp_is_quiet_in_its_middle_and_blue_and_orange_at_its_ends(theme: Theme) -> None:
    swatches = ramp("signed", theme)
    low, middle, high = (rgb(swatches[at].fill) for at in (ENTRIES // 4, ENTRIES // 2, -ENTRIES // 4))
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert max(middle) - min(middle) < 40


@given(st.lists(positive, min_size=1))
def test_a_logarithmic_scale_holds_all_numbers_but_those_far_below_its_top(values: list[float]) -> None:
    numbers = np.array(values)
    scale = steady_scale(numbers, is_log=True)
    assert scale is not None
    assert scale.low < scale.high
    assert scale.high * (1 + 1e-9) >= numbers.max()
    assert scale.low <= max(numbers.min(), scale.high * 10.0**-MOST_DECADES) * (1 + 1e-9)
    assert is_round(scale.high)
    positions = scale.positions(numbers)
    assert ((positions >= 0) & (positions <= 1)).all()
    assert (np.diff(positions[np.argsort(numbers, kind="stable")]) >= 0).all()


@given(positive, st.floats(1.0, 1.2))
def test_bounds_are_no_further_than_the_next_round_number(value: float, more: float) -> None:
    scale = steady_scale(np.array([value, value * more]), is_log=True)
    assert scale is not None
    assert scale.high <= value * more * 2.5 * (1 + 1e-6)
    assert scale.low >= value / 5.0 * (1 - 1e-6)


def test_bounds_hold_still_while_numbers_move_a_little() -> None:
    scales = {steady_scale(np.array([0.0021 * wobble, 0.31 * wobble]), is_log=True) for wobble in (1.0, 1.1, 1.3, 1.5)}
    assert scales == {Scale(0.002, 0.5, True)}


@pytest.mark.parametrize(
    ("values", "kind", "scale"),
    [
        ([3.0, 170.0], {"is_log": True}, Scale(2.0, 200.0, True)),
        ([100.0], {"is_log": True}, Scale(50.0, 100.0, True)),
        ([0.0, 3.0, math.nan, math.inf], {"is_log": True}, Scale(2.0, 5.0, True)),
        ([1000.0, 5000.0], {"is_log": True, "is_binary": True}, Scale(512.0, 8192.0, True, True)),
        ([-0.013, 0.04], {"is_log": False, "is_signed": True}, Scale(-0.05, 0.05)),
        ([0.0], {"is_log": False, "is_signed": True}, Scale(-1.0, 1.0)),
        ([0.3, 0.7], {"is_log": False}, Scale(0.0, 1.0)),
        ([1e-30, 1.0], {"is_log": True}, Scale(1e-8, 1.0, True)),
    ],
)
def test_scales_have_round_bounds(values: list[float], kind: dict[str, bool], scale: Scale) -> None:
    assert steady_scale(np.array(values), **kind) == scale  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf], [0.0, -3.0]])
def test_there_is_no_logarithmic_scale_without_a_positive_number(values: list[float]) -> None:
    assert steady_scale(np.array(values), is_log=True) is None


def test_entries_reach_from_the_first_to_the_last_colour() -> None:
    entries = Scale(1.0, 100.0, True).entries(np.array([0.5, 1.0, 10.0, 100.0, 1e9, math.nan]))
    assert entries.tolist() == [0, 0, ENTRIES // 2, ENTRIES - 1, ENTRIES - 1, 0]


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(1.0, 100.0, True), [(0.0, "1"), (0.5, "10"), (1.0, "100")]),
        (Scale(-0.05, 0.05), [(0.0, "−0.05"), (0.5, "0"), (1.0, "0.05")]),
        (Scale(256.0, 4096.0, True, True), [(0.0, "256"), (0.5, "1,024"), (1.0, "4,096")]),
    ],
)
def test_ticks_stand_at_round_numbers(scale: Scale, ticks: list[tuple[float, str]]) -> None:
    assert [(pytest.approx(tick.position), tick.text) for tick in scale.ticks(plain)] == ticks


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.02, "0.02"), (5e-7, "5e−7"), (-0.5, "−0.5"), (20_000.0, "20,000"), (2e9, "2e9"), (1e-3, "0.001")],
)
def test_numbers_on_a_scale_are_short(value: float, text: str) -> None:
    assert plain(value) == text
