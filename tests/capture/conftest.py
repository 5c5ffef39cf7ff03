"""What tests of capture share: no mode left behind, and a training compared with the oracle."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from tests.capture.oracle import Oracle, check
from tracer import Tape, record


@pytest.fixture(autouse=True)
def no_mode_left() -> Iterator[None]:
    """Fail a test after which a dispatch mode of ours is still on the stack: it would watch all that come after it."""
    yield
    assert not _get_current_dispatch_mode_stack()


Step = Callable[[int], list[torch.Tensor]]


@pytest.fixture
def compare(tmp_path: Path) -> Callable[..., Tape]:
    """Record steps of a model and check each against the oracle. `forward(i)` gives the losses of step i, each then
    run backward."""

    def run(
        model: nn.Module, optimizer: torch.optim.Optimizer, forward: Step, n_steps: int = 3, **options: Any
    ) -> Tape:
        oracle, all_built = Oracle({"": model}), []
        with oracle.watch(), record(tmp_path / "run.tape", strict=True, **options):
            for step in range(n_steps):
                optimizer.zero_grad()
                losses = forward(step)
                for at, loss in enumerate(losses):
                    loss.backward(retain_graph=at + 1 < len(losses))
                optimizer.step()
                all_built.append(oracle.take())
        tape = Tape(tmp_path / "run.tape")
        assert not tape.events("capture_failed")
        assert len(tape) == n_steps
        for step, built in enumerate(all_built):
            check(tape.graph(step), built)
        return tape

    return run
