"""A step against another: which is meant, what each box is then, and in which order one walks through what differs."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.canvas.camera import Camera
from gui.canvas.emphasis import changes_only
from gui.canvas.linked_cameras import same_middle
from gui.canvas.rows import rect_of
from gui.canvas.scene import Scene, scene_for
from gui.canvas.states import MARKS, State
from gui.colorings import DEFAULT, colorings
from gui.comparison import compared_step, scene_before
from gui.differences import differing_keys, neighbour, verdict
from gui.docks.changes import change_blocks
from gui.drafter import Drafter
from gui.drawing import Drawing, DrawingOptions, Question
from gui.names import Names
from gui.theme import LIGHT
from tests.gui.conftest import record
from tracer import Tape

ROUTED = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.experts = nn.ModuleList([nn.Linear(4, 4), nn.Bilinear(4, 4, 4), nn.Linear(4, 4, bias=False)])
        self.shared = nn.Parameter(torch.ones(4))

    def forward(self, x, step):
        x = self.stem(x)
        if step == 1:
            x = self.experts[0](x)
        if step == 2:
            x = self.experts[1](x, x) * self.shared
        if step >= 3:
            x = self.experts[2](x).relu()
        return (x * self.shared).sum()

torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(6):
    if step == 4:
        with torch.no_grad():
            model(torch.randn(2, 4), 0)
    optimizer.zero_grad()
    model(torch.randn(2, 4), step).backward()
    optimizer.step()
"""
STEPS = range(6)


@pytest.fixture(scope="module")
def routed_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Steps 0 to 3 have graphs of their own; 4 and 5 that of 3, and 4 has an evaluation before it."""
    return record(tmp_path_factory.mktemp("tapes"), "routed", ROUTED)


@pytest.fixture(scope="module")
def drawings(routed_tape: Path) -> dict[tuple[int, int], Drawing]:
    """Each step against each, every module open, side by side."""
    with Tape(routed_tape) as tape:
        drafter = Drafter(tape, lambda: False)
        calls = frozenset(call["key"] for step in STEPS for call in tape.graph(step).graph["module_calls"])
        options = DrawingOptions(open_calls=calls, side_by_side=True)
        pairs = itertools.product(STEPS, STEPS)
        return {(step, before): drafter.draw(Question(step, before, options, LIGHT)) for step, before in pairs}


def left_of(drawing: Drawing) -> Scene:
    assert drawing.compared is not None and drawing.compared.scene is not None
    return drawing.compared.scene


@pytest.mark.parametrize(
    ("step", "pinned", "shown", "follows_live", "expected"),
    [
        (7, None, None, False, 6),
        (0, None, None, False, -1),
        (7, None, (3, 1), False, 3),
        (7, None, (7, 3), False, 3),
        (7, None, (3, 1), True, 6),
        (7, 2, (3, 1), False, 2),
        (7, 2, None, True, 2),
        (2, 2, (3, 1), False, 2),
    ],
)
def test_a_step_is_compared_with_the_pinned_one_or_the_one_before_on_screen_or_in_time(
    step: int, pinned: int | None, shown: tuple[int, int] | None, follows_live: bool, expected: int
) -> None:
    assert compared_step(step, pinned, shown, follows_live) == expected


def test_both_steps_stand_in_the_same_layout(drawings: dict[tuple[int, int], Drawing]) -> None:
    for drawing in drawings.values():
        assert left_of(drawing).layout is drawing.scene.layout


def test_the_left_step_has_just_the_boxes_that_it_has_alone(drawings: dict[tuple[int, int], Drawing]) -> None:
    for (_, before), drawing in drawings.items():
        alone = drawings[before, before].scene
        is_there = dict(zip((box.key for box in alone.layout.view.boxes), alone.states != State.GHOST, strict=True))
        left = left_of(drawing)
        for box, state in zip(left.layout.view.boxes, left.states, strict=True):
            assert (state != State.GHOST) == is_there.get(box.key, False), (drawing.question, box.key)


def test_what_the_right_lacks_is_removed_from_the_left_and_what_it_adds_is_not_there_yet(
    drawings: dict[tuple[int, int], Drawing],
) -> None:
    for drawing in drawings.values():
        left, right = left_of(drawing).states, drawing.scene.states
        assert np.array_equal(left == State.REMOVED, right == State.REMOVED)
        assert np.array_equal(left == State.CHANGED, right == State.CHANGED)
        assert (left[right == State.ADDED] == State.GHOST).all()
        assert not (left == State.ADDED).any()


def test_the_other_way_round_added_and_removed_change_places(drawings: dict[tuple[int, int], Drawing]) -> None:
    def keys(drawing: Drawing, state: State) -> set[str]:
        boxes = drawing.scene.layout.view.boxes
        return {box.key for box, of_box in zip(boxes, drawing.scene.states, strict=True) if of_box == state}

    for (step, before), drawing in drawings.items():
        assert keys(drawing, State.ADDED) == keys(drawings[before, step], State.REMOVED)


def test_a_parameter_is_removed_when_its_last_use_is(drawings: dict[tuple[int, int], Drawing]) -> None:
    boxes = [box for box in drawings[0, 2].scene.layout.view.boxes if box.members == ("shared",)]
    for (step, before), drawing in drawings.items():
        states = dict(zip((box.key for box in drawing.scene.boxes), drawing.scene.states, strict=True))
        of_shared = {states[box.key] for box in boxes if box.key in states}
        assert not of_shared & {State.ADDED, State.REMOVED}, (step, before)
        assert State.PRESENT in of_shared


def test_a_step_against_itself_has_no_difference_and_says_so(drawings: dict[tuple[int, int], Drawing]) -> None:
    for step in STEPS:
        drawing = drawings[step, step]
        assert drawing.diff is None and differing_keys(drawing.scene) == ()
        assert verdict(drawing) == "This is the step to compare with:"


def test_the_verdict_tells_calls_beside_the_graph_from_the_graph(drawings: dict[tuple[int, int], Drawing]) -> None:
    assert verdict(drawings[5, 3]) == "Same graph as step"
    assert verdict(drawings[4, 3]) == "Same graph, 2 forward-only calls more than step"
    assert verdict(drawings[5, 4]) == "Same graph, 2 forward-only calls fewer than step"
    assert verdict(drawings[2, 1]) == "against step"


def test_what_differs_is_told_once_each_from_top_to_bottom(drawings: dict[tuple[int, int], Drawing]) -> None:
    scene = drawings[2, 1].scene
    keys, view = differing_keys(scene), scene.layout.view
    parts = zip((*view.boxes, *view.groups), (*scene.states, *scene.group_states), strict=True)
    assert set(keys) == {part.key for part, state in parts if state in MARKS}
    assert {"experts.0#0", "experts.1#0"} <= set(keys)
    places = [(rect[1], rect[0]) for key in keys if (rect := rect_of(scene.layout, key)) is not None]
    assert len(places) == len(keys) == len(set(keys)) > 3 and places == sorted(places)


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.data())
def test_walking_on_visits_every_difference_and_back_is_the_way_back(keys: list[str], data: st.DataObject) -> None:
    start = data.draw(st.sampled_from(keys))
    visited = list(itertools.accumulate(keys, lambda key, _: neighbour(keys, key, 1), initial=start))
    assert set(visited) == set(keys) and visited[-1] == start
    assert neighbour(keys, neighbour(keys, start, 1), -1) == start


def test_the_walk_begins_at_either_end() -> None:
    assert [neighbour("abc", "x", step) for step in (1, -1)] == ["a", "c"]
    assert neighbour((), "x", 1) == ""


def test_with_differences_only_what_is_alike_has_one_faint_colour(drawings: dict[tuple[int, int], Drawing]) -> None:
    scene = drawings[2, 1].scene
    quiet = changes_only(scene, LIGHT)
    is_plain = scene.states == State.PRESENT
    assert len(set(quiet.colors[is_plain].tolist())) == 1
    faint = quiet.swatches[quiet.colors[is_plain][0]]
    assert faint not in scene.swatches
    assert np.array_equal(quiet.colors[~is_plain], scene.colors[~is_plain])
    labels = [entry.label for entry in quiet.legend]
    assert labels[0] == "Unchanged" and labels[1].startswith("Added: ")


def test_the_legend_counts_the_frames_and_boxes_that_one_walks_through(
    drawings: dict[tuple[int, int], Drawing],
) -> None:
    for drawing in drawings.values():
        marked = [entry.label for entry in drawing.scene.legend if entry.mark in MARKS.values()]
        counts = [int(count) for label in marked for count in re.findall(r"(\d+) (?:frame|box)", label)]
        assert sum(counts) == len(differing_keys(drawing.scene))


def test_a_step_without_a_graph_is_not_drawn_beside_and_it_is_said_why(thinned_tape: Path) -> None:
    with Tape(thinned_tape) as tape:
        drawing = Drafter(tape, lambda: False).draw(Question(3, 1, DrawingOptions(side_by_side=True), LIGHT))
    assert drawing.compared is not None and drawing.compared.scene is None
    assert drawing.compared.why == "The graph of step 1 was not recorded."
    assert verdict(drawing) == "No graph to compare with in step"


def test_the_compared_step_is_drawn_only_where_it_is_asked_for(routed_tape: Path) -> None:
    with Tape(routed_tape) as tape:
        assert Drafter(tape, lambda: False).draw(Question(2, 1, DrawingOptions(), LIGHT)).compared is None


def test_a_scene_may_be_made_from_either_end(drawings: dict[tuple[int, int], Drawing]) -> None:
    drawing = drawings[2, 2]
    again = scene_before(drawing.scene, drawing.scene.fit, colorings()[DEFAULT], LIGHT)
    alone = scene_for(drawing.scene.layout, drawing.graph, None, colorings()[DEFAULT], LIGHT)
    assert np.array_equal(again.states, alone.states) and np.array_equal(again.colors, alone.colors)


SIDE = st.integers(1, 4_000)
CAMERAS = st.builds(Camera, st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.01, 8.0))


@given(CAMERAS, st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE))
def test_views_of_different_sizes_share_their_middle_and_zoom(
    camera: Camera, size: tuple[int, int], other: tuple[int, int]
) -> None:
    moved = same_middle(camera, size, other)
    assert moved.scale == camera.scale
    middles = [one.to_scene(of[0] / 2, of[1] / 2) for one, of in ((camera, size), (moved, other))]
    assert middles[0] == pytest.approx(middles[1], abs=1e-6)
    assert same_middle(camera, size, size) == camera


def test_the_list_of_changes_has_forward_only_calls_too(drawings: dict[tuple[int, int], Drawing]) -> None:
    drawing = drawings[4, 3]
    heading, calls = change_blocks(drawing.diff, (3, 4), Names(drawing.graph))
    assert heading.rows[0].texts[0] == "No change" and calls.title == "Forward-only calls added (2)"
    assert {row.key for row in calls.rows} == drawing.diff.calls_added
