"""The canvas as a user meets it: mouse, wheel, keyboard, and what it says about them."""

import itertools

import networkx as nx
import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QFocusEvent, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.canvas.canvas import GraphCanvas
from gui.canvas.minimap import Minimap
from gui.canvas.scene import Scene, scene_for
from gui.colorings import DEFAULT, colorings
from gui.fonts import load_fonts
from gui.theme import DARK, LIGHT, Theme
from tracer.layout.result import Layout
from tracer.model.view import Box, Group, Link, View

SIZE = (800, 600)


def small_layout(is_open: bool = False) -> Layout:
    """x above the module m (closed: one box; open: a frame around m/a and m/b) above loss."""
    boxes = {"x": ("op", None, (150.0, 0.0, 80.0, 36.0))}
    if is_open:
        boxes["m/a"] = ("op", "m#0", (150.0, 106.0, 80.0, 36.0))
        boxes["m/b"] = ("op", "m#0", (150.0, 170.0, 80.0, 36.0))
    else:
        boxes["m#0"] = ("module", None, (140.0, 70.0, 100.0, 44.0))
    boxes["loss"] = ("output", None, (150.0, 320.0, 80.0, 36.0))
    chain = list(boxes)
    links = tuple(Link(a, b, 2) for a, b in itertools.pairwise(chain))
    points = []
    for link in links:
        x, y, w, h = boxes[link.source][2]
        u, v, z, _ = boxes[link.target][2]
        points += [(x + w / 2, y + h), (u + z / 2, v)]
    members = {"m#0": ("m/a", "m/b")}
    view = View(
        tuple(Box(key, kind, key, "2×3", group, members.get(key, (key,))) for key, (kind, group, _) in boxes.items()),
        (Group("m#0", "m · Block", None),) if is_open else (),
        links,
    )
    return Layout(
        view,
        np.array([rect for _, _, rect in boxes.values()]),
        np.array([[100.0, 70.0, 180.0, 160.0]] if is_open else []).reshape(-1, 4),
        np.array(points),
        np.arange(0, 2 * len(links) + 1, 2),
        (400.0, 360.0),
    )


def step_graph(*missing: str) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    for key in ("x", "m/a", "m/b", "loss"):
        if key not in missing:
            graph.add_node(key, kind="op", op="AddBackward0", module="m", shapes=[[2, 3]], dtype="float32")
    nx.add_path(graph, [key for key in ("x", "m/a", "m/b", "loss") if key in graph])
    return graph


def scene_of(layout: Layout, graph: nx.MultiDiGraph | None = None, theme: Theme = LIGHT) -> Scene:
    return scene_for(layout, step_graph() if graph is None else graph, None, colorings()[DEFAULT], theme)


@pytest.fixture
def canvas(qtbot: QtBot, qapp: QApplication) -> GraphCanvas:
    load_fonts()
    widget = GraphCanvas(LIGHT)
    qtbot.addWidget(widget)
    widget.resize(*SIZE)
    widget.show()
    widget.set_scene(scene_of(small_layout()))
    return widget


def at(canvas: GraphCanvas, x: float, y: float) -> QPoint:
    """The pixel where a scene point shows."""
    return QPointF(*canvas.camera.to_view(x, y)).toPoint()


def turn_wheel(canvas: GraphCanvas, position: QPoint, delta: int, modifiers: Qt.KeyboardModifier) -> None:
    event = QWheelEvent(
        QPointF(position),
        QPointF(canvas.mapToGlobal(position)),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)


def picture(canvas: GraphCanvas) -> QImage:
    return canvas.grab().toImage()


def test_it_opens_with_the_whole_graph_at_no_more_than_full_size(canvas: GraphCanvas) -> None:
    assert canvas.camera.scale == 1.0
    assert canvas.camera.to_view(200, 180) == pytest.approx((400, 300))


@pytest.mark.parametrize("modifiers", [Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier])
def test_the_wheel_zooms_and_keeps_the_point_under_the_cursor(
    canvas: GraphCanvas, modifiers: Qt.KeyboardModifier
) -> None:
    position = QPoint(250, 170)
    before = canvas.camera.to_scene(250, 170)
    turn_wheel(canvas, position, 240, modifiers)
    assert canvas.camera.scale > 1.2
    assert canvas.camera.to_scene(250, 170) == pytest.approx(before)


def test_a_click_selects_a_box_and_a_click_beside_it_clears(qtbot: QtBot, canvas: GraphCanvas) -> None:
    with qtbot.waitSignal(canvas.box_selected) as selected:
        qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 190, 18))
    assert selected.args == ["x"]
    with qtbot.waitSignal(canvas.box_selected) as cleared:
        qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 20, 300))
    assert cleared.args == [""]


def test_a_click_on_a_link_selects_it(qtbot: QtBot, canvas: GraphCanvas) -> None:
    with qtbot.waitSignal(canvas.link_selected) as selected:
        qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 190, 220))
    assert selected.args == [1]


def test_a_double_click_opens_a_closed_module(qtbot: QtBot, canvas: GraphCanvas) -> None:
    with qtbot.waitSignal(canvas.group_toggled) as toggled:
        qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 200, 92))
    assert toggled.args == ["m#0"]


def test_a_click_on_the_triangle_opens_once_even_if_doubled(qtbot: QtBot, canvas: GraphCanvas) -> None:
    toggled: list[str] = []
    canvas.group_toggled.connect(toggled.append)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 149, 92))
    qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 149, 92))
    assert toggled == ["m#0"]


def test_a_double_click_on_a_title_closes_the_group_and_on_an_op_activates_it(
    qtbot: QtBot, canvas: GraphCanvas
) -> None:
    canvas.set_scene(scene_of(small_layout(is_open=True)), animate=False)
    with qtbot.waitSignal(canvas.group_toggled) as toggled:
        qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 250, 80))
    assert toggled.args == ["m#0"]
    with qtbot.waitSignal(canvas.box_activated) as activated:
        qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 190, 120))
    assert activated.args == ["m/a"]


def test_dragging_pans_and_selects_nothing(qtbot: QtBot, canvas: GraphCanvas) -> None:
    start = at(canvas, 190, 18)
    before = canvas.camera
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(canvas, start + QPoint(30, 20))
    qtbot.mouseMove(canvas, start + QPoint(60, 40))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(60, 40))
    assert canvas.camera == before.panned(60, 40)
    assert canvas.selected_key == ""


def test_with_the_space_bar_held_a_press_on_a_box_drags_and_selects_nothing(qtbot: QtBot, canvas: GraphCanvas) -> None:
    start = at(canvas, 190, 18)
    before = canvas.camera
    qtbot.keyPress(canvas, Qt.Key.Key_Space)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(canvas, start + QPoint(1, 1))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(1, 1))
    assert canvas.camera == before.panned(1, 1)
    assert canvas.selected_key == ""
    qtbot.keyRelease(canvas, Qt.Key.Key_Space)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(1, 1))
    assert canvas.selected_key == "x"


def test_the_space_bar_is_let_go_of_when_the_focus_goes_elsewhere(qtbot: QtBot, canvas: GraphCanvas) -> None:
    qtbot.keyPress(canvas, Qt.Key.Key_Space)
    assert canvas.cursor().shape() == Qt.CursorShape.OpenHandCursor
    QApplication.sendEvent(canvas, QFocusEvent(QEvent.Type.FocusOut))
    assert canvas.cursor().shape() == Qt.CursorShape.ArrowCursor
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 190, 18))
    assert canvas.selected_key == "x"


def test_another_step_of_the_same_layout_moves_nothing(canvas: GraphCanvas) -> None:
    layout = small_layout()
    canvas.set_scene(scene_of(layout))
    turn_wheel(canvas, QPoint(100, 100), 120, Qt.KeyboardModifier.NoModifier)
    canvas.select("x")
    before = canvas.camera
    shown = picture(canvas)
    canvas.set_scene(scene_of(layout, step_graph("x")))
    assert canvas.camera == before
    assert canvas.selected_key == "x"
    assert picture(canvas) != shown


def test_opening_a_module_keeps_its_place_on_the_screen(qtbot: QtBot, canvas: GraphCanvas) -> None:
    before = canvas.camera.to_view(190, 70)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 200, 92))
    qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 200, 92))
    canvas.set_scene(scene_of(small_layout(is_open=True)), animate=False)
    assert canvas.camera.to_view(190, 70) == pytest.approx(before)
    assert canvas.selected_key == "m#0"


def test_closing_a_module_selects_it_for_what_was_selected_inside(canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_of(small_layout(is_open=True)), animate=False)
    canvas.select("m/b")
    canvas.set_scene(scene_of(small_layout()), animate=False)
    assert canvas.selected_key == "m#0"


def test_an_animation_ends_with_the_picture_of_the_new_layout(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_of(small_layout(is_open=True)), animate=True)
    moving = picture(canvas)
    canvas.set_scene(scene_of(small_layout()), animate=False)
    canvas.set_scene(scene_of(small_layout(is_open=True)), animate=False)
    still = picture(canvas)
    assert moving != still
    canvas.set_scene(scene_of(small_layout()), animate=False)
    canvas.set_scene(scene_of(small_layout(is_open=True)), animate=True)
    qtbot.waitUntil(lambda: picture(canvas) == still)


def test_arrow_keys_walk_from_the_loss_along_links(qtbot: QtBot, canvas: GraphCanvas) -> None:
    visited = []
    for _ in range(4):
        qtbot.keyClick(canvas, Qt.Key.Key_Up)
        visited.append(canvas.selected_key)
    assert visited == ["loss", "m#0", "x", "x"]
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    assert canvas.selected_key == "m#0"


def test_enter_toggles_the_selected_module_and_escape_clears(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.select("m#0")
    with qtbot.waitSignal(canvas.group_toggled) as toggled:
        qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert toggled.args == ["m#0"]
    with qtbot.waitSignal(canvas.box_selected) as cleared:
        qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert cleared.args == [""]


def test_enter_on_an_open_group_closes_it_and_down_enters_it(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_of(small_layout(is_open=True)), animate=False)
    canvas.select("m#0")
    with qtbot.waitSignal(canvas.group_toggled):
        qtbot.keyClick(canvas, Qt.Key.Key_Return)
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    assert canvas.selected_key == "m/a"


def test_keys_zoom_fit_and_reset(qtbot: QtBot, canvas: GraphCanvas) -> None:
    with qtbot.waitSignal(canvas.zoom_changed):
        qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    assert canvas.camera.scale == pytest.approx(1.25)
    qtbot.keyClick(canvas, Qt.Key.Key_Minus)
    qtbot.keyClick(canvas, Qt.Key.Key_Minus)
    assert canvas.camera.scale == pytest.approx(0.8)
    qtbot.keyClick(canvas, Qt.Key.Key_0)
    assert canvas.camera.scale == pytest.approx(1.0)
    canvas.zoom_in()
    qtbot.keyClick(canvas, Qt.Key.Key_F)
    assert canvas.camera.to_view(200, 180) == pytest.approx((400, 300))
    canvas.select("x")
    qtbot.keyClick(canvas, Qt.Key.Key_Z)
    assert canvas.camera.to_view(190, 18) == pytest.approx((400, 300))


def test_centring_brings_a_box_to_the_middle(canvas: GraphCanvas) -> None:
    canvas.center_on("loss")
    assert canvas.camera.to_view(190, 338) == pytest.approx((400, 300))


def test_centring_on_a_frame_larger_than_the_view_shows_its_beginning(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_of(small_layout(is_open=True)), animate=False)
    canvas.zoom_by(8.0)
    canvas.center_on("m#0")
    left, top = canvas.camera.to_view(100.0, 70.0)
    assert 0 < left < 60 and 0 < top < 60


def test_walking_out_of_sight_brings_the_box_into_view(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.select("x")
    canvas.zoom_to_actual_size()
    for _ in range(6):
        canvas.zoom_in()
    canvas.center_on("x")
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    x, y = canvas.camera.to_view(190, 92)
    assert 0 < x < SIZE[0] and 0 < y < SIZE[1]


def test_the_overview_shows_only_while_the_graph_is_larger_than_the_view(canvas: GraphCanvas) -> None:
    overview = canvas.findChild(Minimap)
    assert overview is not None
    assert not overview.isVisible()
    for _ in range(5):
        canvas.zoom_in()
    assert overview.isVisible()
    canvas.set_minimap_visible(False)
    assert not overview.isVisible()


def test_the_overview_leaves_most_of_a_small_view_free(canvas: GraphCanvas) -> None:
    canvas.resize(600, 380)
    for _ in range(6):
        canvas.zoom_in()
    overview = canvas.findChild(Minimap)
    assert overview is not None and overview.isVisible()
    assert overview.height() <= 0.35 * canvas.height()


def test_pressing_the_overview_moves_the_view(qtbot: QtBot, canvas: GraphCanvas) -> None:
    overview = canvas.findChild(Minimap)
    assert overview is not None
    for _ in range(6):
        canvas.zoom_in()
    before = canvas.camera
    qtbot.mouseClick(overview, Qt.MouseButton.LeftButton, pos=QPoint(84, 10))
    assert canvas.camera != before
    assert canvas.camera.scale == before.scale


def test_a_resize_refits_until_the_user_has_looked_around(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.set_legend_visible(False)
    canvas.resize(600, 500)
    qtbot.waitUntil(lambda: canvas.camera.to_view(200, 180) == pytest.approx((300, 250)))
    canvas.zoom_in()
    before = canvas.camera
    canvas.resize(600, 400)
    QApplication.processEvents()
    assert canvas.camera == before


def test_a_narrower_view_keeps_what_was_in_its_middle(canvas: GraphCanvas) -> None:
    canvas.resize(800, 500)
    canvas.zoom_in()
    middle, top = canvas.camera.to_scene(400, 0)
    canvas.resize(380, 500)
    QApplication.processEvents()
    assert canvas.camera.to_view(middle, top) == pytest.approx((190, 0))


def test_without_a_scene_it_says_so(canvas: GraphCanvas) -> None:
    canvas.placeholder = "No steps yet"
    canvas.set_scene(None)
    shown = picture(canvas)
    canvas.placeholder = ""
    canvas.update()
    assert picture(canvas) != shown


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_the_ground_has_the_colour_of_the_theme(canvas: GraphCanvas, theme: Theme) -> None:
    canvas.set_theme(theme)
    canvas.set_scene(scene_of(small_layout(), theme=theme))
    assert picture(canvas).pixelColor(400, 3) == QColor(theme.canvas)


def test_every_zoom_paints_without_complaint(canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_of(small_layout(is_open=True), step_graph("m/a")), animate=False)
    canvas.select("m/b")
    canvas.set_legend_visible(True)
    for scale in (0.001, 0.05, 0.2, 0.4, 0.5, 1.0, 3.0, 8.0):
        canvas.zoom_to_actual_size()
        turn_wheel(canvas, QPoint(400, 300), round(np.log(scale) / np.log(1.0015)), Qt.KeyboardModifier.NoModifier)
        assert not picture(canvas).isNull()


def test_hovering_marks_what_lies_under_the_mouse(qtbot: QtBot, canvas: GraphCanvas) -> None:
    shown = picture(canvas)
    qtbot.mouseMove(canvas, at(canvas, 190, 18))
    qtbot.waitUntil(lambda: picture(canvas) != shown)
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert picture(canvas) == shown
