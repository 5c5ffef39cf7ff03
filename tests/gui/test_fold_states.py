"""What is marked where copies of a fold come and go: the fold, and not what every copy has."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot

from gui.canvas.fit import fit, fit_against
from gui.canvas.renderer import Renderer
from gui.canvas.rows import rect_of
from gui.canvas.scene import Scene, scene_of
from gui.canvas.states import State
from gui.colorings import DEFAULT, colorings
from gui.comparison import scene_before
from gui.differences import differing_keys
from gui.theme import DARK, LIGHT, Theme
from tests.model.graph_maker import GraphMaker
from tests.model.test_fold import ROOT, routed
from tracer.layout import lay_out
from tracer.model.diff import GraphDiff, diff
from tracer.model.union import Union
from tracer.model.view_builder import ViewOptions, build_view

CELL = frozenset({"cell#0", "cell.gate#0"})
COLORING = colorings()[DEFAULT]


def recurrent(turns: int, odd: str = "", shape: tuple[int, ...] = (2, 4)) -> nx.MultiDiGraph:
    """A cell, with a gate in it, that is called so many times. The gates of the turns `odd` end with a sigmoid."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    state = words = maker.op("EmbeddingBackward0", [], root)
    for turn in range(turns):
        cell = maker.call("cell", "Cell", root, turn)
        gate = maker.call("cell.gate", "Gate", cell, turn)
        state = maker.op("MulBackward0", [state, words], cell)
        opened = maker.op("AddmmBackward0", [state, maker.parameter("cell.gate.weight")], gate)
        if str(turn) in odd:
            opened = maker.op("SigmoidBackward0", [opened], gate)
        state = maker.op("TanhBackward0", [opened], cell)
        maker.graph.nodes[state]["shapes"] = [list(shape)]
    maker.loss(state)
    return maker.graph


def scenes(before: nx.MultiDiGraph, after: nx.MultiDiGraph, opened: frozenset[str]) -> tuple[Scene, Scene]:
    """The earlier step from its own side, and the later one, drawn side by side."""
    union = Union()
    for number, graph in enumerate((before, after)):
        union.add(graph, str(number))
    layout = lay_out(build_view(union.graph, ViewOptions(ROOT | opened)))
    later = scene_of(fit_against(fit(layout, after), set(before)), differences(before, after), COLORING, LIGHT)
    return scene_before(later, fit(layout, before), COLORING, LIGHT), later


def differences(before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> GraphDiff:
    for graph in (before, after):
        for name in ("dtype", "device"):
            nx.set_node_attributes(graph, "", name)
    return diff(before, after)


def states(scene: Scene) -> dict[str, State]:
    """Of all boxes and frames, by their keys."""
    view = scene.layout.view
    parts = zip((*view.boxes, *view.groups), (*scene.states, *scene.group_states), strict=True)
    return {part.key: State(state) for part, state in parts}


def marked(scene: Scene) -> dict[str, State]:
    return {key: state for key, state in states(scene).items() if state > State.GHOST}


@given(st.integers(3, 9), st.integers(3, 9), st.sampled_from([frozenset({"cell#0"}), CELL]))
def test_whole_copies_that_come_or_go_mark_the_open_fold_and_nothing_in_it(
    before: int, after: int, opened: frozenset[str]
) -> None:
    earlier, later = scenes(recurrent(before), recurrent(after), opened)
    changed = {"cell#0": State.CHANGED} if before != after else {}
    inside = {key: state for key, state in marked(later).items() if key.startswith("cell")}
    assert inside == changed
    assert {key: state for key, state in marked(earlier).items() if key.startswith("cell")} == changed
    assert ("cell#0" in differing_keys(later)) == (before != after)


def test_the_closed_box_of_a_fold_is_changed_as_its_frame_is() -> None:
    _, later = scenes(recurrent(5), recurrent(8), frozenset())
    assert states(later)["cell#0"] == State.CHANGED
    assert next(box.title for box in later.boxes if box.key == "cell#0") == "cell ×5 → ×8"


def test_a_member_that_really_differs_is_changed_in_the_open_fold() -> None:
    _, later = scenes(recurrent(5), recurrent(5, shape=(3, 4)), CELL)
    assert marked(later)["cell#0/TanhBackward0:0"] == State.CHANGED
    assert "cell.gate#0/AddmmBackward0:0" not in marked(later) and "cell#0" not in marked(later)


def test_a_box_that_does_not_follow_the_copies_is_changed() -> None:
    """One op more in a copy that stays: the closed call has it, and not as many times as there are copies."""
    layout = lay_out(build_view(recurrent(6), ViewOptions(ROOT | {"cell#0"})))
    before, after = recurrent(6), recurrent(6)
    after.remove_node("cell.gate#5/AddmmBackward0:0")
    scene = scene_of(fit(layout, after), differences(before, after), COLORING, LIGHT)
    assert states(scene)["cell.gate#0"] == State.CHANGED
    assert "cell#0" not in marked(scene)


def test_folds_in_folds_are_marked_by_their_own_numbers() -> None:
    opened = frozenset({"layers.0#0", "layers.0.experts.0#0"})
    for before, after, expected in (((4, 5), (6, 5), {"layers.0#0"}), ((4, 3), (4, 5), {"layers.0.experts.0#0"})):
        _, later = scenes(routed(*before), routed(*after), opened)
        inside = {key for key in marked(later) if key.startswith("layers")}
        assert inside - {"layers.0#0/SumBackward0:0"} == expected


def test_a_first_copy_that_is_left_out_marks_nothing_in_the_folds_within_it() -> None:
    before, after = routed(4, 5), routed(4, 5)
    after.remove_nodes_from([key for key in before if key.startswith("layers.0")])
    _, later = scenes(before, after, frozenset({"layers.0#0", "layers.0.experts.0#0"}))
    inside = {key for key in marked(later) if key.startswith("layers")}
    assert inside - {"layers.0#0/SoftmaxBackward0:0"} == {"layers.0#0"}


@pytest.mark.parametrize(("before", "after", "state"), [(0, 4, State.ADDED), (4, 0, State.REMOVED)])
def test_a_frame_whose_content_is_new_or_gone_as_a_whole_says_so_and_frames_in_it_do_not(
    before: int, after: int, state: State
) -> None:
    earlier, later = scenes(recurrent(before), recurrent(after), CELL)
    assert (states(later)["cell#0"], states(later)["cell.gate#0"]) == (state, State.PRESENT)
    assert states(later)["cell#0/TanhBackward0:0"] == state
    seen_before = State.PRESENT if state == State.ADDED else State.REMOVED
    assert states(earlier)["cell#0"] == seen_before


def test_a_frame_of_mixed_content_says_nothing() -> None:
    _, later = scenes(recurrent(2), recurrent(2, odd="01"), frozenset({"cell#0", "cell.gate#0"}))
    assert marked(later)["cell.gate#0/SigmoidBackward0:0"] == State.ADDED
    assert later.group_states.tolist() == [State.PRESENT] * len(later.groups)


def test_the_legend_counts_frames_beside_boxes() -> None:
    _, later = scenes(recurrent(5), recurrent(8), CELL)
    assert [entry.label for entry in later.legend if entry.mark == "~"] == ["Changed: 1 frame, 1 box"]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("scale", [1.0, 0.2, 0.05], ids=["near", "outlines", "flat"])
def test_a_marked_frame_is_seen_at_every_zoom(qtbot: QtBot, theme: Theme, scale: float) -> None:
    _, later = scenes(recurrent(5), recurrent(8), CELL)
    unmarked = scene_of(later.fit, None, COLORING, theme)
    left, top, _, height = rect_of(later.layout, "cell#0") or (0.0, 0.0, 0.0, 0.0)
    beside = (left - 4.0 / scale, top, 8.0 / scale, height / 2)
    counts = [_pixels_like(one, theme, beside, scale, theme.changed.strong) for one in (later, unmarked)]
    assert counts[0] >= height / 2 * scale * 0.5 and counts[1] == 0


def test_the_ground_differs_where_a_frame_is_marked(qtbot: QtBot) -> None:
    _, later = scenes(recurrent(5), recurrent(8), CELL)
    plain = scene_of(later.fit, None, COLORING, LIGHT)
    assert not Renderer(later, LIGHT).has_ground_of(Renderer(plain, LIGHT))


def _pixels_like(scene: Scene, theme: Theme, area: tuple[float, ...], scale: float, color: str) -> int:
    """How many pixels of an area have about this colour."""
    x, y, width, height = area
    image = QImage(round(width * scale), max(round(height * scale), 1), QImage.Format.Format_RGB32)
    image.fill(QColor(theme.canvas))
    painter = QPainter(image)
    painter.scale(scale, scale)
    painter.translate(-x, -y)
    Renderer(scene, theme).paint(painter, (x, y, width, height), scale)
    painter.end()
    shown = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)[:, : image.width(), 2::-1]
    wanted = QColor(color)
    distance = np.abs(shown.astype(int) - [wanted.red(), wanted.green(), wanted.blue()]).max(axis=2)
    return int((distance < 40).sum())
