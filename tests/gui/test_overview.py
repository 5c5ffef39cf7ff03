"""What an overview shows of a scene, and how a drag in it moves the view."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.canvas.camera import fitted
from gui.canvas.overview import LEAST_SCREENS, THIN_PX, overview

ROOM = (48.0, 112.0)
_length = st.floats(10.0, 200_000.0)
_start = st.floats(-1_000.0, 200_000.0)
_seen = st.floats(20.0, 5_000.0)


def test_what_fits_is_shown_whole_and_in_the_middle() -> None:
    shown = overview((400.0, 800.0), (0.0, 0.0, 300.0, 200.0), ROOM)
    assert shown.camera == fitted((0.0, 0.0, 400.0, 800.0), ROOM, margin_px=0.0)
    assert shown.per_px == pytest.approx((1 / shown.camera.scale,) * 2)


def test_a_long_thin_graph_is_no_hairline() -> None:
    shown = overview((430.0, 90_000.0), (-100.0, 0.0, 900.0, 500.0), ROOM)
    assert 430.0 * shown.camera.scale >= THIN_PX - 1e-9


def test_zoomed_out_it_shows_more_than_the_view() -> None:
    shown = overview((430.0, 90_000.0), (-100.0, 0.0, 20_000.0, 10_000.0), ROOM)
    assert ROOM[1] / shown.camera.scale == pytest.approx(LEAST_SCREENS * 10_000.0)


def test_at_the_ends_of_the_graph_it_shows_its_ends() -> None:
    length, seen = 90_000.0, 500.0
    for start in (0.0, -40.0):
        assert overview((430.0, length), (0.0, start, 400.0, seen), ROOM).camera.y == pytest.approx(0.0)
        assert overview((length, 430.0), (start, 0.0, seen, 400.0), ROOM).camera.x == pytest.approx(0.0)
    low = overview((430.0, length), (0.0, length - seen, 400.0, seen), ROOM).camera
    assert low.y + ROOM[1] / low.scale == pytest.approx(length)


@given(_length, _length, _start, _start, _seen, _seen)
def test_the_view_is_within_what_is_shown_as_far_as_it_is_within_the_graph(
    width: float, height: float, x: float, y: float, across: float, down: float
) -> None:
    camera = overview((width, height), (x, y, across, down), ROOM).camera
    first, seen, length, shown = (
        (camera.y, down, height, ROOM[1] / camera.scale)
        if height >= width
        else (camera.x, across, width, ROOM[0] / camera.scale)
    )
    start = min(max(y if height >= width else x, 0.0), max(length - seen, 0.0))
    assert first <= start + 1e-6 * length
    assert min(start + seen, length) <= first + shown + 1e-6 * length


def test_a_drag_keeps_the_frame_under_the_mouse_and_leads_from_end_to_end() -> None:
    size, seen = (430.0, 90_000.0), 500.0
    before = overview(size, (0.0, 10_000.0, 400.0, seen), ROOM)
    moved = 10_000.0 + 20 * before.per_px[1]
    after = overview(size, (0.0, moved, 400.0, seen), ROOM)
    tops = before.camera.to_view(0.0, 10_000.0)[1], after.camera.to_view(0.0, moved)[1]
    assert tops[1] - tops[0] == pytest.approx(20.0)
    room_left = ROOM[1] - seen * before.camera.scale
    assert room_left * before.per_px[1] == pytest.approx(size[1] - seen)
