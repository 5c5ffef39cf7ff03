"""The legend: what it says, how it folds; the choice of a colouring, from the menu to the painted colour."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from gui.canvas.fit import fit
from gui.canvas.labels import Labels, wrapped
from gui.canvas.legend import TITLE_HEIGHT, Legend
from gui.canvas.legend_panel import LegendPanel
from gui.canvas.scene import Scene, scene_of
from gui.colorings import colorings, grouped
from gui.fonts import text_font
from gui.settings import Settings
from gui.theme import DARK, LIGHT, Theme
from gui.windows.color_button import ColorButton
from gui.windows.main_window import MainWindow
from gui.windows.menus import color_names
from tests.gui.measured_boxes import ADDMM, LINEAR, LOSS, MUL, RELU, encoder_and_decoder, measured
from tracer.layout import lay_out
from tracer.model.statistics import Statistics
from tracer.model.view import Box, View

SOON_MSECS = 60_000
NODES = measured(nodes={LINEAR: (1e-3, 1.0), RELU: (2e-3, 2.0), ADDMM: (5e-4, 4.0), MUL: (1e-4, 8.0)})


def scene(name: str, statistics: Statistics | None = NODES, theme: Theme = LIGHT) -> Scene:
    boxes = tuple(Box(key, "op", key.rpartition("/")[2], "", None, (key,)) for key in (LINEAR, RELU, ADDMM, MUL, LOSS))
    layout = lay_out(View(boxes, (), ()))
    return scene_of(fit(layout, encoder_and_decoder()), None, colorings()[name], theme, statistics)


def painted(legend: Legend, theme: Theme) -> QImage:
    width, height = legend.size()
    image = QImage(round(width), round(height), QImage.Format.Format_RGB32)
    image.fill(QColor(theme.canvas))
    painter = QPainter(image)
    legend.paint(painter, 0.0, 0.0)
    painter.end()
    return image


def pixels(image: QImage) -> np.ndarray:
    """(height, width, 3)"""
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return rows[:, : image.width(), 2::-1].astype(int)


# -- what it says


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", list(colorings()))
def test_every_legend_is_compact(qtbot: QtBot, name: str, theme: Theme) -> None:
    for statistics in (None, NODES):
        width, height = Legend(scene(name, statistics, theme), theme, is_folded=False).size()
        assert 40 < width <= 240
        assert height <= TITLE_HEIGHT + 14 * 20


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_bar_shows_the_colours_of_the_scale(qtbot: QtBot, theme: Theme) -> None:
    shown = scene("backward_time", theme=theme)
    bar = shown.coloration.bar
    assert bar is not None
    assert [tick.text for tick in bar.ticks] == ["100 µs", "500 µs", "2 ms"]
    row = pixels(painted(Legend(shown, theme), theme))[round(TITLE_HEIGHT) + 5]
    for share in (0.1, 0.5, 0.9):
        wanted = QColor(bar.colors[round(share * (len(bar.colors) - 1))])
        found = row[round(10 + share * 160)]
        assert np.abs(found - (wanted.red(), wanted.green(), wanted.blue())).max() < 16


def test_what_the_step_lacks_is_said_to_be_hidden_where_it_is(qtbot: QtBot) -> None:
    whole = encoder_and_decoder()
    boxes = tuple(Box(key, "op", key, "", None, (key,)) for key in (LINEAR, RELU))
    graph = whole.subgraph(set(whole) - {RELU})
    drawn = scene_of(fit(lay_out(View(boxes, (), ())), graph), None, colorings()["op_type"], LIGHT)
    hidden = replace(drawn, shows_ghosts=False)
    for shown, label in ((drawn, "Not in this step: 1 box"), (hidden, "Not in this step: 1 box, hidden")):
        legend = Legend(shown, LIGHT)
        assert label in [entry.label for entry in legend.entries]
        painted(legend, LIGHT)


def test_a_folded_legend_is_its_title_alone(qtbot: QtBot) -> None:
    shown = scene("backward_time")
    opened, folded = Legend(shown, LIGHT, is_folded=False).size(), Legend(shown, LIGHT, is_folded=True).size()
    assert folded[1] == TITLE_HEIGHT < opened[1]
    assert folded[0] < opened[0]


def test_a_picture_has_no_mark_to_fold_its_legend(qtbot: QtBot) -> None:
    shown = scene("kind")
    assert Legend(shown, LIGHT).size()[0] <= Legend(shown, LIGHT, is_folded=False).size()[0]
    assert Legend(shown, LIGHT).size()[1] == Legend(shown, LIGHT, is_folded=False).size()[1]


def test_what_is_known_of_a_step_stands_for_the_general_reason(qtbot: QtBot) -> None:
    unmeasured = scene("backward_time", None)
    general = Legend(unmeasured, LIGHT, is_folded=False)
    known = Legend(unmeasured, LIGHT, is_folded=False, note="On the way")
    assert known.size()[1] < general.size()[1]
    beside = Legend(scene("backward_time"), LIGHT, is_folded=False, note="Measured in step 3")
    assert beside.size()[1] > Legend(scene("backward_time"), LIGHT, is_folded=False).size()[1]


def test_texts_are_broken_between_words_and_lose_none(qtbot: QtBot) -> None:
    labels = Labels(text_font(11))
    text = "Not measured in this step; record with --level statistics anextraordinarilylongwordthatfitsnowhereatall"
    lines = wrapped(labels, text, 120.0)
    assert " ".join(lines) == text
    assert all(labels.width(line) <= 120.0 for line in lines[:-1])
    assert wrapped(labels, "", 120.0) == []


# -- the panel


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[LegendPanel]:
    host = QWidget()
    qtbot.addWidget(host)
    host.resize(600, 400)
    panel = LegendPanel(LIGHT, host)
    host.show()
    panel.set_scene(scene("backward_time"), LIGHT)
    yield panel


def test_a_click_on_the_title_folds_and_unfolds(panel: LegendPanel) -> None:
    told: list[bool] = []
    panel.folded_changed.connect(told.append)
    height, right = panel.height(), panel.geometry().right()
    QTest.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(20, 10))
    assert panel.is_folded
    assert panel.height() < height
    assert panel.geometry().right() == right
    QTest.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(20, 10))
    assert panel.height() == height
    assert told == [True, False]


def test_a_click_below_the_title_does_nothing(panel: LegendPanel) -> None:
    QTest.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(20, 40))
    assert not panel.is_folded


def test_a_tucked_legend_comes_out_by_a_click_and_stays_out(panel: LegendPanel) -> None:
    told: list[bool] = []
    panel.folded_changed.connect(told.append)
    height = panel.height()
    panel.tuck(True)
    assert panel.height() <= TITLE_HEIGHT + 1
    QTest.mouseClick(panel, Qt.MouseButton.LeftButton, pos=QPoint(20, 10))
    assert panel.height() == height
    panel.tuck(True)
    assert panel.height() == height
    assert told == []


def test_other_colours_bring_a_tucked_legend_out(panel: LegendPanel) -> None:
    panel.tuck(True)
    panel.set_scene(scene("op_type"), LIGHT)
    assert panel.height() > TITLE_HEIGHT + 1


def test_a_legend_without_room_shows_its_title_or_nothing(panel: LegendPanel) -> None:
    panel.fit_into(50)
    assert panel.height() <= TITLE_HEIGHT + 1
    assert not panel.is_folded
    panel.fit_into(10)
    assert panel.isHidden()
    panel.fit_into(400)
    assert panel.height() > 50


def test_a_legend_that_is_not_wanted_is_gone(panel: LegendPanel) -> None:
    panel.set_wanted(False)
    assert panel.isHidden()
    panel.set_wanted(True)
    assert not panel.isHidden()
    panel.set_scene(None, LIGHT)
    assert panel.isHidden()


# -- the choice


def test_the_menu_lists_all_colourings_in_groups() -> None:
    listed = "|".join(name.removeprefix("color_") for name in color_names()).split("||")
    assert [tuple(group.split("|")) for group in listed] == [*grouped(), ("next_coloring", "previous_coloring")]


@pytest.fixture
def shown(qtbot: QtBot, window: MainWindow, full_tape: Path) -> MainWindow:
    """A step with statistics on screen."""
    window.workbench.open_tape(full_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None, timeout=SOON_MSECS)
    return window


def color_by(qtbot: QtBot, window: MainWindow, name: str) -> Scene:
    session = window.workbench.session
    window.actions_[f"color_{name}"].trigger()
    qtbot.waitUntil(
        lambda: session.drawing is not None and session.drawing.question.options.coloring == name, timeout=SOON_MSECS
    )
    assert session.drawing is not None
    return session.drawing.scene


def test_the_choice_is_shown_by_button_and_menu_and_colours_the_step(qtbot: QtBot, shown: MainWindow) -> None:
    found = color_by(qtbot, shown, "gradient_norm")
    assert found.coloration.bar is not None
    button = shown.findChild(ColorButton)
    assert button.text() == "Colour: Gradient norm"
    assert shown.actions_["color_gradient_norm"].isChecked()
    assert shown.actions_["color_gradient_norm"] in button.menu().actions()


def test_k_goes_through_all_colourings_and_comes_back(qtbot: QtBot, shown: MainWindow) -> None:
    session, met = shown.workbench.session, []
    for _ in colorings():
        met.append(session.options.coloring)
        shown.actions_["next_coloring"].trigger()
    assert met == list(colorings())
    assert session.options.coloring == met[0]
    shown.actions_["previous_coloring"].trigger()
    assert session.options.coloring == met[-1]
    assert shown.actions_[f"color_{met[-1]}"].isChecked()


def test_a_step_with_nan_is_an_alarm_where_it_arose(qtbot: QtBot, shown: MainWindow) -> None:
    session = shown.workbench.session
    assert not color_by(qtbot, shown, "not_finite").coloration.alarms.any()
    session.go_to(5)
    qtbot.waitUntil(lambda: session.drawing is not None and session.drawing.step.index == 5, timeout=SOON_MSECS)
    assert session.drawing is not None
    scene = session.drawing.scene
    alarming = {box.key for box, is_alarm in zip(scene.boxes, scene.coloration.alarms, strict=True) if is_alarm}
    assert any(key.startswith("decoder#0") for key in alarming)
    assert not any(key.startswith("encoder#0") for key in alarming)


def test_the_legend_of_a_step_that_was_not_measured_names_one_that_was(
    qtbot: QtBot, window: MainWindow, sampled_tape: Path
) -> None:
    window.workbench.open_tape(sampled_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: len(session.timeline) == 6 and session.drawing is not None, timeout=SOON_MSECS)
    color_by(qtbot, window, "gradient_norm")
    measured_height = window.graph.canvas.legend.height()
    measured_steps = {index for index in range(6) if session.timeline.nearest_measured(index, "statistics") == index}
    session.go_to(next(index for index in range(6) if index not in measured_steps))
    qtbot.waitUntil(
        lambda: session.drawing is not None and session.drawing.step.index == session.step, timeout=SOON_MSECS
    )
    assert session.drawing is not None
    assert session.drawing.scene.coloration.is_unmeasured
    assert window.graph.canvas.legend.height() != measured_height


def test_a_legend_stays_folded_in_the_next_run(qtbot: QtBot, shown: MainWindow, settings: Settings) -> None:
    legend = shown.graph.canvas.legend
    assert not settings.folds_legend
    QTest.mouseClick(legend, Qt.MouseButton.LeftButton, pos=QPoint(20, 10))
    assert legend.is_folded
    assert settings.folds_legend
