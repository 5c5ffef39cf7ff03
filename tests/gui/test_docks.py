"""The docks reflect the session and say what the user did with them."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.appearance import Appearance
from gui.docks.console import MOST_LINES, ConsoleDock
from gui.docks.scalars import ScalarsDock
from gui.docks.span import Span
from gui.docks.structure_strip import BAND_HEIGHT, MARK_HEIGHT, StructureStrip
from gui.happenings import Happenings
from gui.models.tree import KEY_ROLE
from gui.session import Session
from gui.theme import DARK, LIGHT
from gui.timeline import Timeline
from gui.windows.main_window import MainWindow
from tests.gui.growing_table import NO_STEPS, table_of
from tracer import Batch, Event


@pytest.fixture
def strip(qtbot: QtBot) -> StructureStrip:
    """Ten steps of two structures, a hundred pixels each."""
    strip = StructureStrip(LIGHT)
    qtbot.addWidget(strip)
    strip.resize(1000, strip.sizeHint().height())
    timeline = Timeline()
    timeline.append(table_of("aaaaabbbbb"))
    strip.set_timeline(timeline)
    strip.set_span(Span(-0.5, 9.5, 0, 1000))
    strip.show()
    return strip


def test_strip_has_one_colour_a_structure_and_a_mark_at_the_change(strip: StructureStrip) -> None:
    image = strip.grab().toImage()
    middle = image.height() // 2
    assert image.pixelColor(50, middle).name() == LIGHT.structure_color(0)
    assert image.pixelColor(950, middle).name() == LIGHT.structure_color(1)
    marks = [x for x in range(image.width()) if image.pixelColor(x, 1).name() == LIGHT.text]
    assert marks == [500]


def test_strip_is_clicked_and_dragged_to_pick_a_step(qtbot: QtBot, strip: StructureStrip) -> None:
    picked: list[int] = []
    strip.step_picked.connect(picked.append)
    qtbot.mousePress(strip, Qt.MouseButton.LeftButton, pos=QPoint(340, 10))
    qtbot.mouseMove(strip, QPoint(660, 10))
    qtbot.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=QPoint(660, 10))
    assert picked[0] == 3


def test_strip_says_step_and_structure(strip: StructureStrip) -> None:
    assert strip.tip(7).splitlines() == ["Step 7", "Structure 2 of 2, shared by 5 steps"]


def test_strip_marks_hits_in_the_band_and_changes_below_it(strip: StructureStrip) -> None:
    happenings = Happenings()
    change = {"optimizer": "SGD", "group": 0, "name": "lr", "before": 0.1, "after": 0.01}
    happenings.append(
        (
            Event(1, "hit", 2, 0, {"breakpoint": 1, "text": "the loss is NaN", "hits": 1, "acted": True}),
            Event(2, "hit", 4, 0, {"breakpoint": 1, "text": "the loss is NaN", "hits": 2, "acted": False}),
            Event(3, "hyperparameter", 7, 0, change),
        )
    )
    strip.set_happenings(happenings)
    image = strip.grab().toImage()
    middle, below = MARK_HEIGHT + BAND_HEIGHT // 2, MARK_HEIGHT + BAND_HEIGHT + 4
    hits = [number for number in range(10) if image.pixelColor(50 + 100 * number, middle).name() == LIGHT.breakpoint]
    changes = [number for number in range(10) if image.pixelColor(50 + 100 * number, below).name() == LIGHT.text]
    assert (hits, changes) == ([2], [7])
    assert strip.tip(2).splitlines()[-1] == "Breakpoint: the loss is NaN"
    assert strip.tip(7).splitlines()[-1] == "SGD: lr 0.1 → 0.01"


def test_strip_paints_far_more_steps_than_pixels(strip: StructureStrip) -> None:
    timeline = Timeline()
    timeline.append(table_of(str(number % 7) for number in range(200_000)))
    strip.set_timeline(timeline)
    strip.set_span(Span(0, 199_999, 0, 1000))
    assert not strip.grab().isNull()


@pytest.fixture
def scalars(qtbot: QtBot, appearance: Appearance, tmp_path) -> tuple[Session, ScalarsDock]:
    session = Session()
    dock = ScalarsDock(session, appearance)
    qtbot.addWidget(dock)
    dock.resize(900, 240)
    dock.show()
    session.open(tmp_path / "run.tape", follows_live=False)
    numbers = np.arange(100)
    session.append(Batch(table_of(100 * "a"), (), {"loss": (numbers, 1 / (1.0 + numbers))}))
    qtbot.waitUntil(lambda: dock.strip._span.last > 90)
    return session, dock


def test_clicking_in_the_plot_goes_to_that_step(qtbot: QtBot, scalars: tuple[Session, ScalarsDock]) -> None:
    session, dock = scalars
    plot = dock.stack.plots["loss"]
    place = plot.box.mapViewToScene(plot.box.mapFromItemToView(plot.box, plot.box.rect().center()))
    view = dock.stack
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.mapFromScene(place))
    assert 45 <= session.step <= 55


def test_strip_and_plot_share_their_steps(scalars: tuple[Session, ScalarsDock]) -> None:
    _, dock = scalars
    left = dock.stack.mapFromScene(dock.stack.plots["loss"].box.sceneBoundingRect().topLeft()).x()
    assert abs(dock.strip._span.px_at(-0.5) - left) <= 1.5


def test_checking_a_scalar_adds_its_plot(qtbot: QtBot, scalars: tuple[Session, ScalarsDock]) -> None:
    session, dock = scalars
    session.append(Batch(NO_STEPS, (), {"lr": (np.arange(100), np.full(100, 0.1))}))
    qtbot.waitUntil(lambda: dock.model.rowCount() == 2)
    dock.model.setData(dock.model.index(1), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert list(dock.stack.plots) == ["loss", "lr"]


def test_a_zoomed_curve_stays_so_when_another_scalar_is_shown_and_a_double_click_shows_all(
    qtbot: QtBot, scalars: tuple[Session, ScalarsDock]
) -> None:
    session, dock = scalars
    box = dock.stack.plots["loss"].box
    box.setXRange(40, 60, padding=0)
    box.sigRangeChangedManually.emit(box.state["mouseEnabled"])
    session.append(Batch(NO_STEPS, (), {"lr": (np.arange(100), np.full(100, 0.1))}))
    qtbot.waitUntil(lambda: dock.model.rowCount() == 2)
    dock.model.setData(dock.model.index(1), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert dock.stack.span[:2] == pytest.approx((40, 60))
    view, box = dock.stack, dock.stack.plots["loss"].box
    place = view.mapFromScene(box.sceneBoundingRect().center())
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: dock.stack.span[:2] == pytest.approx((-0.5, 99.5)))


def test_without_a_plot_the_strip_still_shows_every_step(qtbot: QtBot, scalars: tuple[Session, ScalarsDock]) -> None:
    session, dock = scalars
    dock.model.setData(dock.model.index(0), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    assert not dock.stack.plots
    qtbot.mouseClick(dock.strip, Qt.MouseButton.LeftButton, pos=QPoint(dock.strip.width() - 2, 10))
    assert session.step == 99


def test_console_keeps_streams_apart_and_overwrites_progress(qtbot: QtBot, appearance: Appearance) -> None:
    console = ConsoleDock(appearance)
    qtbot.addWidget(console)
    console.write(b"epoch 1\n", False)
    console.write(b" 10%", True)
    console.write(b"loss 2\n", False)
    console.write(b"\r100%\n", True)
    console.note("The script finished")
    assert console.text.splitlines() == ["epoch 1", "100%", "loss 2", "The script finished"]


def test_console_shows_what_comes_last_but_to_who_reads_above(qtbot: QtBot, appearance: Appearance) -> None:
    console = ConsoleDock(appearance)
    qtbot.addWidget(console)
    for number in range(200):  # before it is in view, as of a run that is joined
        console.note(f"step {number}")
    console.resize(300, 150)
    console.show()
    bar = console.widget().verticalScrollBar()
    qtbot.waitUntil(lambda: bar.value() == bar.maximum() > 0)
    console.note("step 200")
    assert bar.value() == bar.maximum()
    bar.setValue(3)
    console.note("step 201")
    assert bar.value() == 3


def test_console_takes_the_colours_of_another_theme(qtbot: QtBot, appearance: Appearance) -> None:
    console = ConsoleDock(appearance)
    qtbot.addWidget(console)
    console.write(b"epoch 1\n\n 10%", False)
    console.write(b"Traceback\n", True)
    console.note("The script finished")
    appearance.prefer("dark")
    console.write(b"\r100%", False)
    colors = [DARK.console_text, "", DARK.console_text, DARK.console_error, DARK.console_notice]
    cursor, shown = QTextCursor(console.widget().document()), []
    for block in range(len(colors)):
        cursor.setPosition(console.widget().document().findBlockByNumber(block).position())
        has_text = cursor.movePosition(QTextCursor.MoveOperation.NextCharacter) and not cursor.atBlockStart()
        shown.append(cursor.charFormat().foreground().color().name() if has_text else "")
    assert shown == colors
    assert console.text.splitlines()[2] == "100%"


def test_console_is_bounded(qtbot: QtBot, appearance: Appearance) -> None:
    console = ConsoleDock(appearance)
    qtbot.addWidget(console)
    console.write(b"line\n" * (MOST_LINES + 500), False)
    assert len(console.text.splitlines()) <= MOST_LINES


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow, recorded_tape) -> MainWindow:
    """The window on the recorded tape, its first step drawn."""
    window.workbench.open_tape(recorded_tape)
    qtbot.waitUntil(lambda: window.workbench.session.drawing is not None)
    qtbot.waitUntil(lambda: len(window.modules.model) > 0 and len(window.inspector.model.blocks) > 0)
    return window


def test_inspector_shows_the_step_then_the_selection(qtbot: QtBot, opened: MainWindow) -> None:
    blocks = opened.inspector.model.blocks
    assert blocks[0].title == "Step"
    opened.workbench.session.select("cell#0")
    assert opened.inspector.model.blocks[0].title == "Module call"


def test_a_link_in_the_inspector_leads_on(opened: MainWindow) -> None:
    session, model = opened.workbench.session, opened.inspector.model
    session.select("cell#0")
    row = next(row for block in model.blocks for row in block.rows if row.key)
    opened.inspector.tree.key_activated.emit(row.key)
    assert session.selection == row.key


def test_choosing_a_module_selects_its_box(qtbot: QtBot, opened: MainWindow) -> None:
    dock = opened.modules
    index = dock.model.find("cell#0")
    qtbot.mouseClick(dock.tree.viewport(), Qt.MouseButton.LeftButton, pos=dock.tree.visualRect(index).center())
    assert index.data(KEY_ROLE) == "cell#0"
    assert opened.workbench.session.selection == "cell#0"
    assert opened.graph.canvas.selected_key == "cell#0"


def test_selecting_a_node_inside_a_closed_module_marks_the_module(opened: MainWindow) -> None:
    session = opened.workbench.session
    node = next(key for key, call in session.drawing.graph.nodes(data="call_key") if call == "cell#0")
    session.select(node)
    assert opened.graph.canvas.selected_key == "cell#0"
    assert session.selection == node


def test_changes_are_counted_against_the_step_shown_before(qtbot: QtBot, opened: MainWindow) -> None:
    session = opened.workbench.session
    session.next_change()
    qtbot.waitUntil(lambda: session.drawing.step.index == session.step)
    diff = session.drawing.diff
    assert diff
    opened.changes.raise_()
    qtbot.waitUntil(lambda: bool(opened.changes.model.blocks))
    listed = {row.key for block in opened.changes.model.blocks for row in block.rows if row.key}
    assert listed == diff.added | diff.removed | set(diff.changed)


def test_a_followed_run_is_compared_with_the_step_directly_before(qtbot: QtBot, opened: MainWindow) -> None:
    session = opened.workbench.session
    last = len(session.timeline) - 1
    session.follow_live(True)
    qtbot.waitUntil(lambda: session.drawing.step.index == last)
    assert session.drawing.question.compared_step == last - 1
    session.go_to(1)
    qtbot.waitUntil(lambda: session.drawing.step.index == 1)
    assert session.drawing.question.compared_step == last


def test_every_menu_has_a_letter_of_its_own(window: MainWindow) -> None:
    titles = [action.text() for action in window.menuBar().actions()]
    letters = [title[title.index("&") + 1].lower() for title in titles]
    assert len(set(letters)) == len(letters)


def test_nothing_moves_while_the_union_is_the_same(qtbot: QtBot, opened: MainWindow) -> None:
    session = opened.workbench.session
    for number in range(len(session.timeline)):
        session.go_to(number)
        qtbot.waitUntil(lambda: session.drawing.step.index == session.step)
    layout = session.drawing.scene.layout
    session.first()
    qtbot.waitUntil(lambda: session.drawing.step.index == 0)
    assert session.drawing.scene.layout is layout


def test_every_theme_dresses_the_window(opened: MainWindow, appearance: Appearance) -> None:
    pictures = []
    for preference in ("dark", "light"):
        appearance.prefer(preference)
        QApplication.processEvents()
        pictures.append(opened.grab().toImage())
    assert pictures[0].pixelColor(5, 5).lightness() < 80 < 180 < pictures[1].pixelColor(5, 5).lightness()


def test_left_and_right_in_a_tree_fold_rows_and_keep_the_step(qtbot: QtBot, opened: MainWindow) -> None:
    tree = opened.modules.tree
    tree.setFocus()
    tree.setCurrentIndex(opened.modules.model.index(0, 0))
    qtbot.keyClick(tree, Qt.Key.Key_Left)
    assert not tree.isExpanded(opened.modules.model.index(0, 0))
    assert opened.workbench.session.step == 0
    qtbot.keyClick(tree, Qt.Key.Key_Right)
    assert tree.isExpanded(opened.modules.model.index(0, 0))
    assert opened.workbench.session.step == 0


def test_revealing_a_hidden_op_goes_to_what_is_drawn_around_it(qtbot: QtBot, opened: MainWindow) -> None:
    session = opened.workbench.session
    session.toggle_call("cell#0")
    qtbot.waitUntil(lambda: "cell#0" in session.drawing.open_calls)
    hidden = next(key for key in session.drawing.graph if key.startswith("cell#0/TBackward"))
    session.reveal(hidden)
    assert opened.graph.canvas.selected_key == "cell#0"
    assert session.selection == hidden
