"""The app on tapes with passes without grad, detached parts and compiled code, recorded by the real command."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.appearance import Appearance
from gui.drafter import Drafter
from gui.drawing import DrawingOptions, Question
from gui.findings import find
from gui.theme import DARK, LIGHT
from gui.windows.inside import InsideWindow
from gui.windows.main_window import MainWindow
from tests.gui.conftest import record
from tests.model.test_inside import compiled_linear
from tracer import Tape
from tracer.model.structure import Inside, InsideNode, inside_to_networkx
from tracer.model.view import DETACHED, NO_GRAD, OPAQUE

VALIDATED = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        self.head = nn.Linear(8, 2)
        self.aux = nn.Linear(8, 2)

    def forward(self, x):
        x = self.body(x)
        self.aux(x)
        return self.head(x)

torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    if step == 2:
        with torch.no_grad():
            for _ in range(3):
                model(torch.randn(3, 4))
    optimizer.zero_grad()
    model(torch.randn(3, 4)).sum().backward()
    optimizer.step()
"""
INFERENCE = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 8)), nn.Linear(8, 2)).eval()
with torch.inference_mode():
    model(torch.randn(3, 4))
"""


COMPILED = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
compiled = torch.compile(model, backend="aot_eager")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(2):
    optimizer.zero_grad()
    compiled(torch.randn(3, 4)).sum().backward()
    optimizer.step()
"""


@pytest.fixture(scope="module")
def validated_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("tapes"), "validated", VALIDATED)


@pytest.fixture(scope="module")
def inference_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("tapes"), "inference", INFERENCE)


@pytest.fixture
def drafter(validated_tape: Path) -> Iterator[Drafter]:
    with Tape(validated_tape) as tape:
        yield Drafter(tape, lambda: False)


def question(step: int, compared: int = -1, **options: object) -> Question:
    return Question(step, compared, DrawingOptions(**options), LIGHT)  # type: ignore[arg-type]


def test_stepping_over_a_validation_moves_nothing(drafter: Drafter) -> None:
    scenes = [drafter.draw(question(step)).scene for step in (0, 2, 3)]
    assert scenes[0].layout is scenes[1].layout is scenes[2].layout
    row = [box.key for box in scenes[0].boxes].index("#0~")
    assert [scene.states[row] != scenes[0].states[row] for scene in scenes] == [False, True, False]
    assert scenes[1].boxes[row].subtitle == "Net · no grad ×3"
    assert {box.key: box.trait for box in scenes[0].boxes}["aux#0"] == DETACHED


def test_a_validation_is_part_of_what_changed_and_leaves_the_graph_the_same(drafter: Drafter) -> None:
    drawing = drafter.draw(question(2, compared=1))
    assert drawing.diff is not None
    assert not drawing.diff
    assert drawing.diff.calls_added == {"#0~", "body#0~", "body.0#0~", "body.1#0~", "head#0~", "aux#0~"}


def test_forward_only_calls_are_left_out_on_request(drafter: Drafter) -> None:
    scene = drafter.draw(question(2, shows_forward_only=False)).scene
    assert not any(box.trait == NO_GRAD for box in scene.boxes)


def test_a_pure_inference_is_drawn(inference_tape: Path) -> None:
    with Tape(inference_tape) as tape:
        assert [step.phase for step in tape.steps] == ["eval"]
        scene = Drafter(tape, lambda: False).draw(question(0)).scene
    assert [box.title for box in scene.boxes] == ["0", "1.0", "1.1", "2"]
    links = [(link.source, link.target) for link in scene.layout.view.links]
    assert links == [("0#0~", "1.0#0~"), ("1.0#0~", "1.1#0~"), ("1.1#0~", "2#0~")]
    assert scene.links_present.all()


def test_a_link_of_a_pass_is_described_as_data_flow(qtbot: QtBot, window: MainWindow, inference_tape: Path) -> None:
    window.workbench.open_tape(inference_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None)
    window.graph.canvas.select_link(0)
    finding = find(session)
    assert (finding.title, finding.subtitle) == ("Data flow", "0 (no grad) → 1.0 (no grad)")
    assert [fact.key for fact in finding.sections[0].facts] == ["0#0~", "1.0#0~"]


def test_a_forward_only_call_is_found_by_inspector_and_module_tree(
    qtbot: QtBot, window: MainWindow, validated_tape: Path
) -> None:
    window.workbench.open_tape(validated_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.step == 0 and session.drawing is not None)
    session.go_to(2)
    qtbot.waitUntil(lambda: session.drawing is not None and session.drawing.question.step == 2)
    session.select("head#0~")
    finding = find(session)
    rows = {fact.name: fact.value for section in finding.sections for fact in section.facts}
    assert finding.title == "head"
    assert (rows["gradients"], rows["times"]) == ("off", "3 equal calls")
    assert window.graph.canvas.selected_key == "#0~"
    window.modules.refresh()
    assert window.modules.model.find("head#0~") != window.modules.model.find("head#0")
    session.select("aux#0")
    rows = {fact.name: fact.value for section in find(session).sections for fact in section.facts}
    assert rows["gradients"] == "on, but none reached it"


def test_the_action_hides_forward_only_calls_and_is_remembered(
    qtbot: QtBot, window: MainWindow, validated_tape: Path
) -> None:
    window.workbench.open_tape(validated_tape)
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None)
    with qtbot.waitSignal(session.drawing_changed):
        window.actions_["forward_only"].trigger()
    assert session.drawing is not None
    assert "#0~" not in {box.key for box in session.drawing.scene.boxes}
    assert not window.workbench.settings.shows_forward_only


# -- what is inside a compiled node


def test_a_compiled_node_opens_in_a_window_that_goes_with_its_tape(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    window.workbench.open_tape(record(tmp_path, "compiled", COMPILED))
    session = window.workbench.session
    qtbot.waitUntil(lambda: session.drawing is not None)
    assert session.drawing is not None
    box = next(box for box in session.drawing.scene.boxes if box.trait == OPAQUE)
    assert box.can_open
    session.select(box.key)
    window.actions_["toggle_call"].trigger()
    (shown,) = window.graph.insides
    qtbot.waitUntil(lambda: shown.canvas.scene is not None)
    assert shown.canvas.scene is not None
    assert [box.title for box in shown.canvas.scene.boxes if box.kind == "op"] == ["linear", "relu", "linear"]
    window.workbench.close_tape()
    assert not shown.isVisible()


@pytest.fixture
def inside(qtbot: QtBot, appearance: Appearance, window: MainWindow) -> Iterator[InsideWindow]:
    shown = InsideWindow(compiled_linear(), "Net · CompiledFunction", appearance, window)
    shown.show()
    qtbot.waitUntil(lambda: shown.canvas.scene is not None)
    yield shown
    shown.close()


def test_the_inside_is_drawn_and_a_selected_node_described(inside: InsideWindow) -> None:
    assert inside.windowTitle() == "Net · CompiledFunction – torch.compile, backend eager"
    assert inside.canvas.scene is not None
    assert len(inside.canvas.scene.boxes) == 6
    inside.canvas.select("linear")
    message = inside.statusBar().children()
    assert any("torch.nn.functional.linear" in child.text() for child in message if hasattr(child, "text"))


def test_parameters_inside_can_be_hidden(qtbot: QtBot, inside: InsideWindow) -> None:
    inside.parameters.trigger()
    qtbot.waitUntil(lambda: inside.canvas.scene is not None and len(inside.canvas.scene.boxes) == 5)


def test_the_inside_follows_the_theme(inside: InsideWindow, appearance: Appearance) -> None:
    appearance.prefer("dark")
    assert inside.canvas.scene is not None
    assert inside.canvas.scene.swatches[0] == DARK.neutral


def test_escape_clears_the_selection_and_then_closes(qtbot: QtBot, inside: InsideWindow) -> None:
    inside.canvas.select("relu")
    qtbot.keyClick(inside.canvas, Qt.Key.Key_Escape)
    assert inside.canvas.selected_key == "" and inside.isVisible()
    qtbot.keyClick(inside.canvas, Qt.Key.Key_Escape)
    assert not inside.isVisible()


def test_a_window_closed_while_it_lays_out_leaves_no_thread(
    qtbot: QtBot, appearance: Appearance, window: MainWindow
) -> None:
    nodes = [InsideNode("x", "placeholder", "x", (), (2,), "float32")]
    nodes += [InsideNode(f"n{i}", "call_function", "torch.sin", (i,), (2,), "float32") for i in range(3_000)]
    shown = InsideWindow(inside_to_networkx(Inside("big", tuple(nodes))), "Big", appearance, window)
    shown.show()
    shown.close()
    assert shown.canvas.scene is None
