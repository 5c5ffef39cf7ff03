"""The canvas without a window: camera, hit-testing, walking, what a scene says of a step."""

from collections.abc import Iterable

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.canvas.animation import shift_between
from gui.canvas.camera import READABLE_SCALE, Camera, fitted, opening
from gui.canvas.detail import Detail, detail_at
from gui.canvas.fit import fit
from gui.canvas.geometry import ARROW_LENGTH, TIP_GAP, curves_of, flattened, rows_in
from gui.canvas.hit_testing import NOTHING, Hit, hit
from gui.canvas.navigation import DOWN, LEFT, RIGHT, UP, first_in_group, neighbor, sibling, walk
from gui.canvas.rows import linked_links, rect_of
from gui.canvas.scene import Scene, scene_for
from gui.canvas.selection import Selection, links_to_mark
from gui.canvas.states import State, box_states
from gui.canvas.tooltip import tooltip_of
from gui.coloring import Subject
from gui.colorings import DEFAULT, colorings
from gui.colorings.op_type import family_of
from gui.theme import LIGHT
from tracer.layout import Layout, lay_out
from tracer.model.diff import GraphDiff
from tracer.model.view import Box, Group, Link, View

VIEWPORT = (800, 600)
FINITE = st.floats(-1e5, 1e5)


def box(key: str, kind: str = "op", members: tuple[str, ...] | None = None, group: str | None = None) -> Box:
    return Box(key, kind, key, "", group, members or (key,))


def layout_of(boxes: dict[Box, tuple[float, ...]], links: Iterable[Link] = (), groups: Iterable[Group] = ()) -> Layout:
    """Straight links between boxes put by hand; every group is a frame at 0, 0 of 400 × 300."""
    rects = {b.key: rect for b, rect in boxes.items()}
    links, groups = tuple(links), tuple(groups)
    points = []
    for link in links:
        x, y, w, h = rects[link.source]
        u, v, z, _ = rects[link.target]
        points += [(x + w / 2, y + h), (u + z / 2, v)]
    return Layout(
        View(tuple(boxes), groups, links),
        np.array(list(boxes.values()), dtype=np.float64).reshape(-1, 4),
        np.array([(0.0, 0.0, 400.0, 300.0)] * len(groups)).reshape(-1, 4),
        np.array(points, dtype=np.float64).reshape(-1, 2),
        np.arange(0, 2 * len(links) + 1, 2),
        (400.0, 300.0),
    )


@pytest.fixture
def diamond() -> Layout:
    """a above b and c, side by side, above d; all in the group g."""
    boxes = {
        box("a", group="g"): (150.0, 40.0, 60.0, 30.0),
        box("b", group="g"): (50.0, 120.0, 60.0, 30.0),
        box("c", group="g"): (250.0, 120.0, 60.0, 30.0),
        box("d", group="g"): (150.0, 200.0, 60.0, 30.0),
    }
    links = [Link("a", "b", 1), Link("a", "c", 1), Link("b", "d", 2), Link("c", "d", 1)]
    return layout_of(boxes, links, [Group("g", "group", None)])


def graph_of(*keys: str, edges: Iterable[tuple[str, str]] = (), kind: str = "op") -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    for key in keys:
        graph.add_node(key, kind=kind, op="AddBackward0", module="", call=0, shapes=[[2, 3]], dtype="float32")
    graph.add_edges_from(edges)
    return graph


def changes(added: Iterable[str] = (), removed: Iterable[str] = (), changed: Iterable[str] = ()) -> GraphDiff:
    return GraphDiff(frozenset(added), frozenset(removed), {key: {} for key in changed})


# -- camera


@given(FINITE, FINITE, st.floats(0.01, 8), st.floats(0.1, 10), st.floats(0, 800), st.floats(0, 600))
def test_zooming_keeps_the_point_under_the_cursor(
    x: float, y: float, scale: float, factor: float, at_x: float, at_y: float
) -> None:
    camera = Camera(x, y, scale)
    before = camera.to_scene(at_x, at_y)
    after = camera.zoomed(factor, (at_x, at_y)).to_scene(at_x, at_y)
    assert after == pytest.approx(before, abs=1e-6)


@given(FINITE, FINITE, st.floats(0.01, 8), FINITE, FINITE)
def test_view_and_scene_points_convert_back_and_forth(
    x: float, y: float, scale: float, at_x: float, at_y: float
) -> None:
    camera = Camera(x, y, scale)
    assert camera.to_view(*camera.to_scene(at_x, at_y)) == pytest.approx((at_x, at_y), abs=1e-3)


def test_panning_moves_the_content_by_pixels() -> None:
    camera = Camera(0, 0, 0.5).panned(30, -10)
    assert camera.to_view(0, 0) == (30, -10)


def test_fitting_shows_everything_and_never_enlarges() -> None:
    small = fitted((0, 0, 100, 50), VIEWPORT)
    assert small.scale == 1.0
    assert small.to_view(50, 25) == pytest.approx((400, 300))
    large = fitted((0, 0, 4000, 1000), VIEWPORT)
    left, top = large.to_view(0, 0)
    right, bottom = large.to_view(4000, 1000)
    assert left >= 0 and top >= 0 and right <= 800 and bottom <= 600


def test_a_tall_graph_opens_readable_at_its_focus() -> None:
    camera = opening((300.0, 20_000.0), VIEWPORT, focus=(150.0, 19_980.0))
    assert camera.scale >= READABLE_SCALE
    x, y = camera.to_view(150.0, 19_980.0)
    assert x == pytest.approx(400)
    assert 300 < y < 600


def test_a_wide_and_tall_graph_opens_with_its_focus_in_sight() -> None:
    camera = opening((30_000.0, 20_000.0), VIEWPORT, focus=(22_000.0, 19_980.0))
    x, y = camera.to_view(22_000.0, 19_980.0)
    assert 0 < x < 800 and 0 < y < 600
    assert camera.scale >= READABLE_SCALE


def test_a_narrow_graph_opens_beside_what_covers_the_corners() -> None:
    upper, lower = (200.0, 100.0), (250.0, 120.0)
    tall = opening((300.0, 20_000.0), VIEWPORT, (150.0, 9_000.0), upper, lower)
    assert tall.to_view(300.0, 0.0)[0] <= 550
    assert tall.to_view(0.0, 0.0)[0] >= 28
    assert tall.scale == 1.0


def test_a_graph_opens_a_little_smaller_where_it_stands_free_then() -> None:
    camera = opening((600.0, 20_000.0), VIEWPORT, (300.0, 0.0), (200.0, 100.0), (100.0, 100.0))
    assert 0.8 <= camera.scale < 1.0
    assert camera.to_view(0.0, 0.0)[0] >= 27.9 and camera.to_view(600.0, 0.0)[0] <= 600


def test_a_graph_opens_in_the_middle_where_nothing_keeps_it_free() -> None:
    corner = (200.0, 100.0)
    for size in ((735.0, 20_000.0), (300.0, 100.0)):
        assert opening(size, VIEWPORT, None, corner, corner) == opening(size, VIEWPORT, None)


def test_a_wide_graph_opens_without_looking_past_its_sides() -> None:
    size = (3_000.0, 20_000.0)
    for focus_x in (10.0, 2_990.0):
        camera = opening(size, VIEWPORT, focus=(focus_x, 0.0))
        assert camera.to_view(0.0, 0.0)[0] <= 28.5 and camera.to_view(3_000.0, 0.0)[0] >= 800 - 28.5


def test_a_wide_graph_opens_with_all_that_stands_at_its_beginning() -> None:
    size, beginning = (3_000.0, 20_000.0), (100.0, 700.0)
    camera = opening(size, VIEWPORT, (650.0, 0.0), (100.0, 100.0), (80.0, 80.0), beginning)
    assert camera.to_view(beginning[0], 0.0)[0] >= 27.9
    assert camera.to_view(beginning[1], 0.0)[0] <= 700
    assert READABLE_SCALE <= camera.scale <= 1.0
    wider = opening(size, VIEWPORT, (650.0, 0.0), (100.0, 100.0), (80.0, 80.0), (100.0, 2_000.0))
    assert wider == opening(size, VIEWPORT, (650.0, 0.0))


def test_detail_grows_with_the_zoom_and_labels_are_bounded() -> None:
    levels = [detail_at(scale, 36.0, 100) for scale in (0.05, 0.2, 0.35, 0.5, 1.0)]
    assert levels == sorted(Detail)
    assert detail_at(1.0, 36.0, 10_000) == Detail.OUTLINES


# -- hit-testing and geometry


def test_a_point_in_a_box_hits_it(diamond: Layout) -> None:
    assert hit(diamond, curves_of(diamond), (60.0, 130.0), 4.0, 26.0) == Hit("box", 1)


def test_a_point_in_a_title_bar_hits_the_group_and_below_it_nothing(diamond: Layout) -> None:
    curves = curves_of(diamond)
    assert hit(diamond, curves, (20.0, 10.0), 4.0, 26.0) == Hit("group", 0)
    assert hit(diamond, curves, (20.0, 60.0), 4.0, 26.0) == NOTHING


def test_the_inner_of_two_title_bars_is_hit() -> None:
    groups = [Group("outer", "outer", None), Group("inner", "inner", "outer")]
    layout = layout_of({box("a"): (150.0, 100.0, 60.0, 30.0)}, groups=groups)
    assert hit(layout, curves_of(layout), (5.0, 5.0), 4.0, 26.0) == Hit("group", 1)


def test_a_point_on_a_curve_hits_its_link_and_beside_it_nothing(diamond: Layout) -> None:
    curves = curves_of(diamond)
    lines = flattened(curves.control, 10)
    for link in range(4):
        x, y = lines[link, 5, :2]
        assert hit(diamond, curves, (x + 2.0, y), 4.0, 26.0) == Hit("link", link)
        assert hit(diamond, curves, (x + 60.0, y), 4.0, 26.0).what != "link"


def test_curves_stay_between_the_ends_of_their_stretch(diamond: Layout) -> None:
    curves = curves_of(diamond)
    points = flattened(curves.control, 20).reshape(len(curves.link), -1, 2)
    assert (points >= curves.low[:, None] - 1e-9).all()
    assert (points <= curves.high[:, None] + 1e-9).all()


def test_arrow_heads_end_at_the_target_and_curves_where_heads_begin(diamond: Layout) -> None:
    curves = curves_of(diamond)
    assert curves.tips[0].tolist() == [80.0, 120.0]
    assert curves.control[0, 3].tolist() == [80.0, 120.0 - ARROW_LENGTH]


def test_links_from_both_sides_enter_a_box_beside_each_other(diamond: Layout) -> None:
    curves = curves_of(diamond)
    assert curves.tips[2:].tolist() == [[180.0 - TIP_GAP, 200.0], [180.0 + TIP_GAP, 200.0]]
    assert curves.control[2:, 3, 0].tolist() == [180.0 - TIP_GAP, 180.0 + TIP_GAP]


def test_culling_keeps_what_touches_the_area(diamond: Layout) -> None:
    assert rows_in(diamond.boxes, (0.0, 0.0, 120.0, 300.0)).tolist() == [1]
    assert rows_in(diamond.boxes, (-1e6, -1e6, 2e6, 2e6)).tolist() == [0, 1, 2, 3]


def test_an_empty_layout_has_nothing_to_hit() -> None:
    layout = layout_of({})
    assert hit(layout, curves_of(layout), (0.0, 0.0), 4.0, 26.0) == NOTHING


# -- walking


def test_arrows_follow_links_up_and_down_and_siblings_sideways(diamond: Layout) -> None:
    assert neighbor(diamond, 1, UP) == 0
    assert neighbor(diamond, 1, DOWN) == 3
    assert neighbor(diamond, 1, RIGHT) == 2
    assert neighbor(diamond, 2, LEFT) == 1


def test_where_nothing_lies_the_walk_stays(diamond: Layout) -> None:
    assert neighbor(diamond, 0, UP) == 0
    assert neighbor(diamond, 3, DOWN) == 3
    assert neighbor(diamond, 0, LEFT) == 0


def test_links_of_a_box_are_those_that_enter_or_leave(diamond: Layout) -> None:
    assert linked_links(diamond, 1).tolist() == [0, 2]
    assert first_in_group(diamond, 0) == 0


def test_tab_goes_through_siblings_in_reading_order_and_leaves_at_the_end(diamond: Layout) -> None:
    assert [sibling(diamond, key, forwards=True) for key in "abcd"] == ["b", "c", "d", ""]
    assert [sibling(diamond, key, forwards=False) for key in "abcd"] == ["", "a", "b", "c"]
    assert sibling(diamond, "g", forwards=True) == ""


def test_without_a_selection_tab_leaves_at_once(diamond: Layout) -> None:
    assert sibling(diamond, "", forwards=True) == ""


def test_a_selected_box_marks_only_the_links_that_the_step_has(diamond: Layout) -> None:
    scene = scene_of(diamond, graph_of(*"abd", edges=[("a", "b"), ("b", "d")]))
    assert links_to_mark(scene, Selection("a")).tolist() == [0]
    assert links_to_mark(scene, Selection("d")).tolist() == [2]
    assert links_to_mark(scene, Selection("c")).tolist() == []
    assert links_to_mark(scene, Selection(link=1)).tolist() == [1]


def test_arrows_prefer_links_that_the_step_has(diamond: Layout) -> None:
    scene = scene_of(diamond, graph_of(*"acd", edges=[("a", "c"), ("c", "d")]))
    assert walk(diamond, "a", DOWN, scene.links_present) == "c"
    assert walk(diamond, "b", DOWN, scene.links_present) == "d"


# -- scene


def states_of(boxes: Iterable[Box], graph: nx.MultiDiGraph, diff: GraphDiff | None) -> list[State]:
    layout = lay_out(View(tuple(boxes), (), ()))
    return [State(state) for state in box_states(fit(layout, graph), diff)]


def test_boxes_of_the_step_are_present_and_others_ghosts() -> None:
    boxes = [box("a"), box("b"), box("m", "module", ("x", "y"))]
    assert states_of(boxes, graph_of("a", "y"), None) == [State.PRESENT, State.GHOST, State.PRESENT]


def test_boxes_show_what_the_diff_says_of_their_members() -> None:
    boxes = [box("a"), box("b"), box("c"), box("d"), box("e")]
    diff = changes(added=["a"], removed=["b"], changed=["c"])
    expected = [State.ADDED, State.REMOVED, State.CHANGED, State.PRESENT, State.GHOST]
    assert states_of(boxes, graph_of("a", "c", "d"), diff) == expected


def test_a_module_that_changed_in_part_is_changed_and_one_that_is_new_is_added() -> None:
    part, new, gone, swapped = (box(key, "module", (key + "1", key + "2")) for key in "abcd")
    diff = changes(added=["a1", "b1", "b2", "d2"], removed=["c1", "c2", "d1"])
    graph = graph_of("a1", "a2", "b1", "b2", "d2")
    expected = [State.CHANGED, State.ADDED, State.REMOVED, State.CHANGED]
    assert states_of([part, new, gone, swapped], graph, diff) == expected


def scene_of(layout: Layout, graph: nx.MultiDiGraph, diff: GraphDiff | None = None, name: str = DEFAULT) -> Scene:
    return scene_for(layout, graph, diff, colorings()[name], LIGHT)


def test_boxes_say_the_shapes_of_the_step_and_not_of_the_layout() -> None:
    layout = layout_of({box("relu#0/ReluBackward0:0"): (0.0, 0.0, 60.0, 30.0)})
    graph = nx.MultiDiGraph()
    graph.add_node("relu#0/ReluBackward0:0", kind="op", op="ReluBackward0", module="relu", shapes=[[28, 64]])
    assert scene_of(layout, graph).boxes[0].subtitle == "28×64"


def test_links_without_an_edge_in_the_step_are_ghosts(diamond: Layout) -> None:
    scene = scene_of(diamond, graph_of(*"abcd", edges=[("a", "b"), ("b", "d"), ("c", "d")]))
    assert scene.links_present.tolist() == [True, False, True, True]


def test_links_through_hidden_nodes_count_as_present(diamond: Layout) -> None:
    edges = [("a", "view"), ("view", "t"), ("t", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
    graph = graph_of(*"abcd", "view", "t", edges=edges)
    nx.set_node_attributes(graph, {"view": "ViewBackward0", "t": "TBackward0"}, "op")
    scene = scene_of(diamond, graph)
    assert scene.links_present.all()


def test_the_legend_holds_what_occurs_and_counts_changes(diamond: Layout) -> None:
    scene = scene_of(diamond, graph_of(*"abd"), changes(added=["a", "b"], removed=["c"]), "kind")
    assert [entry.label for entry in scene.legend] == ["Operation", "Added: 2 boxes", "Removed: 1 box"]
    assert [entry.mark for entry in scene.legend] == ["", "+", "−"]


def test_a_scene_of_many_categories_keeps_its_colour_indices_in_range() -> None:
    boxes = {box(f"part{n}.op#0/Add:{n}"): (0.0, 40.0 * n, 60.0, 30.0) for n in range(300)}
    graph = nx.MultiDiGraph()
    for each in boxes:
        graph.add_node(each.key, kind="op", op="Add", module=each.key.split("#")[0], shapes=[])
    scene = scene_of(layout_of(boxes), graph, name="module")
    assert scene.colors.max() < len(scene.swatches)


# -- colourings


@pytest.mark.parametrize(
    ("op", "family"),
    [
        ("AddmmBackward0", "Linear algebra"),
        ("ConvolutionBackward0", "Convolution"),
        ("NativeLayerNormBackward0", "Normalisation and dropout"),
        ("NllLossBackward0", "Loss"),
        ("TBackward0", "View and indexing"),
        ("MeanBackward1", "Arithmetic and reduction"),
        ("AddBackward0", "Arithmetic and reduction"),
        ("GeluBackward0", "Activation"),
        ("torch::autograd::CopySlices", "View and indexing"),
        ("CppNode<Mine>", "Other"),
    ],
)
def test_ops_belong_to_families(op: str, family: str) -> None:
    assert family_of(op) == family


def test_modules_are_coloured_by_the_first_part_of_their_path() -> None:
    graph = nx.MultiDiGraph()
    graph.add_node("op", kind="op", module="layers.3.attn")
    graph.add_node("w", kind="parameter", module=None, parameter="head.weight")
    graph.add_node("loss", kind="op", module=None)
    boxes = (box("op"), box("w", "parameter"), box("loss"), box("encoder.norm#0", "module", ("op",)))
    coloration = colorings()["module"].colored(Subject(boxes, np.ones(4, dtype=np.bool_), graph), LIGHT)
    labels = [coloration.legend[color].label for color in coloration.colors]
    assert labels == ["layers.3", "head", "Outside modules", "encoder"]


# -- from one layout to the next


def test_the_scene_shift_follows_the_anchor_or_the_boxes_in_sight(diamond: Layout) -> None:
    moved = {
        each: (rect[0] + 100.0, rect[1] + 7.0, rect[2], rect[3])
        for each, rect in zip(diamond.view.boxes, diamond.boxes.tolist(), strict=True)
    }
    later = layout_of(moved)
    everything = (0.0, 0.0, 1e4, 1e4)
    assert shift_between(diamond, later, "", everything) == (100.0, 7.0)
    assert shift_between(diamond, later, "b", everything) == (100.0, 7.0)
    assert shift_between(diamond, layout_of({box("z"): (0.0, 0.0, 9.0, 9.0)}), "", everything) is None


def test_the_scene_shift_follows_a_box_in_sight_into_its_frame_and_back(diamond: Layout) -> None:
    """All other boxes have moved far away."""
    far = {box("other"): (9_000.0, 9_000.0, 60.0, 30.0)}
    module, inner = box("m#0", "module", ("x",)), box("x", group="m#0")
    closed = layout_of({module: (20.0, 50.0, 60.0, 30.0), **far})
    opened = layout_of(
        {inner: (170.0, 120.0, 60.0, 30.0), box("other"): (0.0, 0.0, 60.0, 30.0)}, (), [Group("m#0", "m", None)]
    )
    area = (0.0, 0.0, 300.0, 200.0)
    assert shift_between(closed, opened, "", area) == (150.0, -50.0)
    looked_at = (100.0, 100.0, 200.0, 100.0)
    x, y = shift_between(opened, closed, "", looked_at) or (0.0, 0.0)
    assert (200.0 + x, 150.0 + y) == (50.0, 65.0)


def test_rectangles_are_found_by_key(diamond: Layout) -> None:
    assert rect_of(diamond, "g") == (0.0, 0.0, 400.0, 300.0)
    assert rect_of(diamond, "b") == (50.0, 120.0, 60.0, 30.0)
    assert rect_of(diamond, "nowhere") is None


# -- tooltip


def test_a_tooltip_names_op_and_shapes_and_escapes_them() -> None:
    graph = graph_of("a")
    graph.nodes["a"]["op"] = "<b>&Evil"
    text = tooltip_of(Box("a", "op", "<i>title", "", None, ("a",)), graph)
    assert "&lt;i&gt;title" in text and "&lt;b&gt;&amp;Evil" in text and "2×3" in text
    assert "<i>title" not in text


def test_a_tooltip_says_that_a_ghost_is_not_in_this_step() -> None:
    assert "Not in this step" in tooltip_of(box("gone"), graph_of("a"))
