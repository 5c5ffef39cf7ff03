"""What lies over the canvas keeps off the graph at the first look."""

import networkx as nx
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.canvas.canvas import GraphCanvas
from gui.canvas.legend import TITLE_HEIGHT
from gui.canvas.minimap import Minimap
from gui.canvas.scene import Scene, scene_for
from gui.colorings import DEFAULT, colorings
from gui.fonts import load_fonts
from gui.theme import LIGHT
from tracer.layout.result import Layout
from tracer.model.view import Box, View

SIZE = (800, 600)


def scene_of_boxes(places: list[tuple[float, float]], size: tuple[float, float]) -> Scene:
    """Ops of 80 by 36 at these top left corners, without links."""
    keys = [str(number) for number in range(len(places))]
    graph = nx.MultiDiGraph()
    for key in keys:
        graph.add_node(key, kind="op", op="AddBackward0", module="", shapes=[[2]], dtype="float32")
    boxes = tuple(Box(key, "op", key, "2", None, (key,)) for key in keys)
    rects = np.array([(x, y, 80.0, 36.0) for x, y in places])
    none = np.zeros((0, 2))
    layout = Layout(View(boxes, (), ()), rects, np.zeros((0, 4)), none, np.zeros(1, np.int64), size)
    return scene_for(layout, graph, None, colorings()[DEFAULT], LIGHT)


@pytest.fixture
def canvas(qtbot: QtBot, qapp: QApplication) -> GraphCanvas:
    load_fonts()
    widget = GraphCanvas(LIGHT)
    qtbot.addWidget(widget)
    widget.resize(*SIZE)
    widget.show()
    return widget


def wall(columns: range) -> list[tuple[float, float]]:
    """Boxes everywhere in some columns of a graph 1,100 wide and 20,000 high."""
    return [(100.0 * column, 60.0 * row) for row in range(300) for column in columns]


def test_a_legend_that_would_lie_on_boxes_shows_its_title_alone(canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_of_boxes(wall(range(11)), (1_100.0, 20_000.0)))
    tucked = canvas.legend.height()
    canvas.set_scene(None)
    canvas.set_scene(scene_of_boxes([(0.0, 0.0), (0.0, 300.0)], (80.0, 20_000.0)))
    assert canvas.legend.height() > tucked
    assert not canvas.legend.is_folded


def test_the_overview_stands_where_it_covers_less(canvas: GraphCanvas) -> None:
    overview = canvas.findChild(Minimap)
    assert overview is not None
    canvas.set_scene(scene_of_boxes(wall(range(3, 11)), (1_100.0, 20_000.0)))
    assert overview.isVisible() and overview.geometry().center().x() < SIZE[0] / 2
    canvas.set_scene(None)
    canvas.set_scene(scene_of_boxes(wall(range(8)), (1_100.0, 20_000.0)))
    assert overview.geometry().center().x() > SIZE[0] / 2


def test_a_narrow_graph_stands_beside_legend_and_overview(canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_of_boxes(wall(range(5)), (500.0, 20_000.0)))
    overview = canvas.findChild(Minimap)
    assert overview is not None and overview.isVisible()
    right = canvas.camera.to_view(500.0, 0.0)[0]
    assert right <= min(canvas.legend.geometry().left(), overview.geometry().left())


@pytest.mark.parametrize("small", [(470, 600), (800, 350)])
def test_in_a_small_canvas_the_legend_is_its_title_until_one_asks_for_more(
    qtbot: QtBot, canvas: GraphCanvas, small: tuple[int, int]
) -> None:
    canvas.set_scene(scene_of_boxes([(0.0, 0.0), (0.0, 300.0)], (80.0, 20_000.0)))
    canvas.zoom_in()  # the camera is the user's: nothing is opened anew
    whole = canvas.legend.height()
    canvas.resize(*small)
    QApplication.processEvents()
    assert 0 < canvas.legend.height() < whole
    qtbot.mouseClick(canvas.legend, Qt.MouseButton.LeftButton, pos=QPoint(20, 10))
    asked_for = canvas.legend.height()
    canvas.pan(0, -10)
    assert canvas.legend.height() == asked_for > TITLE_HEIGHT + 10
    canvas.resize(*SIZE)
    QApplication.processEvents()
    assert canvas.legend.height() == whole


def test_a_larger_canvas_shows_the_whole_legend_again(canvas: GraphCanvas) -> None:
    canvas.set_scene(scene_of_boxes([(0.0, 0.0), (0.0, 300.0)], (80.0, 20_000.0)))
    canvas.zoom_in()
    whole = canvas.legend.height()
    for size in ((300, 220), SIZE):
        canvas.resize(*size)
        QApplication.processEvents()
    assert canvas.legend.height() == whole


def test_a_tiny_canvas_has_no_overview(canvas: GraphCanvas) -> None:
    overview = canvas.findChild(Minimap)
    assert overview is not None
    canvas.set_scene(scene_of_boxes(wall(range(11)), (1_100.0, 1_100.0)))
    assert overview.isVisible()
    for size in ((420, 300), (270, 300), (420, 190)):
        canvas.resize(*size)
        QApplication.processEvents()
        assert overview.isVisible() == (size == (420, 300))
        assert overview.width() <= max(size[0] / 3, 72)
