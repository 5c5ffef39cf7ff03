"""How it is shown that a fold's copies feed one another: links against the flow, and boxes that feed themselves."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot

from gui.canvas.figure import figure_of
from gui.canvas.geometry import dashes_of, flattened
from gui.canvas.renderer import Renderer
from gui.canvas.rows import rect_of
from gui.canvas.scene import Scene, scene_for
from gui.coloring import LOOP
from gui.colorings import DEFAULT, colorings
from gui.theme import DARK, LIGHT, Theme
from tests.model.test_fold import ROOT, looped, routed, stacked
from tracer.layout import lay_out
from tracer.model.view_builder import ViewOptions, build_view

NUMBERS = st.floats(-1e4, 1e4)
CURVES = st.lists(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=4, max_size=4), min_size=1, max_size=5)


def scene(graph: nx.MultiDiGraph, *opened: str, theme: Theme = LIGHT) -> Scene:
    nx.set_node_attributes(graph, "", "dtype")
    layout = lay_out(build_view(graph, ViewOptions(ROOT | set(opened))))
    return scene_for(layout, graph, None, colorings()[DEFAULT], theme)


def picture(of: Scene, area: tuple[float, float, float, float], theme: Theme, scale: float) -> np.ndarray:
    """An area of a scene, (h, w, 3)."""
    x, y, width, height = area
    image = QImage(round(width * scale), round(height * scale), QImage.Format.Format_RGB32)
    image.fill(QColor(theme.canvas))
    painter = QPainter(image)
    painter.scale(scale, scale)
    painter.translate(-x, -y)
    Renderer(of, theme).paint(painter, area, scale)
    painter.end()
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)[:, : image.width(), 2::-1].copy()


def loop_signs(of: Scene) -> list[str]:
    return [entry.label for entry in of.legend if entry.mark == LOOP]


def test_the_link_to_the_next_turn_leads_up_and_no_other_does() -> None:
    drawn = scene(looped(20), "cell#0")
    links = drawn.layout.view.links
    backward = [links[link] for link in np.flatnonzero(figure_of(drawn.layout).is_backward).tolist()]
    assert [(link.source, link.target) for link in backward] == [("cell#0/TanhBackward0:0", "cell#0/MmBackward0:0")]


def test_the_legend_explains_the_sign_where_there_is_one() -> None:
    assert loop_signs(scene(looped(20), "cell#0")) == ["On to the next copy"]
    assert loop_signs(scene(looped(20))) == ["On to the next copy"]
    assert loop_signs(scene(stacked(*["Block"] * 12))) == ["On to the next copy"]
    assert loop_signs(scene(routed(1, 8))) == loop_signs(scene(stacked("Block", "Norm"))) == []


def test_a_loop_that_the_step_lacks_is_not_explained() -> None:
    layout = lay_out(build_view(looped(20), ViewOptions(ROOT)))
    assert loop_signs(scene_for(layout, stacked("Norm"), None, colorings()[DEFAULT], LIGHT)) == []


@given(CURVES, st.floats(1.0, 100.0))
def test_dashes_lie_on_their_curve_and_leave_gaps(points: list[list[tuple[float, float]]], length: float) -> None:
    control = np.array([[a, a, d, d] for a, _, _, d in points])
    dashes = dashes_of(control, length)
    first, last = control[:, 0].min(axis=0), control[:, 3].max(axis=0)
    for ends in (dashes[:, :2], dashes[:, 2:]):
        assert (ends >= np.minimum(first, control[:, 3].min(axis=0)) - 1e-6).all()
        assert (ends <= np.maximum(last, control[:, 0].max(axis=0)) + 1e-6).all()
    drawn = np.hypot(*(dashes[:, 2:] - dashes[:, :2]).T).sum()
    whole = np.hypot(*(control[:, 3] - control[:, 0]).T).sum()
    assert drawn <= whole * 0.75 + 1e-6


def test_a_straight_curve_has_as_many_dashes_as_its_length_has_room_for() -> None:
    straight = np.array([[(0.0, 0.0), (0.0, 30.0), (0.0, 60.0), (0.0, 90.0)]])
    dashes = dashes_of(straight, 5.0)
    assert len(dashes) == 9
    assert np.allclose(dashes[:, 3] - dashes[:, 1], 5.0)
    assert flattened(straight, 9).reshape(-1, 4).shape == dashes.shape


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("scale", [1.0, 0.25, 0.08], ids=["near", "outlines", "flat"])
def test_a_link_against_the_flow_is_interrupted_at_every_zoom(qtbot: QtBot, theme: Theme, scale: float) -> None:
    """Along the upward stretch of the link some pixels have the frame's colour, and with the flow none has."""
    drawn = scene(looped(20), "cell#0", theme=theme)
    curves = figure_of(drawn.layout).curves
    link = int(np.flatnonzero(figure_of(drawn.layout).is_backward)[0])
    upward = max(curves.control[curves.link == link], key=lambda control: float(np.ptp(control[:, 1])))
    x, top, bottom = upward[0, 0], upward[:, 1].min(), upward[:, 1].max()
    shown = picture(drawn, (x - 0.5 / scale, top, 1.0 / scale, bottom - top), theme, scale).astype(int)
    ground = shown[0, 0]
    strength = np.abs(shown - ground).max(axis=(1, 2))
    assert (strength > 25).any() and (strength <= 25).any()


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_a_box_that_feeds_itself_has_the_sign_and_others_have_not(qtbot: QtBot, theme: Theme) -> None:
    drawn = scene(looped(20), theme=theme)
    inks = {}
    for key in ("cell#0", "head#0"):
        left, top, _, height = rect_of(drawn.layout, key) or (0.0, 0.0, 0.0, 0.0)
        corner = picture(drawn, (left - 7.0, top + height - 8.0, 14.0, 14.0), theme, 2.0).astype(int)
        ink = QColor(theme.edge_label)
        distance = np.abs(corner - [ink.red(), ink.green(), ink.blue()]).max(axis=2)
        inks[key] = int((distance < 30).sum())
    assert inks["cell#0"] > 30 and inks["head#0"] == 0
