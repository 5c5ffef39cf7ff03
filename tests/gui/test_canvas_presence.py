"""What of a layout a scene shows, and what of it pointing and walking can reach."""

import itertools
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.canvas.camera import Camera
from gui.canvas.canvas import GraphCanvas
from gui.canvas.figure import figure_of
from gui.canvas.fit import Fit, fit
from gui.canvas.frame import Frame
from gui.canvas.hit_testing import NOTHING, hit
from gui.canvas.link_shapes import LinkShapes
from gui.canvas.presence import presence_of
from gui.canvas.renderer import Renderer
from gui.canvas.scene import Scene, scene_for, scene_of
from gui.canvas.states import State, box_states
from gui.canvas.tooltip import tooltip_of
from gui.colorings import DEFAULT, colorings
from gui.fonts import load_fonts
from gui.theme import LIGHT
from tracer.layout.result import Layout
from tracer.model.diff import GraphDiff
from tracer.model.view import Box, Fold, Group, Link, View

VIEWPORT = (400, 600)


def chain(boxes: list[Box], groups: tuple[Group, ...] = (), folds: tuple[Fold, ...] = (), counts: int = 1) -> Layout:
    """The boxes one below the other, 80 × 36, each linked to the next, within frames that all have the scene's size."""
    links = tuple(Link(a.key, b.key, counts) for a, b in itertools.pairwise(boxes))
    rects = np.array([(60.0, 40.0 + 80.0 * n, 80.0, 36.0) for n in range(len(boxes))]).reshape(-1, 4)
    points = [p for a, b in itertools.pairwise(rects) for p in ((100.0, a[1] + 36.0), (100.0, b[1]))]
    height = 60.0 + 80.0 * len(boxes)
    return Layout(
        View(tuple(boxes), groups, links, folds),
        rects,
        np.array([(10.0, 10.0, 200.0, height - 20.0)] * len(groups)).reshape(-1, 4),
        np.array(points, dtype=np.float64).reshape(-1, 2),
        np.arange(0, 2 * len(links) + 1, 2),
        (220.0, height),
    )


def op(key: str, group: str | None = None, fold: str = "") -> Box:
    return Box(key, "op", key, "2×3", group, (key,), fold=fold)


def graph_of(keys: str, op_name: str = "AddBackward0") -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph(module_calls=[])
    for key in keys:
        graph.add_node(key, kind="op", op=op_name, module="", shapes=[[2, 3], [4]], dtype="float32", call_key=None)
    graph.add_edges_from((a, b, {"output_nr": 0, "input_nr": 0}) for a, b in itertools.pairwise(keys))
    return graph


def scene_without_ghosts(layout: Layout, keys: str, diff: GraphDiff | None = None) -> Scene:
    scene = scene_for(layout, graph_of(keys), diff, colorings()[DEFAULT], LIGHT)
    return replace(scene, shows_ghosts=False)


def lost(*keys: str) -> GraphDiff:
    return GraphDiff(frozenset(), frozenset(keys), {})


def test_hidden_ghosts_go_with_their_links_and_frames_and_the_rest_stays_where_it_was() -> None:
    layout = chain([op("a"), op("b", "g"), op("c")], (Group("g", "g", None),))
    scene = scene_without_ghosts(layout, "ac")
    shown = presence_of(scene, figure_of(layout))
    assert shown.boxes.tolist() == [True, False, True]
    assert shown.groups.tolist() == [False]
    assert shown.links.tolist() == [False, False]
    assert scene.layout is layout


def test_what_was_just_removed_is_shown_even_without_ghosts() -> None:
    layout = chain([op("a"), op("b", "g"), op("c")], (Group("g", "g", None),))
    shown = presence_of(scene_without_ghosts(layout, "ac", lost("b")), figure_of(layout))
    assert shown.boxes.all() and shown.groups.all() and shown.links.all()


def test_a_frame_stays_for_what_lies_deep_inside_it() -> None:
    groups = Group("outer", "outer", None), Group("inner", "inner", "outer"), Group("gone", "gone", "outer")
    layout = chain([op("a", "inner"), op("b", "gone")], groups)
    assert presence_of(scene_without_ghosts(layout, "a"), figure_of(layout)).groups.tolist() == [True, True, False]


def test_nothing_that_is_hidden_can_be_hit() -> None:
    layout = chain([op("a"), op("b", "g"), op("c")], (Group("g", "g", None),))
    figure = figure_of(layout)
    hidden = presence_of(scene_without_ghosts(layout, "ac"), figure)
    for point in ((100.0, 130.0), (15.0, 15.0), (100.0, 100.0)):
        assert hit(layout, figure.curves, point, 4.0, 26.0) != NOTHING
        assert hit(layout, figure.curves, point, 4.0, 26.0, hidden) == NOTHING


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_only_boxes_that_have_something_of_a_diff_change_their_state(
    present: set[str], touched: set[str], gone: set[str]
) -> None:
    boxes = [op("a"), op("b"), Box("m", "module", "m", "", None, ("c", "d")), Box("p", "op", "p", "", None, ("e", "f"))]
    diff = GraphDiff(frozenset(), frozenset(gone - present), {key: {} for key in touched & present})
    fitted = fit(chain(boxes), graph_of("".join(sorted(present))))
    plain, states = box_states(fitted, None), box_states(fitted, diff)
    for box, before, after in zip(boxes, plain.tolist(), states.tolist(), strict=True):
        is_touched = not (diff.removed | diff.changed.keys()).isdisjoint(box.members)
        assert is_touched or before == after
        if not present.isdisjoint(box.members) and box.kind == "op":
            assert (after == State.CHANGED) <= is_touched


def counts_of(layout: Layout, *edges: str) -> list[int]:
    graph = graph_of("")
    graph.add_nodes_from({*"".join(edges)}, kind="op", op="AddBackward0", shapes=[[2]], call_key=None)
    graph.add_edges_from((edge[0], edge[1], {"output_nr": 0, "input_nr": 0}) for edge in edges)
    return fit(layout, graph).link_counts.tolist()


def test_a_count_that_only_repeats_that_of_a_fold_is_not_told() -> None:
    fold = Fold("b", ("b", "x", "y"))
    copies = Box("b", "op", "b", "2×3", None, ("b", "x", "y"), fold="b")
    layout = chain([op("a"), copies, op("c")], folds=(fold,), counts=3)
    assert counts_of(layout, "ab", "ax", "ay", "bc", "xc", "yc") == [1, 1]
    assert counts_of(layout, "ab", "ab", "ax", "bc") == [3, 1]
    assert counts_of(chain([op("a"), op("b")]), "ab", "ab", "ab") == [3]


def test_a_link_stands_for_the_edges_of_the_step_and_not_of_the_union() -> None:
    layout = chain([op("a"), op("b"), op("c")], counts=5)
    assert counts_of(layout, "ab", "ab", "ac") == [2, 0]


def test_a_weight_that_closed_modules_share_does_not_link_them() -> None:
    """A tree of one module's calls: a step whose second call takes nothing of the first has no edge between them."""
    closed = [Box(f"m#{call}", "module", "m", "", None, (f"{call}", "w"), (f"{call}",)) for call in range(2)]
    graph = nx.MultiDiGraph(module_calls=[])
    graph.add_node("w", kind="parameter", op="", shapes=[[2]], call_key=None, parameter="w")
    for call in range(2):
        graph.add_node(f"{call}", kind="op", op="MmBackward0", shapes=[[2]], call_key=None)
        graph.add_edge("w", f"{call}", output_nr=0, input_nr=0)
    assert fit(chain(closed), graph).links_present.tolist() == [False]
    graph.add_edge("0", "1", output_nr=0, input_nr=1)
    assert fit(chain(closed), graph).links_present.tolist() == [True]


def texts_of(layout: Layout, graph: nx.MultiDiGraph) -> list[str]:
    fitted: Fit = fit(layout, graph)
    renderer = Renderer(scene_of(fitted, None, colorings()[DEFAULT], LIGHT), LIGHT)
    image = QImage(10, 10, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    links = np.arange(len(layout.view.links))
    shapes = LinkShapes(fitted, figure_of(layout), renderer.lettering)
    shapes.paint(painter, links, (0.0, 0.0, 1e4, 1e4), LIGHT, np.zeros((0, 4)))
    painter.end()
    return [fitted.link_texts[link] for link in links.tolist()]


def test_a_link_tells_its_shape_only_where_its_source_does_not(qapp: QApplication) -> None:
    load_fonts()
    closed = Box("m", "module", "m", "Block · 2 ops", None, ("a", "b"))
    assert texts_of(chain([closed, op("c"), op("d")]), graph_of("abcd")) == ["2×3", ""]
    second = graph_of("ab")
    second.remove_edge("a", "b")
    second.add_edge("a", "b", output_nr=1, input_nr=0)
    assert texts_of(chain([op("a"), op("b")]), second) == ["4"]


def test_a_tooltip_says_what_a_module_gives_and_how_many_a_fold_stands_for() -> None:
    closed = Box("m", "module", "m ×3", "Block · 2 ops", None, ("a", "b"), fold="m")
    text = tooltip_of(closed, graph_of("abc"), copies=3)
    assert "gives 2×3, 4 · float32" in text
    assert "One of 3 alike in this step, drawn once" in text


def test_bookkeeping_ops_step_back() -> None:
    layout = chain([op("a")])
    assert fit(layout, graph_of("a", "TBackward0")).quiet.tolist() == [True]
    assert fit(layout, graph_of("a")).quiet.tolist() == [False]


def picture_of(renderer: Renderer, frame: Frame) -> QImage:
    frame.outdate()
    frame.render(renderer, Camera(), VIEWPORT, 1.0)
    assert frame._pixmap is not None
    return frame._pixmap.toImage()


def test_a_picture_over_a_kept_ground_is_the_same_as_one_painted_anew(qapp: QApplication) -> None:
    load_fonts()
    layout = chain([op("a"), op("b", "g"), op("c")], (Group("g", "g", None),))
    fitted = fit(layout, graph_of("abc"))
    kept = Frame()
    before = Renderer(scene_of(fitted, None, colorings()["kind"], LIGHT), LIGHT)
    first = picture_of(before, kept)
    after = Renderer(scene_of(fitted, None, colorings()["op_type"], LIGHT), LIGHT, before)
    assert after.has_ground_of(before)
    second = picture_of(after, kept)
    assert second != first
    assert second == picture_of(after, Frame())


def test_another_ground_is_painted_where_links_or_frames_differ(qapp: QApplication) -> None:
    load_fonts()
    layout = chain([op("a"), op("b", "g"), op("c")], (Group("g", "g", None),))
    whole = scene_for(layout, graph_of("abc"), None, colorings()[DEFAULT], LIGHT)
    part = scene_for(layout, graph_of("ac"), None, colorings()[DEFAULT], LIGHT)
    assert not Renderer(part, LIGHT).has_ground_of(Renderer(whole, LIGHT))
    assert not Renderer(replace(part, shows_ghosts=False), LIGHT).has_ground_of(Renderer(part, LIGHT))


@pytest.fixture
def canvas(qtbot: QtBot, qapp: QApplication) -> GraphCanvas:
    load_fonts()
    widget = GraphCanvas(LIGHT)
    qtbot.addWidget(widget)
    widget.resize(*VIEWPORT)
    widget.show()
    return widget


def test_walking_passes_over_hidden_ghosts(qtbot: QtBot, canvas: GraphCanvas) -> None:
    layout = chain([op("a"), op("b"), op("c")])
    canvas.set_scene(scene_without_ghosts(layout, "ac"))
    canvas.select("a")
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    assert canvas.selected_key == "c"
    qtbot.keyClick(canvas, Qt.Key.Key_Up)
    assert canvas.selected_key == "a"


def test_a_hidden_ghost_leaves_the_bare_canvas(canvas: GraphCanvas) -> None:
    canvas.set_legend_visible(False)
    layout = chain([op("a"), op("b"), op("c")])
    canvas.set_scene(scene_without_ghosts(layout, "ac"))
    place = QPointF(*canvas.camera.to_view(62.0, 138.0)).toPoint()
    assert canvas.grab().toImage().pixelColor(place) == QColor(LIGHT.canvas)
    canvas.set_scene(replace(canvas.scene, shows_ghosts=True))
    image = canvas.grab().toImage()
    around = [image.pixelColor(place + QPoint(dx, 0)) for dx in range(-6, 7)]
    assert any(color != QColor(LIGHT.canvas) for color in around)


def test_a_click_during_an_animation_selects(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_for(chain([op("a"), op("b")]), graph_of("ab"), None, colorings()[DEFAULT], LIGHT))
    longer = scene_for(chain([op("a"), op("x"), op("b")]), graph_of("axb"), None, colorings()[DEFAULT], LIGHT)
    canvas.set_scene(longer)
    assert canvas._motion.is_running
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPointF(*canvas.camera.to_view(100.0, 58.0)).toPoint())
    assert canvas.selected_key == "a"


def test_turned_off_nothing_slides(canvas: GraphCanvas) -> None:
    canvas.set_animated(False)
    canvas.set_scene(scene_for(chain([op("a"), op("b")]), graph_of("ab"), None, colorings()[DEFAULT], LIGHT))
    canvas.set_scene(scene_for(chain([op("a"), op("x")]), graph_of("ax"), None, colorings()[DEFAULT], LIGHT))
    assert not canvas._motion.is_running


def test_a_long_layout_says_how_far_it_is_and_is_given_up_by_escape_or_a_click(
    qtbot: QtBot, canvas: GraphCanvas
) -> None:
    canvas.set_scene(scene_for(chain([op("a")]), graph_of("a"), None, colorings()[DEFAULT], LIGHT))
    canvas.select("a")
    canvas.set_progress(0.4)
    assert canvas.progress.isVisible() and canvas.progress.text == "Laying out… 40 %"
    with qtbot.waitSignal(canvas.cancel_requested):
        qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.selected_key == "a"
    with qtbot.waitSignal(canvas.cancel_requested):
        qtbot.mouseClick(canvas.progress, Qt.MouseButton.LeftButton)
    canvas.set_progress(-1.0)
    assert not canvas.progress.isVisible()
