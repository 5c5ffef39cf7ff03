"""The dock of gradients: its map, its bars, what it says is wrong, and where it leads."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetrics
from pytestqt.qtbot import QtBot

from gui.docks.gradients import READ_MSECS, GradientsDock
from gui.flow_map import NONE, NOT_FINITE, ZERO, flow_map
from gui.fonts import text_font
from gui.gradient_keys import key_of, name_of
from gui.gradient_reader import GradientReader, Gradients
from gui.scales import Scale
from gui.theme import LIGHT
from gui.windows.main_window import MainWindow
from tests.gui.conftest import record
from tracer import Tape
from tracer.model.gradient_flow import Norms, sentence

DEEP = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleList(nn.Linear(8, 8) for _ in range(8))
        self.act, self.head, self.unused = nn.ReLU(), nn.Linear(8, 2), nn.Linear(2, 2)
        with torch.no_grad():
            self.head.bias[0] = 1.0

    def forward(self, x):
        for layer in self.encoder:
            x = torch.sigmoid(layer(x))
        return self.head(self.act(x - 9.0) + x)

torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.001)
for step in range(14):
    optimizer.zero_grad()
    loss = net(torch.randn(16, 8)).square().mean()
    (loss * (1e5 if step == 9 else 1)).backward()
    if step == 9:
        for group in optimizer.param_groups:
            group["lr"] = 0.0
    optimizer.step()
"""


@pytest.fixture(scope="module")
def deep_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen steps whose gradients vanish; at step 9 they explode."""
    return record(tmp_path_factory.mktemp("tapes"), "deep", DEEP, "--level", "statistics")


def opened(window: MainWindow, qtbot: QtBot, tape: Path, step: int = 0) -> GradientsDock:
    window.workbench.open_tape(tape)
    session, dock = window.workbench.session, window.gradients
    qtbot.waitUntil(lambda: session.drawing is not None)
    session.go_to(step)
    qtbot.waitUntil(lambda: session.drawing is not None and session.drawing.step.index == step)
    dock.show()
    dock.raise_()
    return dock


def read(window: MainWindow, qtbot: QtBot, tape: Path, step: int = 0) -> GradientsDock:
    """The dock when it has read the tape and shows the step."""
    dock = opened(window, qtbot, tape, step)
    qtbot.waitUntil(lambda: dock.map.flow is not None and dock.summary.text().endswith("measured"))
    qtbot.waitUntil(lambda: dock.map.flow.column == dock.map.flow.norms.column(step))
    qtbot.waitUntil(lambda: bool(dock.findings_model.rowCount()))
    return dock


def test_the_map_holds_the_norms_of_the_tape(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock = read(window, qtbot, deep_tape, 3)
    dock.by.setCurrentIndex(1)
    flow = dock.map.flow
    assert flow.norms.steps.tolist() == list(range(14)) and dock.summary.text() == "14 steps measured"
    with Tape(deep_tape) as tape:
        for step in (0, 3, 13):
            table = tape.statistics(step).parameters
            for name in ("encoder.0.weight", "head.bias"):
                at = flow.norms.names.index(name)
                assert flow.norms.values[at, step] == np.float32(table.row(name)["grad_norm"])
    at = flow.norms.names.index("unused.weight")
    assert np.isnan(flow.norms.values[at]).all() and flow.shown_entries()[at] == NONE


def test_rows_are_modules_in_forward_order(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    names = read(window, qtbot, deep_tape).map.flow.norms.names
    assert [name for name in names if name != "unused"] == [*(f"encoder.{at}" for at in range(8)), "head"]


def test_what_is_wrong_is_said(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock = read(window, qtbot, deep_tape, 3)
    texts = dock.findings_model.stringList()
    assert texts == [sentence(one) for one in dock.found]
    assert texts[0].startswith("Gradients shrink 10^") and texts[0].endswith("from head to encoder.0")
    assert "unused.weight was not reached by the loss of step 3" in texts
    assert any("explodes at step 9" in text for text in texts)
    assert any(text.startswith("act: up to 8 of 8 units were zero") for text in texts)


def test_a_click_on_a_cell_goes_to_its_step_and_module(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock, session = read(window, qtbot, deep_tape), window.workbench.session
    places, names = dock.map.places(), dock.map.flow.norms.names
    row = names.index("encoder.5")
    x = places.map.left() + (11 + 0.5) / 14 * places.map.width()
    qtbot.mouseClick(dock.map, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round((row + 0.5) * places.row_px)))
    qtbot.waitUntil(lambda: session.drawing.step.index == 11)
    assert (session.step, session.selection) == (11, "encoder.5#0")
    qtbot.waitUntil(lambda: dock.map.flow.column == 11)


def test_a_click_on_a_finding_leads_there(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock, session = read(window, qtbot, deep_tape), window.workbench.session
    at = next(at for at, one in enumerate(dock.found) if one.kind == "spike")
    dock.findings.clicked.emit(dock.findings_model.index(at))
    assert (session.step, session.selection) == (9, key_of(session.drawing.graph, dock.found[at].name))
    qtbot.waitUntil(lambda: session.drawing.step.index == 9)
    at = next(at for at, one in enumerate(dock.found) if one.kind == "dead")
    dock.findings.activated.emit(dock.findings_model.index(at))
    assert (session.step, session.selection) == (9, "act#0")


def test_arrow_keys_go_from_cell_to_cell(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock, session = read(window, qtbot, deep_tape, 4), window.workbench.session
    dock.map.setFocus()
    qtbot.keyClick(dock.map, Qt.Key.Key_Down)
    qtbot.keyClick(dock.map, Qt.Key.Key_Down)
    assert session.step == 4 and session.selection == key_of(session.drawing.graph, dock.map.flow.norms.names[1])
    qtbot.keyClick(dock.map, Qt.Key.Key_Up)
    assert session.selection == key_of(session.drawing.graph, dock.map.flow.norms.names[0])


def test_what_is_selected_elsewhere_is_marked(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock, session = read(window, qtbot, deep_tape), window.workbench.session
    for key, name in (
        ("encoder.2#0", "encoder.2"),
        ("head.weight", "head"),
        ("encoder.3#0/AddmmBackward0:0", "encoder.3"),
    ):
        session.select(key)
        qtbot.waitUntil(lambda name=name: dock.map._row == dock.map.flow.norms.names.index(name))
    session.select("loss")
    qtbot.waitUntil(lambda: dock.map._row == -1)


def test_a_tape_without_measured_steps_says_what_to_do(window: MainWindow, qtbot: QtBot, recorded_tape: Path) -> None:
    dock = opened(window, qtbot, recorded_tape)
    qtbot.waitUntil(lambda: dock._gradients is not None)
    assert dock.message.isVisible() and "--level statistics" in dock.message.text()
    assert not dock.map.isVisible()


def test_steps_between_those_measured_show_the_last_measured(
    window: MainWindow, qtbot: QtBot, sampled_tape: Path
) -> None:
    dock = read(window, qtbot, sampled_tape, 3)
    flow = dock.map.flow
    assert flow.norms.steps.tolist() == [0, 2, 4] and flow.column == 1
    assert flow.step_of(flow.column) == 2


def test_gradients_that_are_not_finite_are_told(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    script = DEEP.replace("1e5 if step == 9", 'float("inf") if step == 9')
    dock = read(window, qtbot, record(tmp_path, "infinite", script, "--level", "statistics"), 9)
    assert NOT_FINITE in dock.map.flow.shown_entries()
    assert any("not finite at step 9" in text for text in dock.findings_model.stringList())


def test_another_tape_starts_over(window: MainWindow, qtbot: QtBot, deep_tape: Path, full_tape: Path) -> None:
    dock = read(window, qtbot, deep_tape)
    first = dock._reader
    window.workbench.open_tape(full_tape)
    qtbot.waitUntil(lambda: dock.summary.text() == "6 steps measured")
    assert dock._reader is not first and "encoder.0" not in dock.map.flow.norms.names
    window.workbench.close_tape()
    assert dock._reader is None and dock.found == ()


def test_nothing_is_read_before_the_dock_is_in_view(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    window.workbench.open_tape(deep_tape)
    qtbot.waitUntil(lambda: window.workbench.session.drawing is not None)
    qtbot.wait(2 * READ_MSECS)
    assert window.gradients._reader is None


def test_the_dock_can_be_painted_at_any_size(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock = read(window, qtbot, deep_tape, 9)
    for size in ((900, 400), (300, 90), (160, 40)):
        dock.map.resize(*size)
        assert not dock.map.grab().isNull()
    places = dock.map.places()
    image = dock.map.grab().toImage()
    colors = {
        image.pixelColor(round(places.bars.left() + 3), round((row + 0.5) * places.row_px)).name()
        for row, length in enumerate(dock.map.flow.bars())
        if length > 0.1
    }
    assert len(colors) > 2


def test_each_row_has_room_for_its_label_and_the_map_scrolls(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock = read(window, qtbot, deep_tape, 9)
    dock.by.setCurrentIndex(1)
    qtbot.waitUntil(lambda: len(dock.map.flow.norms.names) > 15)
    bar = dock.map.parentWidget().parentWidget().verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    places, metrics = dock.map.places(), QFontMetrics(text_font(LIGHT.sizes.small_text))
    assert places.row_px >= metrics.ascent() + metrics.descent()
    for _ in dock.map.flow.norms.names:
        qtbot.keyClick(dock.map, Qt.Key.Key_Down)
    assert bar.value() == bar.maximum()


def test_the_legend_goes_on_in_another_line_where_it_has_no_room(
    window: MainWindow, qtbot: QtBot, deep_tape: Path
) -> None:
    dock = read(window, qtbot, deep_tape, 9)
    words = {}
    for width in (900, 260):
        dock.map.resize(width, 300)
        dock.foot.resize(width, 40)
        legend, metrics = dock.foot.legend(), dock.foot.fontMetrics()
        words[width] = [word for _, _, _, word in legend]
        assert words[width][1:] == ["zero", "not finite", "none"]
        assert (max(line for line, _, _, _ in legend) > 0) == (width == 260)
        first = dock.map.places().map.left()
        for _, at, patch, word in legend:
            assert at + patch + metrics.horizontalAdvance(word) <= width or at == round(first)


def test_a_cell_is_found_under_each_pixel_and_none_outside(window: MainWindow, qtbot: QtBot, deep_tape: Path) -> None:
    dock = read(window, qtbot, deep_tape, 2)
    places, flow = dock.map.places(), dock.map.flow
    assert dock.map.cell_at(QPointF(places.map.left() + 1, 1)) == (0, 0)
    assert dock.map.cell_at(QPointF(places.map.right() - 1, 1)) == (0, 13)
    assert dock.map.cell_at(QPointF(places.bars.left() + 5, 1)) == (0, flow.column)
    assert dock.map.cell_at(QPointF(places.map.left() + 1, places.map.bottom() + 3)) is None
    assert dock.map.cell_at(QPointF(5, -1)) in (None, (0, flow.column))
    assert "Step 0" in flow.tip(1, 0) and "gradient" in flow.tip(1, 0)


# -- without a window


def test_colours_tell_zero_infinite_and_missing_from_sizes() -> None:
    values = np.array([[1e-4, 1.0, 0.0, np.inf, np.nan]], np.float32)
    flow = flow_map(Norms(("a",), np.arange(5), values), Scale(1e-4, 1.0, is_log=True), 1)
    assert flow.entries(5).tolist() == [[0, 63, ZERO, NOT_FINITE, NONE]]
    assert flow.bars().tolist() == [1.0]


def test_of_steps_that_share_a_pixel_the_largest_norm_shows() -> None:
    values = np.full((1, 1000), 1e-3, np.float32)
    values[0, 501] = 1.0
    flow = flow_map(Norms(("a",), np.arange(1000), values), Scale(1e-4, 1.0, is_log=True), 0)
    entries = flow.entries(100)
    assert entries.shape == (1, 100) and entries.max() == 63 and entries[0, 50] == 63


def test_a_module_that_was_not_called_leads_to_a_parameter(recorded_tape: Path) -> None:
    with Tape(recorded_tape) as tape:
        graph = tape.graph(0)
    assert key_of(graph, "cell") == "cell#0" and key_of(graph, "cell.weight_ih") == "cell.weight_ih"
    assert key_of(graph, "nothing") == ""
    assert name_of(graph, "cell#1", ("cell",)) == "cell" and name_of(graph, "cell.bias_ih", ("cell",)) == "cell"
    assert (
        name_of(graph, "cell.bias_ih", ("cell.bias_ih",)) == "cell.bias_ih"
        and name_of(graph, "loss", ("cell",)) is None
    )


def test_a_live_tape_is_read_as_it_grows(qtbot: QtBot, tmp_path: Path) -> None:
    import torch

    from tracer import record as record_here

    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    seen: list[Gradients] = []
    with record_here(tmp_path / "live.tape", level="statistics") as _:
        reader = None
        for step in range(6):
            model(torch.randn(4, 3)).sum().backward()
            optimizer.step()
            if step == 2:
                qtbot.waitUntil(lambda: (tmp_path / "live.tape").exists())
                reader = GradientReader(tmp_path / "live.tape")
                reader.read.connect(seen.append)
                reader.start()
                qtbot.waitUntil(lambda: bool(seen))
    qtbot.waitUntil(lambda: bool(seen) and seen[-1].n_read == 6)
    assert reader is not None
    reader.finish()
    assert seen[-1].is_complete and seen[-1].modules.norms.names == ("",)
