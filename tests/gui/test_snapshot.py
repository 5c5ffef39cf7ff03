"""What the command line draws of two steps: what went stays in its place, and folds say how many copies both have."""

from pathlib import Path

from PySide6.QtWidgets import QApplication

from gui.canvas.snapshot import comparison
from gui.canvas.states import State
from gui.theme import LIGHT
from tests.gui.conftest import record
from tracer import Tape

BRANCHING = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(4, 4)
        self.side = nn.Linear(4, 4)

    def forward(self, x, turns, with_side):
        state = None
        for _ in range(turns):
            state = self.cell(x, state)
        return self.side(state[0]).relu() if with_side else state[0]

torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for turns, with_side in ((3, True), (5, False)):
    optimizer.zero_grad()
    model(torch.randn(3, 4), turns, with_side).sum().backward()
    optimizer.step()
"""


def test_two_steps_in_one_picture_show_what_went_and_count_copies_of_both(qapp: QApplication, tmp_path: Path) -> None:
    with Tape(record(tmp_path, "branching", BRANCHING)) as tape:
        scene, heading = comparison(tape, 1, 0, LIGHT)
    view = scene.layout.view
    removed = {box.title for box, state in zip(view.boxes, scene.states, strict=True) if state == State.REMOVED}
    assert {"side", "Relu"} <= removed
    assert any("×3 → ×5" in part.title for part in (*scene.boxes, *scene.groups))
    assert heading.title == "Step 1 against step 0"
