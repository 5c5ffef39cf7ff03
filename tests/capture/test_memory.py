"""Nothing of a step outlives it: no tensor, no node, no graph; and the memory of a long training stays flat."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch.autograd.variable import Variable
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

import tracer.capture.recorder  # noqa: F401  it makes a node as it is imported
from tests.capture.node_hook import telling_of_nodes
from tests.capture.ways import WAYS, Way
from tracer import record
from tracer.options import LEVELS

ROOT = Path(__file__).parents[2]
LETTING_GO = """plain several_backwards gradient_penalty create_graph_in_backward inner_steps accumulation lbfgs
    two_optimizers_in_turn custom_function checkpoint_reentrant checkpoint_not_reentrant in_place_and_views
    grad_scaler_that_skips vectorized forward_in_a_thread training_in_a_thread jagged sparse structured_outputs
    mixture_of_experts without_grad_and_evaluation forward_that_fails""".split()
"""Ways that hold on to nothing of a step themselves."""


class Mark:
    """Left in a node's metadata, dies with the node."""


@contextmanager
def noted(references: list[weakref.ref[Any]]) -> Iterator[None]:
    """Leave a reference for each autograd node that is made, and for the tensors that go into and come out of modules
    and start a backward."""
    engine = Variable._execution_engine

    def note_node(node: Any) -> None:
        if not hasattr(node, "variable"):
            references.append(weakref.ref(node.metadata.setdefault("mark", Mark())))

    def note_tensors(module: Any, args: Any, output: Any = None) -> None:
        for value in (*args, output):
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                references.append(weakref.ref(value))

    class Noting:
        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def run_backward(self, roots: Any, *args: Any, **kwargs: Any) -> Any:
            note_tensors(None, roots)
            return engine.run_backward(roots, *args, **kwargs)

    with (
        patch.object(Variable, "_execution_engine", Noting()),
        telling_of_nodes(note_node),
        ExitStack() as hooks,
    ):
        hooks.callback(register_module_forward_pre_hook(note_tensors).remove)
        hooks.callback(register_module_forward_hook(note_tensors).remove)
        yield


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("way", [way for way in WAYS if way.name in LETTING_GO], ids=str)
def test_no_node_and_no_tensor_of_a_step_outlives_it(way: Way, level: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    training = way.build()
    references: list[weakref.ref[Any]] = []
    try:
        with noted(references), record(tmp_path / "run.tape", strict=True, level=level):
            for step in range(min(way.n_steps, 3)):
                training.step(step)
                gc.collect()
                assert references and not [thing for reference in references if (thing := reference()) is not None]
                references.clear()
    finally:
        training.close()


LONG_RUN = """
import sys
from collections.abc import Callable

import torch
from torch import nn

from tracer import record

level, kind, tape = sys.argv[1:]
torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 1)})
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def step(i: int) -> None:
    x = torch.randn(2, 4)
    if kind == "changing":  # a number of its own for each step, in binary
        for bit in range(13):
            x = model["body"](x) if i >> bit & 1 else x.tanh()
    model["head"](model["body"](x).relu()).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


with record(tape, strict=True, level=level, control=False):
    for i in range(N_STEPS):
        step(i)
        if i + 1 == N_STEPS // 5:
            before = resident_bytes()
    print(resident_bytes() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc to read the resident memory from")
@pytest.mark.parametrize(
    ("level", "kind", "n_steps", "limit_mb"),
    [
        ("structure", "steady", 5_000, 4),
        ("statistics", "steady", 2_500, 6),
        ("full", "steady", 1_000, 8),
        ("structure", "changing", 5_000, 24),
    ],
)
def test_resident_memory_is_flat(level: str, kind: str, n_steps: int, limit_mb: int, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(LONG_RUN.replace("N_STEPS", str(n_steps)))
    command = [sys.executable, str(script), level, kind, str(tmp_path / "run.tape")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < limit_mb * 1_000_000
