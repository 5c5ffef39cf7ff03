"""Marks, looks and keys on the canvas, from views that were really laid out."""

from collections.abc import Iterable

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.canvas.camera import READABLE_SCALE, Camera
from gui.canvas.canvas import GraphCanvas
from gui.canvas.flight import Flight
from gui.canvas.highlight import highlight_of
from gui.canvas.look import between, camera_for, camera_showing, look_at
from gui.canvas.scene import Scene, scene_for
from gui.colorings import DEFAULT, colorings
from gui.fonts import load_fonts
from gui.marks import DOWNSTREAM, PATH, UPSTREAM, Marks, reach, text_of
from gui.theme import LIGHT
from tests.model.calls import graph_of, record
from tests.model.graph_maker import GraphMaker, everything, perceptron, unrolled
from tracer.layout import lay_out
from tracer.model.stand_ins import StandIns
from tracer.model.view_builder import ViewOptions, build_view

VIEWPORT = (800.0, 600.0)


def scene_of(graph: nx.MultiDiGraph, opened: Iterable[str] | None = None) -> Scene:
    options = ViewOptions(everything(graph) if opened is None else frozenset(opened), folds_repeats=False)
    return scene_for(lay_out(build_view(graph, options)), graph, None, colorings()[DEFAULT], LIGHT)


def stand_ins_of(scene: Scene) -> StandIns:
    return StandIns(scene.layout.view, scene.graph, scene.calls)


def marked(scene: Scene, marks: Marks) -> list[str]:
    """Keys of the boxes, then of the frames."""
    found, view = highlight_of(scene, stand_ins_of(scene), marks), scene.layout.view
    boxes = [view.boxes[row].key for row in found.boxes.tolist()]
    return boxes + [view.groups[row].key for row in found.groups.tolist()]


def asked(scene: Scene, kind: str, *origin: str) -> Marks:
    return reach(scene, stand_ins_of(scene), kind, origin)


# -- what is marked


def test_a_closed_module_is_marked_for_what_is_in_it() -> None:
    scene = scene_of(perceptron(3), {"#0"})
    assert marked(scene, Marks(frozenset({"fc1#0/AddmmBackward0:0"}))) == ["fc1#0"]


def test_a_frame_is_marked_only_itself() -> None:
    scene = scene_of(perceptron(3))
    assert marked(scene, Marks(frozenset({"fc1#0"}))) == ["fc1#0"]
    assert marked(scene, Marks(frozenset({"fc1#0/AddmmBackward0:0"}))) == ["fc1#0/AddmmBackward0:0"]


def test_upstream_is_all_that_networkx_calls_ancestors() -> None:
    graph = perceptron(3)
    marks = asked(scene_of(graph), UPSTREAM, "fc1#0/AddmmBackward0:0")
    assert marks.keys == nx.ancestors(graph, "fc1#0/AddmmBackward0:0") | {"fc1#0/AddmmBackward0:0"}
    assert marks.count == len(marks.keys) - 1


def test_a_closed_module_leads_where_its_nodes_lead() -> None:
    graph = perceptron(3)
    scene = scene_of(graph, {"#0"})
    assert set(marked(scene, asked(scene, DOWNSTREAM, "fc1#0"))) >= {"fc1#0", "fc2#0", "loss"}
    assert "fc0#0" not in marked(scene, asked(scene, DOWNSTREAM, "fc1#0"))


def test_a_node_in_a_closed_module_leads_where_it_leads_itself() -> None:
    graph = perceptron(2)
    assert asked(scene_of(graph, {"#0"}), DOWNSTREAM, "fc1.bias").keys == nx.descendants(graph, "fc1.bias") | {
        "fc1.bias"
    }


def diverging() -> nx.MultiDiGraph:
    """a feeds b and c, which do not meet."""
    maker = GraphMaker()
    first = maker.op("MulBackward0", [maker.parameter("w")])
    maker.op("SinBackward0", [first])
    maker.op("CosBackward0", [first])
    return maker.graph


def test_a_path_is_found_whichever_end_is_chosen_first() -> None:
    scene = scene_of(diverging())
    for ends in (("w", "SinBackward0:0"), ("SinBackward0:0", "w")):
        marks = asked(scene, PATH, *ends)
        assert marked(scene, marks) == ["w", "MulBackward0:0", "SinBackward0:0"]
        assert (marks.count, marks.is_joined) == (1, True)


def test_where_there_is_no_path_the_ends_are_left_and_it_says_so() -> None:
    scene = scene_of(diverging())
    marks = asked(scene, PATH, "SinBackward0:0", "CosBackward0:0")
    assert marked(scene, marks) == ["SinBackward0:0", "CosBackward0:0"]
    assert text_of(marks, ("Sin", "Cos")) == "No path between Sin and Cos"


def test_calls_without_nodes_are_followed_along_the_links_drawn() -> None:
    records = [record("", None, False), *(record(name, 0, False, fed_by=(at,)) for at, name in enumerate("abc"))]
    records[1]["fed_by"] = []
    scene = scene_of(graph_of(records), {"#0~"})
    keys = {box.key for box in scene.layout.view.boxes}
    assert asked(scene, DOWNSTREAM, "b#0~").keys == {"b#0~", "c#0~"}
    assert asked(scene, PATH, "a#0~", "c#0~").keys == {"a#0~", "b#0~", "c#0~"} <= keys


def test_the_text_counts_what_is_upstream() -> None:
    marks = asked(scene_of(perceptron(1)), UPSTREAM, "loss")
    assert text_of(marks, ("loss",)) == f"Upstream of loss: {marks.count} nodes"


def test_links_are_marked_only_between_marked_boxes() -> None:
    scene = scene_of(perceptron(3), {"#0"})
    found = highlight_of(scene, stand_ins_of(scene), asked(scene, UPSTREAM, "fc1#0"))
    keys = {scene.layout.view.boxes[row].key for row in found.boxes.tolist()}
    links = [link for link in scene.layout.view.links if {link.source, link.target} <= keys]
    assert [scene.layout.view.links[row] for row in found.links.tolist()] == links


# -- where it is looked


@given(st.floats(0.05, 3.0), st.floats(-500, 2000), st.floats(-500, 2000))
def test_a_look_leads_back_to_the_same_place(scale: float, x: float, y: float) -> None:
    layout = scene_of(unrolled(2)).layout
    camera = Camera(x, y, scale)
    back = camera_for(look_at(layout, camera, VIEWPORT), layout, VIEWPORT)
    assert back is not None
    assert (back.x, back.y, back.scale) == pytest.approx((x, y, scale), abs=1e-6)


def test_a_look_follows_what_it_was_told_by_into_another_layout() -> None:
    closed, opened = scene_of(perceptron(3), {"#0"}).layout, scene_of(perceptron(3), {"#0", "fc0#0"}).layout
    row = [box.key for box in closed.view.boxes].index("fc2#0")
    x, y, width, height = closed.boxes[row].tolist()
    camera = Camera().centered_on(x + width / 2, y + height / 2, VIEWPORT)
    there = camera_for(look_at(closed, camera, VIEWPORT), opened, VIEWPORT)
    row = [box.key for box in opened.view.boxes].index("fc2#0")
    x, y, width, height = opened.boxes[row].tolist()
    assert there is not None
    assert there.to_view(x + width / 2, y + height / 2) == pytest.approx((400, 300))


def test_a_look_at_what_is_gone_leads_nowhere() -> None:
    layout = scene_of(perceptron(1)).layout
    look = look_at(scene_of(unrolled(3)).layout, Camera(), VIEWPORT)
    assert camera_for(look, layout, VIEWPORT) is None or look.anchor in {box.key for box in layout.view.boxes}


@pytest.mark.parametrize("scale", [0.01, 0.3, 1.0, 2.0])
def test_what_is_shown_stands_in_the_middle_and_can_be_read(scale: float) -> None:
    camera = camera_showing((100.0, 200.0, 80.0, 36.0), Camera(scale=scale), VIEWPORT)
    assert camera.to_view(140.0, 218.0) == pytest.approx((400, 300))
    assert camera.scale == max(scale, READABLE_SCALE)


def test_of_a_frame_too_large_to_read_the_head_is_shown() -> None:
    camera = camera_showing((0.0, 0.0, 9_000.0, 9_000.0), Camera(scale=0.05), VIEWPORT)
    assert camera.scale == READABLE_SCALE
    assert 0 < camera.to_view(4_500.0, 0.0)[1] < 300


def test_a_flight_begins_and_ends_where_it_should() -> None:
    start, end = Camera(0, 0, 0.1), Camera(500, 900, 2.0)
    for share, camera in ((0.0, start), (1.0, end)):
        there = between(start, end, share, VIEWPORT)
        assert (there.x, there.y, there.scale) == pytest.approx((camera.x, camera.y, camera.scale))


# -- the widget


@pytest.fixture
def canvas(qtbot: QtBot, qapp: QApplication) -> GraphCanvas:
    load_fonts()
    widget = GraphCanvas(LIGHT)
    qtbot.addWidget(widget)
    widget.resize(800, 600)
    widget.show()
    widget.set_scene(scene_of(perceptron(3), {"#0"}))
    return widget


def place_of(canvas: GraphCanvas, key: str) -> QPointF:
    rect = canvas.rect_of(key)
    assert rect is not None
    return QPointF(*canvas.camera.to_view(rect[0] + rect[2] / 2, rect[1] + rect[3] / 2))


def mark(canvas: GraphCanvas, marks: Marks) -> None:
    scene = canvas.scene
    assert scene is not None
    canvas.set_highlight(highlight_of(scene, stand_ins_of(scene), marks))


def test_a_marked_box_has_the_accent_around_it(canvas: GraphCanvas) -> None:
    place = (place_of(canvas, "fc1#0") - QPointF(0, 24)).toPoint()
    column = [(place.x() + 30, place.y() + dy) for dy in range(-4, 6)]
    mark(canvas, Marks(frozenset({"fc1#0"})))
    accent = QColor(LIGHT.accent)
    image = canvas.grab().toImage()
    gaps = [abs(image.pixelColor(*at).red() - accent.red()) for at in column]
    assert min(gaps) < 40


def test_what_is_not_upstream_steps_back(canvas: GraphCanvas) -> None:
    scene = canvas.scene
    assert scene is not None
    far, near = place_of(canvas, "fc2#0").toPoint(), place_of(canvas, "fc0#0").toPoint()
    before = canvas.grab().toImage()
    mark(canvas, asked(scene, UPSTREAM, "fc1#0"))
    after = canvas.grab().toImage()

    def darkest(image: QImage, x: int, y: int) -> int:
        return min(image.pixelColor(x + dx, y - 8 + dy).lightness() for dx in range(-30, 30) for dy in range(12))

    assert darkest(after, far.x(), far.y()) > darkest(before, far.x(), far.y()) + 60
    assert abs(darkest(after, near.x(), near.y()) - darkest(before, near.x(), near.y())) < 30


@pytest.mark.parametrize("scale", [0.02, 0.1, 0.36, 1.0])
def test_a_highlight_out_of_sight_only_veils_the_rest(canvas: GraphCanvas, scale: float) -> None:
    scene = canvas.scene
    assert scene is not None
    mark(canvas, asked(scene, UPSTREAM, "fc1#0"))
    for away in (0.0, 1e6):
        canvas.set_camera(Camera(away, 0.0, scale))
        image = canvas.grab().toImage()
        assert not image.isNull()
    assert image.pixelColor(400, 300) == QColor(LIGHT.canvas)


@pytest.mark.parametrize("marks", [Marks(frozenset({"fc1#0"})), None])
def test_what_is_highlighted_can_be_seen_from_afar(canvas: GraphCanvas, marks: Marks | None) -> None:
    scene = canvas.scene
    assert scene is not None
    mark(canvas, marks or asked(scene, UPSTREAM, "fc1#0"))
    canvas.set_camera(Camera(scale=0.02).centered_on(*_center(canvas, "fc1#0"), (800, 600)))
    assert canvas.grab().toImage().pixelColor(400, 300) == QColor(LIGHT.accent)


def _center(canvas: GraphCanvas, key: str) -> tuple[float, float]:
    rect = canvas.rect_of(key)
    assert rect is not None
    return rect[0] + rect[2] / 2, rect[1] + rect[3] / 2


def test_escape_dismisses_what_is_marked_before_the_selection(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.select("fc1#0")
    mark(canvas, Marks(frozenset({"fc1#0"})))
    with qtbot.waitSignal(canvas.highlight_dismissed):
        qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.selected_key == "fc1#0"


@pytest.mark.parametrize("modifier", [Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier])
def test_a_click_with_shift_chooses_a_second_box(
    qtbot: QtBot, canvas: GraphCanvas, modifier: Qt.KeyboardModifier
) -> None:
    canvas.select("fc0#0")
    with qtbot.waitSignal(canvas.second_chosen) as chosen:
        qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, modifier, place_of(canvas, "fc2#0").toPoint())
    assert (chosen.args, canvas.selected_key) == (["fc2#0"], "fc0#0")


@pytest.mark.parametrize(
    ("button", "signal"),
    [(Qt.MouseButton.BackButton, "back_requested"), (Qt.MouseButton.ForwardButton, "forward_requested")],
)
def test_the_mouse_has_buttons_for_back_and_forward(
    qtbot: QtBot, canvas: GraphCanvas, button: Qt.MouseButton, signal: str
) -> None:
    with qtbot.waitSignal(getattr(canvas, signal)):
        qtbot.mouseClick(canvas, button)


def test_tab_goes_through_siblings_and_then_on(qtbot: QtBot, canvas: GraphCanvas) -> None:
    canvas.setFocus()
    canvas.select("fc0#0")
    walked: list[str] = []
    while canvas.focusNextPrevChild(True) and len(walked) < 9:
        walked.append(canvas.selected_key)
    assert walked[:2] == ["fc1#0", "fc2#0"]
    assert len(walked) < 9
    qtbot.keyClick(canvas, Qt.Key.Key_Backtab)
    assert canvas.selected_key != walked[-1]


def test_a_flight_arrives(qtbot: QtBot, canvas: GraphCanvas) -> None:
    flight = Flight(canvas)
    there = Camera(40.0, 50.0, 1.5)
    flight.to(there)
    assert flight.destination == there
    qtbot.waitUntil(lambda: canvas.camera == there)


def test_the_users_own_move_ends_a_flight(qtbot: QtBot, canvas: GraphCanvas) -> None:
    flight = Flight(canvas)
    flight.to(Camera(40.0, 50.0, 1.5))
    canvas.pan(5, 5)
    mine = canvas.camera
    qtbot.waitUntil(lambda: flight.destination == canvas.camera)
    assert canvas.camera == mine
