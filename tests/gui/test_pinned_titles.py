"""Titles of frames that begin left of the view stay in sight, where their title bars do."""

import networkx as nx
import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.canvas.camera import Camera
from gui.canvas.canvas import GraphCanvas
from gui.canvas.scene import scene_for
from gui.colorings import DEFAULT, colorings
from gui.fonts import load_fonts
from gui.theme import DARK, LIGHT, Theme
from tracer.layout.result import Layout
from tracer.model.view import Box, Group, View

TOP = 40.0
"""Where the frame begins, which is 1,000 wide and 400 high; its title bar is 26 high."""


def wide_layout() -> Layout:
    boxes = tuple(Box(key, "op", key, "", "g", (key,)) for key in "ab")
    view = View(boxes, (Group("g", "encoder · Encoder", None),), ())
    rects = np.array([(100.0, 200.0, 80.0, 36.0), (800.0, 200.0, 80.0, 36.0)])
    frame = np.array([(0.0, TOP, 1000.0, 400.0)])
    return Layout(view, rects, frame, np.zeros((0, 2)), np.zeros(1, dtype=np.int64), (1000.0, 480.0))


@pytest.fixture(params=[LIGHT, DARK], ids=["light", "dark"])
def canvas(request: pytest.FixtureRequest, qtbot: QtBot, qapp: QApplication) -> GraphCanvas:
    load_fonts()
    theme: Theme = request.param
    graph = nx.MultiDiGraph(module_calls=[])
    for key in "ab":
        graph.add_node(key, kind="op", op="AddBackward0", module="", shapes=[[2]], dtype="float32", call_key=None)
    canvas = GraphCanvas(theme)
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    canvas.set_legend_visible(False)
    canvas.set_minimap_visible(False)
    canvas.show()
    canvas.set_scene(scene_for(wide_layout(), graph, None, colorings()[DEFAULT], theme), animate=False)
    return canvas


def ink(canvas: GraphCanvas, camera: Camera) -> int:
    """How many pixels of the left of the title bar have about the colour of its text."""
    canvas.set_camera(camera)
    image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    ratio = image.devicePixelRatio()
    shown = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)[:, : image.width(), 2::-1]
    top = (TOP - camera.y) * camera.scale * ratio
    bar = shown[max(int(top) + 3, 0) : max(int(top + 24 * camera.scale * ratio), 0), 3 : int(160 * ratio)].astype(int)
    text = QColor(canvas._theme.group_text)
    distance = np.abs(bar - [text.red(), text.green(), text.blue()]).max(axis=2)
    return int((distance < 30).sum())


def test_a_title_that_begins_left_of_the_view_stays_at_its_edge(canvas: GraphCanvas) -> None:
    unmoved = ink(canvas, Camera(0.0, 0.0, 1.0))
    assert unmoved > 100
    assert abs(ink(canvas, Camera(500.0, 0.0, 1.0)) - unmoved) < unmoved * 0.2


def test_from_afar_there_is_none_to_hold(canvas: GraphCanvas) -> None:
    assert ink(canvas, Camera(500.0, 0.0, 0.3)) == 0


def test_a_title_bar_above_the_view_holds_none(canvas: GraphCanvas) -> None:
    canvas.set_camera(Camera(500.0, TOP + 5.0, 1.0))
    image = canvas.grab().toImage()
    assert len({image.pixel(x, y) for x in range(3, 150) for y in range(0, 30)}) == 1


def test_of_a_frame_that_is_hardly_in_sight_no_title_is_held(canvas: GraphCanvas) -> None:
    assert ink(canvas, Camera(960.0, 0.0, 1.0)) == 0
