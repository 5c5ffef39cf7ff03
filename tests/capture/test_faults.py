"""A bug in any hook of ours is noted on the tape and never reaches the training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils.checkpoint import checkpoint
from torch.utils.tensorboard.writer import SummaryWriter

from tracer import Tape, record
from tracer.capture import recorder
from tracer.capture.guard import guarded

Hook = Callable[..., None]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = checkpoint(self.body, x, use_reentrant=True) if x.requires_grad else self.body(x)
        return self.head(h)


def train(folder: Path) -> list[torch.Tensor]:
    """Whatever calls a hook: modules, two kinds of optimizer step, a scaler that skips one, an evaluation, a compiled
    function, a module that comes later, a NaN at the end."""
    torch.manual_seed(5)
    torch._dynamo.reset()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    square = torch.compile(lambda x: (x * x).sum(), backend="aot_eager")
    results = []
    for step in range(5):
        optimizer.zero_grad()
        x = torch.randn(6, 4).requires_grad_()
        loss = F.cross_entropy(model(x), torch.tensor([0, 1, 2] * 2)) + square(x)
        if step == 2:
            loss = loss * float("inf")
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        with torch.no_grad():
            results.append(model.eval()(torch.ones(1, 4)))
        model.train()
        if step == 1:
            model.extra = nn.Linear(2, 2)
        with SummaryWriter(str(folder / "events")) as writer:
            writer.add_scalar("norm", float(step))
    return [*results, *(parameter.detach() for parameter in model.parameters()), torch.get_rng_state()]


def recorded(folder: Path, name: str | None, monkeypatch: pytest.MonkeyPatch) -> tuple[Tape, list[Any], set[str]]:
    """Train at the level full with the hook `name` failing; the names of all hooks that ran."""
    ran: set[str] = set()

    def watched(hook: Hook, failed: Callable[[str, str], None], strict: bool) -> Hook:
        own = f"{hook.__module__.removeprefix('tracer.capture.')}.{hook.__qualname__}"

        def call(*args: Any) -> None:
            ran.add(own)
            if own == name:
                raise RuntimeError("a bug of ours")
            hook(*args)

        call.__name__ = hook.__name__
        if getattr(hook, "runs_during_compilation", False):
            call.runs_during_compilation = True  # type: ignore[attr-defined]
        return guarded(call, failed, strict)

    monkeypatch.setattr(recorder, "guarded", watched)
    with record(folder / "run.tape", level="full", breakpoints=["gradient_norm_above value=0"]):
        results = train(folder)
    return Tape(folder / "run.tape"), results, ran


# Kept by hand so that a hook that is new, or no longer runs here, is noticed.
HOOKS = """
calls.CallLog.enter
calls.CallLog.leave
compiled.Compilations._after_backend
compiled.Compilations._before_backend
flow.Carriers.through
grad_scaler.ScaledLosses.note
measuring._Attached._put_in
measuring._Attached._suspects
measuring._Attached._take
names.Names.note_registration
not_finite.NotFinite.search
passes.Passes.record
probe.Probe.after_backward
probe.Probe.after_optimizer
probe.Probe.before_backward
probe.Probe.before_optimizer
probes.module_outputs.ModuleOutputs.enter
probes.module_outputs.ModuleOutputs.leave
probes.node_times.NodeTimes._begin
probes.node_times.NodeTimes._end
probes.node_times.NodeTimes.after_backward
probes.node_times.NodeTimes.before_backward
probes.operators.Operators._note
probes.operators.Operators.after_backward
probes.operators.Operators.after_optimizer
probes.operators.Operators.before_backward
probes.operators.Operators.before_optimizer
probes.parameters.Parameters.after_backward
probes.parameters.Parameters.after_optimizer
probes.parameters.Parameters.before_backward
probes.parameters.Parameters.before_optimizer
probes.saved_bytes.SavedBytes.before_backward
recorder.Recorder._after_backward
recorder.Recorder._after_optimizer
recorder.Recorder._after_scaler
recorder.Recorder._ask_breakpoints
recorder.Recorder._before_backward
recorder.Recorder._before_optimizer
recorder.Recorder._before_scaler
recorder.Recorder._end_graph
recorder.Recorder._log_anything
recorder.Recorder._take_measurements
sources.Sources._note_node
step_graph.StepGraph.record_within
"""


def test_these_are_all_hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape, _, ran = recorded(tmp_path, None, monkeypatch)
    assert not tape.events("capture_failed")
    assert sorted(ran) == HOOKS.split()


@pytest.mark.parametrize("name", HOOKS.split())
def test_a_bug_in_a_hook_is_noted_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    bare = train(tmp_path)
    tape, results, ran = recorded(tmp_path, name, monkeypatch)

    assert name in ran
    assert all(torch.equal(one, other) for one, other in zip(results, bare, strict=True))
    assert not _get_current_dispatch_mode_stack() and not module._global_forward_pre_hooks
    failures = tape.events("capture_failed")
    assert "a bug of ours" in failures[0].data["traceback"]
    assert name.endswith(failures[0].data["hook"])
    assert tape.state == "closed"
    if name not in BOUNDARY:
        assert len(tape) == 5


# without these nobody knows where a step ends
BOUNDARY = {f"recorder.Recorder.{name}" for name in ("_after_optimizer", "_after_scaler", "_before_scaler")}
