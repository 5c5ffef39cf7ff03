"""Long timelines: what they know of each step, and which pixels show any of many, against looking at every step."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from gui import portions as portioning
from gui.docks.span import Span, contains, stretches
from gui.docks.structure_strip import StructureStrip
from gui.foresight import FORESEEN_STRUCTURES, Foresight
from gui.happenings import Happenings
from gui.portions import portions
from gui.theme import LIGHT
from gui.timeline import UNRECORDED, Timeline
from tests.gui.growing_table import GrowingTable, table_of
from tracer import Batch, Event
from tracer.options import LEVELS

ROWS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["", "a", "b", "c"]), st.sampled_from("xy"), st.sampled_from(LEVELS)),
    max_size=30,
)
STEPS = st.sets(st.integers(0, 400)).map(lambda steps: np.array(sorted(steps), np.int64))
SPANS = st.builds(
    Span, st.floats(-5, 300), st.floats(301, 500), st.sampled_from([0.0, 58.0, 12.5]), st.sampled_from([90.0, 1200.0])
)


def test_timeline_tells_structures_and_shapes_apart() -> None:
    timeline = Timeline()
    rows = [("a", "a1"), ("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a1")]
    has_new = timeline.append(GrowingTable().add((number, *row, "structure") for number, row in enumerate(rows)))
    assert has_new
    assert timeline.structures.tolist() == [0, 0, 0, 1, 0]
    assert timeline.changes_between(0, 9).tolist() == [3, 4]
    assert timeline.shape_changes_between(0, 9).tolist() == [2]
    assert timeline.changes_between(4, 9).tolist() == [4]


def test_timeline_grows_past_its_buffer() -> None:
    timeline = Timeline()
    timeline.append(table_of("ab" * 2500))
    assert (len(timeline), timeline.structure_count, timeline.change_count) == (5000, 2, 4999)


@given(ROWS, st.integers(0, 30))
def test_a_timeline_knows_what_each_step_had(rows: Sequence[tuple[int, str, str, str]], cut: int) -> None:
    ends = np.cumsum([gap for gap, *_ in rows]).tolist()
    steps = [(end - 1, *row[1:]) for end, row in zip(ends, rows, strict=True)]
    table, timeline, known = GrowingTable(), Timeline(), list[str]()
    for piece in (steps[:cut], steps[cut:]):
        before = len(known)
        known += [
            name for name in dict.fromkeys(topology for _, topology, *_ in piece if topology) if name not in known
        ]
        assert timeline.append(table.add(piece)) == (len(known) > before)
    structures, changes, shape_changes, last = [UNRECORDED] * (ends[-1] if ends else 0), [], [], None
    for step, topology, shape, _ in steps:
        if topology:
            structures[step] = known.index(topology)
            if last is not None and last != (topology, shape):
                (shape_changes if last[0] == topology else changes).append(step)
            last = topology, shape
    assert timeline.structures.tolist() == structures
    assert [timeline.topology_id(number) for number in range(timeline.structure_count)] == known
    assert timeline.changes_between(-1, 99).tolist() == changes
    assert timeline.shape_changes_between(-1, 99).tolist() == shape_changes
    for step in range(len(structures)):
        assert timeline.next_change(step) == next((each for each in changes if each > step), None)
        earlier = [each for each in changes if each < step]
        assert timeline.previous_change(step) == (earlier[-1] if earlier else 0 if step else None)


@given(st.dictionaries(st.integers(0, 3_000), st.sampled_from(LEVELS), max_size=6), st.integers(0, 3_000))
def test_the_measured_step_closest_to_another_is_found(levels: dict[int, str], step: int) -> None:
    timeline = Timeline()
    timeline.append(GrowingTable().add((index, "a", "a", levels.get(index, LEVELS[0])) for index in range(3_001)))
    for least, level in enumerate(LEVELS[1:], 1):
        measured = sorted(index for index, name in levels.items() if LEVELS.index(name) >= least)
        assert timeline.nearest_measured(step, level) == min(
            measured, key=lambda index: abs(index - step), default=None
        )


@given(SPANS, STEPS)
def test_pixels_with_steps_are_those_that_each_step_for_itself_has(span: Span, steps: np.ndarray) -> None:
    left, right = round(span.left_px), round(span.right_px)
    places = np.asarray(span.px_at(steps - 0.5))
    borders = np.abs(places % 1 - 0.5) < 1e-6  # between two pixels: either will do
    found = left + np.flatnonzero(span.nearest(steps, left, right, shift=-0.5))
    plain = np.unique(np.rint(places[~borders]))
    assert set(plain[(plain >= left) & (plain < right)].tolist()) <= set(found.tolist())
    assert set(found.tolist()) <= {*np.floor(places + 0.5 + 1e-6).tolist(), *np.floor(places + 0.5 - 1e-6).tolist()}


@given(SPANS, STEPS)
def test_a_step_fills_its_room_or_at_least_a_pixel(span: Span, steps: np.ndarray) -> None:
    left, right = round(span.left_px), round(span.right_px)
    filled = span.filled(steps, left, right)
    if span.px_per_step >= 1:
        meant = np.rint(np.asarray(span.step_at(np.arange(left, right) + 0.5)))
        assert filled.tolist() == np.isin(meant, steps).tolist()
    else:
        first, last = float(span.step_at(left)), float(span.step_at(right))
        assert filled.any() == bool(((steps >= first) & (steps < last)).any())


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 4))
def test_stretches_cover_what_is_true_and_gaps_that_are_small(mask: list[bool], gap: int) -> None:
    found = stretches(np.array(mask, bool), gap)
    covered = {place for first, last in found for place in range(first, last + 1)}
    assert {place for place, is_true in enumerate(mask) if is_true} <= covered
    assert all(mask[first] and mask[last] for first, last in found)
    assert all(later[0] - earlier[1] > gap + 1 for earlier, later in pairwise(found))
    if not gap:
        assert len(covered) == sum(mask)


@given(STEPS, st.lists(st.integers(-5, 410), max_size=20))
def test_what_is_contained_is_what_a_set_says(steps: np.ndarray, wanted: list[int]) -> None:
    found = contains(steps, np.array(wanted, np.int64))
    assert found.tolist() == [step in set(steps.tolist()) for step in wanted]


def test_a_hundred_thousand_marks_are_painted_as_a_few_stretches(qtbot: QtBot) -> None:
    strip = StructureStrip(LIGHT)
    qtbot.addWidget(strip)
    strip.resize(1000, strip.sizeHint().height())
    timeline, happenings = Timeline(), Happenings()
    timeline.append(table_of("ab" * 50_000))
    data = {"breakpoint": 1, "text": "step % 2 = 0", "hits": 1, "acted": True}
    happenings.append(Event(step, "hit", step, 0, data) for step in range(0, 100_000, 2))
    strip.set_timeline(timeline)
    strip.set_happenings(happenings)
    strip.set_span(Span(-0.5, 99_999.5, 0, 1000))
    assert len(strip._places(happenings.hits_between(0, 100_000), 9)) == 1
    image = strip.grab().toImage()
    assert {image.pixelColor(x, 1).name() for x in range(2, 998)} == {LIGHT.text}


def test_a_large_batch_comes_in_small_portions_that_make_up_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portioning, "MOST_VALUES", 10)
    monkeypatch.setattr(portioning, "MOST_EVENTS", 4)
    steps = table_of("abcab")
    events = tuple(Event(number, "hit", number, 0, {}) for number in range(9))
    scalars = {name: (np.arange(n), np.arange(n) / 2) for name, n in (("loss", 25), ("lr", 3))}
    pieces = list(portions(Batch(steps, events, scalars)))
    assert [len(piece.steps) for piece in pieces] == [5, *[0] * (len(pieces) - 1)]
    assert sum((piece.events for piece in pieces), ()) == events
    assert max(len(piece.events) for piece in pieces) == 4
    for name, whole in scalars.items():
        parts = [piece.scalars[name] for piece in pieces if name in piece.scalars]
        assert max(len(values) for _, values in parts) <= 10
        for side in (0, 1):
            assert np.concatenate([part[side] for part in parts]).tolist() == whole[side].tolist()


def test_a_small_batch_comes_whole() -> None:
    batch = Batch(table_of("ab"), (Event(1, "hit", 0, 0, {}),), {"loss": (np.arange(2), np.zeros(2))})
    assert list(portions(batch)) == [batch]


def test_structures_are_foreseen_in_order_and_once() -> None:
    foresight, table = Foresight(), GrowingTable()
    names = ["b", "", "a", "b", "c"]
    foresight.note(table.add((index, name, name, "structure") for index, name in enumerate(names)))
    foresight.note(table.add((index, name, name, "structure") for index, name in enumerate("ad", 5)))
    assert [foresight.next(0) for _ in range(5)] == [0, 2, 4, 6, None]


def test_no_more_structures_are_foreseen_than_can_be_laid_out() -> None:
    foresight = Foresight()
    foresight.note(table_of(map(str, range(1_000))))
    seen = iter(lambda: foresight.next(0), None)
    assert list(seen) == list(range(FORESEEN_STRUCTURES))


@pytest.mark.parametrize("pixels", [997, 97])
def test_the_band_mixes_what_shares_a_pixel_and_shows_no_stretches_that_are_not_there(
    qtbot: QtBot, pixels: int
) -> None:
    """Three structures by turns, many steps a pixel, would beat with one look a pixel; then one structure for long."""
    strip = StructureStrip(LIGHT)
    qtbot.addWidget(strip)
    timeline = Timeline()
    timeline.append(table_of("abc" * 20_000 + "a" * 40_000))
    strip.set_timeline(timeline)
    strip.set_span(Span(-0.5, 99_999.5, 0, pixels))
    mixed = strip._mixed(0, pixels)
    pure = np.array([QColor(LIGHT.structure_color(number)).getRgb()[:3] for number in range(3)])
    turn = pixels * 6 // 10
    np.testing.assert_array_equal(mixed[turn + 1 : -1], np.broadcast_to(pure[0], (pixels - turn - 2, 3)))
    mean = pure.mean(axis=0)
    assert np.abs(mixed[1 : turn - 1] - mean).max() < np.abs(pure - mean).max() / 5
