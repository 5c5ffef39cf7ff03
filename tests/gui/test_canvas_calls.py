"""What the canvas makes of calls without a graph and of opaque nodes."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot

from gui.canvas.canvas import GraphCanvas
from gui.canvas.picture import Heading
from gui.canvas.renderer import Renderer
from gui.canvas.scene import Scene, scene_for
from gui.canvas.states import State
from gui.canvas.tooltip import tooltip_of
from gui.colorings import DEFAULT, Coloring, colorings
from gui.exporters import png, svg
from gui.theme import DARK, LIGHT, Theme
from tests.model.calls import graph_of, record
from tracer.layout import lay_out
from tracer.model.diff import GraphDiff, diff
from tracer.model.union import Union
from tracer.model.view import DETACHED, NO_GRAD, OPAQUE
from tracer.model.view_builder import ViewOptions, build_view

TRAINING = [record(""), record("a", 0), record("aux", 0)]
EVALUATED = [record("", grad=False, count=7), record("a", 3, False), record("b", 3, False, fed_by=(4,))]


def training() -> nx.MultiDiGraph:
    graph = graph_of(TRAINING, "a#0", "#0")
    graph.nodes["#0/MulBackward0:1"]["opaque"] = True
    return graph


def with_validation() -> nx.MultiDiGraph:
    graph = graph_of([*TRAINING, *EVALUATED], "a#0", "#0")
    graph.nodes["#0/MulBackward0:1"]["opaque"] = True
    return graph


def scene_of(
    graph: nx.MultiDiGraph,
    changes: GraphDiff | None = None,
    opened: tuple[str, ...] = ("#0",),
    theme: Theme = LIGHT,
    name: str = DEFAULT,
) -> Scene:
    """The step of that graph on the union of both steps."""
    union = Union()
    for number, step in enumerate((training(), with_validation())):
        union.add(step, str(number))
    layout = lay_out(build_view(union.graph, ViewOptions(frozenset(opened))))
    return scene_for(layout, graph, changes, colorings()[name], theme)


def states(scene: Scene) -> dict[str, State]:
    return {box.key: State(state) for box, state in zip(scene.boxes, scene.states.tolist(), strict=True)}


def test_a_pass_that_the_step_lacks_is_a_ghost_and_one_it_has_is_present() -> None:
    assert states(scene_of(training()))["#0~"] == State.GHOST
    assert states(scene_of(with_validation()))["#0~"] == State.PRESENT
    assert states(scene_of(training()))["aux#0"] == State.PRESENT


def test_a_pass_that_comes_or_goes_bears_the_mark_of_it() -> None:
    come = diff(training(), with_validation())
    assert states(scene_of(with_validation(), come))["#0~"] == State.ADDED
    gone = diff(with_validation(), training())
    scene = scene_of(training(), gone)
    assert states(scene)["#0~"] == State.REMOVED
    assert states(scene)["aux#0"] == State.PRESENT


def test_a_call_that_lost_its_graph_and_still_runs_is_changed() -> None:
    records = [record("g"), record("d")]
    learning, detached = graph_of(records, "g#0", "d#0"), graph_of(records, "d#0")
    union = Union()
    for number, graph in enumerate((learning, detached)):
        union.add(graph, str(number))
    layout = lay_out(build_view(union.graph, ViewOptions()))
    scene = scene_for(layout, detached, diff(learning, detached), colorings()[DEFAULT], LIGHT)
    assert states(scene)["g#0"] == State.CHANGED
    assert {box.key: box.trait for box in scene.boxes}["g#0"] == DETACHED
    assert states(scene_for(layout, detached, None, colorings()[DEFAULT], LIGHT))["g#0"] == State.PRESENT


def test_links_of_a_pass_are_there_in_the_steps_that_have_it() -> None:
    opened = ("#0", "#0~")
    for graph, expected in ((training(), False), (with_validation(), True)):
        scene = scene_of(graph, opened=opened)
        ends = [(link.source, link.target) for link in scene.layout.view.links]
        assert scene.links_present[ends.index(("a#0~", "b#0~"))] == expected


def test_the_legend_explains_what_is_special_and_only_that() -> None:
    traits = {entry.trait for entry in scene_of(with_validation()).legend}
    assert traits == {"", OPAQUE, DETACHED, NO_GRAD}
    assert {entry.trait for entry in scene_of(training()).legend} == {"", OPAQUE, DETACHED}
    opaque = next(entry for entry in scene_of(training()).legend if entry.trait == OPAQUE)
    assert opaque.label == "Opaque: autograd hides what is inside"


@pytest.mark.parametrize("coloring", colorings().values(), ids=lambda coloring: coloring.NAME)
def test_every_colouring_takes_calls_without_nodes(coloring: Coloring) -> None:
    scene = scene_of(with_validation(), opened=("#0", "#0~"), name=coloring.NAME)
    assert scene.colors.max() < len(scene.swatches)
    assert {entry.trait for entry in scene.legend} >= {OPAQUE, DETACHED, NO_GRAD}


def test_tooltips_say_why_a_call_made_no_graph_and_what_is_opaque() -> None:
    graph = with_validation()
    scene = scene_of(graph)
    told = {box.key: tooltip_of(box, scene.graph) for box in scene.boxes}
    assert "Forward only, without grad" in told["#0~"]
    assert "no grad ×7" in told["#0~"]
    assert "Detached: no gradient reached it" in told["aux#0"]
    assert "Opaque: autograd hides what is inside" in told["#0/MulBackward0:1"]
    assert "Opaque" not in told["a#0"]


def painted(scene: Scene, theme: Theme, scale: float) -> np.ndarray:
    """Pixels (height, width) as grey values."""
    width, height = (round(side * scale) + 4 for side in scene.layout.size)
    image = QImage(width, height, QImage.Format.Format_Grayscale8)
    image.fill(QColor(theme.canvas))
    painter = QPainter(image)
    painter.scale(scale, scale)
    Renderer(scene, theme).paint(painter, (0.0, 0.0, *scene.layout.size), scale)
    painter.end()
    return np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine())[:, :width].astype(int)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("scale", [0.1, 0.2, 0.35, 0.5, 1.0])
def test_an_opaque_node_looks_different_at_every_zoom(qapp: object, theme: Theme, scale: float) -> None:
    graph = with_validation()
    marked = painted(scene_of(graph, theme=theme), theme, scale)
    graph.nodes["#0/MulBackward0:1"]["opaque"] = False
    plain = painted(scene_of(graph, theme=theme), theme, scale)
    differing = np.abs(marked - plain) > 20
    rows, columns = np.flatnonzero(differing.any(axis=1)), np.flatnonzero(differing.any(axis=0))
    assert len(rows) >= 3 and len(columns) >= 3


def test_pictures_show_them_as_well(qapp: object, tmp_path: Path) -> None:
    scene = scene_of(with_validation(), opened=("#0", "#0~"))
    svg.paint(scene, Heading("Step 3"), tmp_path / "out.svg")
    text = (tmp_path / "out.svg").read_text()
    assert "no grad" in text and "Opaque: autograd hides what is inside" in text
    png.paint(scene, Heading("Step 3"), tmp_path / "out.png")
    assert QImage(str(tmp_path / "out.png")).width() > 100


def test_a_pass_opens_by_the_keyboard_and_a_call_with_nothing_in_it_does_not(qtbot: QtBot) -> None:
    canvas = GraphCanvas(LIGHT)
    qtbot.addWidget(canvas)
    canvas.set_scene(scene_of(with_validation()))
    canvas.select("#0~")
    with qtbot.waitSignal(canvas.group_toggled) as toggled:
        qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert toggled.args == ["#0~"]
    canvas.select("aux#0")
    with qtbot.assertNotEmitted(canvas.group_toggled):
        qtbot.keyClick(canvas, Qt.Key.Key_Return)
