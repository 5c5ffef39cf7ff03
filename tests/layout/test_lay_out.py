from itertools import pairwise

import numpy as np
import pytest

from tests.layout.checks import crosses
from tests.model.graph_maker import everything, perceptron, unrolled
from tracer.layout import Cancelled, Layout, LayoutCache, lay_out, shift_between
from tracer.model.union import Union
from tracer.model.view import Box, Group, Link, View
from tracer.model.view_builder import ViewOptions, build_view


def flat_view(count: int, edges: list[tuple[int, int]]) -> View:
    boxes = tuple(Box(str(index), "op", f"op {index}", "", None, (str(index),)) for index in range(count))
    return View(boxes, (), tuple(Link(str(source), str(target), 1) for source, target in edges))


def expanded(turns: int) -> View:
    graph = unrolled(turns)
    return build_view(graph, ViewOptions(everything(graph)))


def moves(before: Layout, after: Layout) -> np.ndarray:
    """How far surviving boxes moved sideways, apart from a shift of the whole scene."""
    rows = {box.key: index for index, box in enumerate(before.view.boxes)}
    pairs = [(rows[box.key], index) for index, box in enumerate(after.view.boxes) if box.key in rows]
    centres = [layout.boxes[:, 0] + layout.boxes[:, 2] / 2 for layout in (before, after)]
    shift, _ = shift_between(before, after)
    return np.array([abs(centres[1][new] - centres[0][old] - shift) for old, new in pairs])


def test_an_empty_view_has_an_empty_layout() -> None:
    layout = lay_out(View((), (), ()))
    assert layout.boxes.shape == layout.groups.shape == (0, 4)
    assert layout.points.shape == (0, 2)
    assert layout.starts.tolist() == [0]
    assert layout.size == (0.0, 0.0)


def test_a_chain_is_a_straight_line() -> None:
    layout = lay_out(flat_view(5, [(index, index + 1) for index in range(4)]))
    assert np.ptp(layout.boxes[:, 0] + layout.boxes[:, 2] / 2) == 0
    assert len(layout.points) == 2 * 4


def test_data_runs_straight_through_a_layer_and_its_parameters_stand_right_above() -> None:
    graph = perceptron()
    layout = lay_out(build_view(graph, ViewOptions(everything(graph))))
    rows = {box.key: row for box, row in zip(layout.view.boxes, layout.boxes.tolist(), strict=True)}
    spine = [rows[f"fc{number}#0/AddmmBackward0:0"] for number in range(3)]
    assert np.ptp([x + width / 2 for x, _, width, _ in spine]) < 1
    for number in range(3):
        assert 0 < spine[number][1] - rows[f"fc{number}.weight"][1] < 100


def test_a_long_edge_goes_around_what_lies_between() -> None:
    layout = lay_out(flat_view(4, [(0, 1), (1, 2), (2, 3), (0, 3)]))
    line = layout.points[layout.starts[3] : layout.starts[4]]
    assert not any(crosses(line, box) for box in layout.boxes)
    assert crosses(np.array([line[0], line[-1]]), layout.boxes[1])  # the straight way would not


def test_parts_without_an_edge_between_them_stand_side_by_side() -> None:
    layout = lay_out(flat_view(4, [(0, 1), (2, 3)]))
    assert layout.boxes[:2, 0].max() + layout.boxes[0, 2] < layout.boxes[2:, 0].min()
    assert layout.boxes[0, 1] == layout.boxes[2, 1]


def test_edges_of_a_cycle_are_all_drawn_and_one_runs_upwards() -> None:
    layout = lay_out(flat_view(4, [(0, 1), (1, 2), (2, 0), (2, 3)]))
    upwards = [source for source in range(3) if layout.boxes[source, 1] > layout.boxes[(source + 1) % 3, 1]]
    assert len(upwards) == 1
    assert len(layout.starts) == 5


def test_frames_side_by_side_rather_than_each_in_a_layer_of_its_own() -> None:
    """Branches that a chain of additions gathers, as the experts of a mixture do."""
    frames = tuple(Group(f"f{number}", "expert", None) for number in range(4))
    boxes = [Box("in", "op", "in", "", None, ())]
    links = []
    for number in range(4):
        names = [f"{number}{letter}" for letter in "abc"]
        boxes += [Box(name, "op", name, "", f"f{number}", ()) for name in names]
        boxes.append(Box(f"sum{number}", "op", "Add", "", None, ()))
        links += [Link("in", names[0], 1), Link(names[0], names[1], 1), Link(names[1], names[2], 1)]
        links.append(Link(names[2], f"sum{number}", 1))
        if number:
            links.append(Link(f"sum{number - 1}", f"sum{number}", 1))
    layout = lay_out(View(tuple(boxes), frames, tuple(links)))
    assert np.ptp(layout.groups[:, 1]) == 0


def test_experts_stand_abreast_though_an_op_leads_to_each() -> None:
    """As above, each fed by an index of its own, whose place is open."""
    frames = tuple(Group(f"f{number}", "expert", None) for number in range(4))
    boxes = [Box("in", "op", "in", "", None, ()), Box("out", "op", "out", "", None, ())]
    links = []
    for number in range(4):
        names = [f"{number}{letter}" for letter in "abc"]
        boxes += [Box(name, "op", name, "", f"f{number}", ()) for name in names]
        boxes += [Box(name, "op", name, "", None, ()) for name in (f"index{number}", f"sum{number}")]
        ways = ("in", f"index{number}"), (f"index{number}", names[0]), (names[0], names[1]), (names[1], names[2])
        links += [Link(*ends, 1) for ends in (*ways, (names[2], f"sum{number}"))]
        links.append(Link(f"sum{number}", f"sum{number + 1}" if number < 3 else "out", 1))
    layout = lay_out(View(tuple(boxes), frames, tuple(links)))
    assert np.ptp(layout.groups[:, 1]) == 0


def test_the_main_way_runs_straight_past_a_residual_connection() -> None:
    frames = (Group("block", "block", None),)
    inside = tuple(Box(name, "op", name, "", "block", ()) for name in ("conv1", "norm", "relu", "conv2", "add"))
    boxes = (Box("in", "op", "in", "", None, ()), *inside, Box("out", "op", "out", "", None, ()))
    ways = [(first.key, second.key) for first, second in pairwise(boxes)]
    layout = lay_out(View(boxes, frames, tuple(Link(*ends, 1) for ends in [*ways, ("in", "add")])))
    assert np.ptp(layout.boxes[:, 0] + layout.boxes[:, 2] / 2) < 0.5
    skip = layout.points[layout.starts[-2] :, 0]
    assert abs(skip[0] - skip[-1]) < 0.5
    assert abs(skip[0] - skip[len(skip) // 2]) > 30


def test_the_data_runs_straight_into_a_layer_whose_weight_is_transposed_first() -> None:
    frames = (Group("fc", "fc", None),)
    kinds = {"weight": "parameter", "bias": "parameter", "t": "op", "addmm": "op"}
    boxes = (
        Box("in", "op", "in", "", None, ()),
        *(Box(name, kind, name, "", "fc", ()) for name, kind in kinds.items()),
        Box("out", "op", "out", "", None, ()),
    )
    ways = ("weight", "t"), ("t", "addmm"), ("bias", "addmm"), ("in", "addmm"), ("addmm", "out")
    layout = lay_out(View(boxes, frames, tuple(Link(*ends, 1) for ends in ways)))
    centres = dict(zip([box.key for box in boxes], layout.boxes[:, 0] + layout.boxes[:, 2] / 2, strict=True))
    assert np.ptp([centres[name] for name in ("in", "addmm", "out")]) < 0.5
    assert abs(centres["t"] - centres["addmm"]) > 30


def test_an_edge_against_the_flow_runs_up_on_the_side_where_less_is_in_its_way() -> None:
    """A loop from 4 to 1, with 5 and 6 on one side of it all the way."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 4), (4, 7)]
    layout = lay_out(flat_view(8, [*edges, (4, 1)]))
    line = layout.points[layout.starts[-2] :]
    on_left = layout.boxes[1, 0] < layout.boxes[5, 0]
    assert (line[:, 0].min() < layout.boxes[1:5, 0].min()) == on_left
    assert (line[:, 0].max() > layout.boxes[5:7, 0].max()) != on_left


def test_a_longer_loop_leaves_the_calls_before_it_in_place() -> None:
    union, layout = Union(), None
    for turns in (3, 4, 7, 20):
        union.add(unrolled(turns), str(turns))
        grown = lay_out(build_view(union.graph, ViewOptions(everything(union.graph))), layout)
        if layout is not None:
            assert moves(layout, grown).max() < 5
        layout = grown


def test_the_same_view_again_stays_where_it_is() -> None:
    before = lay_out(expanded(5))
    assert moves(before, lay_out(expanded(5), before)).max() < 5


def test_survivors_keep_their_order_when_the_union_grows() -> None:
    before = lay_out(flat_view(6, [(0, index) for index in range(1, 5)] + [(index, 5) for index in range(1, 5)]))
    after = lay_out(
        flat_view(8, [(0, index) for index in (*range(1, 5), 6, 7)] + [(n, 5) for n in (1, 2, 3, 4, 7, 6)]), before
    )
    assert np.argsort(before.boxes[1:5, 0]).tolist() == np.argsort(after.boxes[1:5, 0]).tolist()


def test_a_call_that_opens_does_not_send_the_others_away() -> None:
    graph = unrolled(6)
    closed = lay_out(build_view(graph, ViewOptions(frozenset({"#0"}))))
    opened = lay_out(build_view(graph, ViewOptions(frozenset({"#0", "cell#2"}))), closed)
    assert moves(closed, opened).max() < 60


def test_equal_frames_are_laid_out_once() -> None:
    cache = LayoutCache()
    lay_out(expanded(50), cache=cache)
    assert len(cache.levels) < 8  # the first cell, those between, the last, the head, the model, the scene


def test_shift_between_is_the_move_of_the_whole_scene() -> None:
    layout = lay_out(expanded(3))
    moved = Layout(
        layout.view, layout.boxes + np.array([30, 7, 0, 0]), layout.groups, layout.points, layout.starts, layout.size
    )
    assert shift_between(layout, moved) == (30.0, 7.0)
    assert shift_between(layout, lay_out(flat_view(2, []))) == (0.0, 0.0)


def test_a_layout_no_longer_wanted_is_given_up() -> None:
    with pytest.raises(Cancelled):
        lay_out(expanded(3), cancelled=lambda: True)


def test_a_chain_of_twenty_thousand_ops_is_no_trouble() -> None:
    layout = lay_out(flat_view(20_000, [(index, index + 1) for index in range(19_999)]))
    assert len(np.unique(layout.boxes[:, 1])) == 20_000


def test_a_long_chain_with_tributaries_does_not_drift_sideways() -> None:
    """Every node takes two sources of its own beside the one before it."""
    edges = [(source, turn + 2) for turn in range(0, 900, 3) for source in (turn, turn + 1)]
    layout = lay_out(flat_view(900, edges + [(turn - 1, turn + 2) for turn in range(3, 900, 3)]))
    assert layout.size[0] < 700


def test_parameters_stand_on_both_sides_of_the_data() -> None:
    graph = perceptron()
    layout = lay_out(build_view(graph, ViewOptions(everything(graph))))
    centres = {
        box.key: x + width / 2 for box, (x, _, width, _) in zip(layout.view.boxes, layout.boxes.tolist(), strict=True)
    }
    for number in (1, 2):
        spine = centres[f"fc{number}#0/AddmmBackward0:0"]
        sides = sorted(centres[f"fc{number}.{name}"] for name in ("weight", "bias"))
        assert sides[0] < spine < sides[1]


def test_a_loose_call_stands_close_to_the_narrow_beginning_of_the_rest() -> None:
    edges = [(0, 1), *((1, wide) for wide in range(2, 9)), *((wide, 9) for wide in range(2, 9))]
    alone, beside = lay_out(flat_view(10, edges)), lay_out(flat_view(11, edges))
    assert beside.size[0] == pytest.approx(alone.size[0])
    loose, first = beside.boxes[10], beside.boxes[0]
    assert 0 < loose[0] - (first[0] + first[2]) < 50
