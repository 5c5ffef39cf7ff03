"""Every way of building a graph: the tape holds what autograd had, and the training does not notice."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import nn

from tests.capture.node_hook import skip_where_threads_are_not_told
from tests.capture.oracle import Oracle, check
from tests.capture.ways import WAYS, Training, Way
from tracer import Tape, record
from tracer.options import LEVELS

ways = pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=pytest.mark.skipif(way.lacks is not None, reason=str(way.lacks))) for way in WAYS],
    ids=str,
)

pytestmark = [
    # Dynamo looks at `.grad` of what is no leaf
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
    # where compiled code ran during a recording, hooks that do nothing stay behind, so that it need not compile again
    pytest.mark.filterwarnings(r"ignore:Using `torch.compile\(module\)` when there are global hooks"),
]


@contextmanager
def built(way: Way) -> Iterator[Training]:
    torch.manual_seed(11)
    training = way.build()
    try:
        yield training
    finally:
        training.close()


@dataclass
class Trace:
    """What a training leaves behind: all that must not depend on being recorded."""

    losses: list[float | None] = field(default_factory=list)
    tensors: dict[str, torch.Tensor | None] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)


def run(way: Way) -> Trace:
    """Train, counting the calls of each module's forward."""
    trace = Trace()
    with built(way) as training, counted(training.models, trace.calls):
        trace.losses = [training.step(step) for step in range(way.n_steps)]
        trace.tensors["random numbers"] = torch.get_rng_state()
        for prefix, model in training.models.items():
            for name, value in model.state_dict().items():
                trace.tensors[f"{prefix}.{name}"] = value.clone()
            for name, weight in model.named_parameters():
                trace.tensors[f"{prefix}.{name}.grad"] = None if weight.grad is None else weight.grad.clone()
    return trace


@contextmanager
def counted(models: dict[str, nn.Module], calls: Counter[str]) -> Iterator[None]:
    """Count in each class's own `forward`, so that calls past the hooks, recomputed and evaluated ones count as well.
    Not those of compiled and scripted code, which has none."""
    classes = {type(module) for model in models.values() for module in model.modules()}
    with ExitStack() as stack:
        for cls in classes:
            if "forward" in vars(cls) and not issubclass(cls, torch.jit.ScriptModule):
                stack.enter_context(patch.object(cls, "forward", counting(cls.forward, cls.__name__, calls)))
        yield


def counting(forward: Callable[..., Any], name: str, calls: Counter[str]) -> Callable[..., Any]:
    def counting_forward(*args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            calls[name] += 1
        return forward(*args, **kwargs)

    return counting_forward


@cache
def bare(way: Way) -> Trace:
    return run(way)


@ways
@pytest.mark.parametrize("level", LEVELS)
def test_training_is_bit_equal_with_and_without_recording(way: Way, level: str, tmp_path: Path) -> None:
    expected = bare(way)
    with record(tmp_path / "run.tape", strict=True, level=level):
        found = run(way)

    assert found.losses == expected.losses
    assert found.calls == expected.calls
    assert found.tensors.keys() == expected.tensors.keys()
    for name, value in expected.tensors.items():
        assert (found.tensors[name] is None) == (value is None), name
        assert value is None or same_bits(found.tensors[name], value), name
    assert len(Tape(tmp_path / "run.tape")) == way.n_steps


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    a, b = (tensor.coalesce().to_dense() if tensor.is_sparse else tensor for tensor in (a, b))
    a, b = (torch.view_as_real(tensor) if tensor.is_complex() else tensor for tensor in (a, b))
    return torch.equal(a.nan_to_num(1e9), b.nan_to_num(1e9)) and torch.equal(a.isnan(), b.isnan())


@ways
def test_every_graph_is_recorded_as_autograd_built_it(way: Way, tmp_path: Path) -> None:
    skip_where_threads_are_not_told(way.name)
    seen, losses = [], []
    with built(way) as training:
        oracle = Oracle(training.models)
        with oracle.watch(), record(tmp_path / "run.tape", strict=True):
            for step in range(way.n_steps):
                losses.append(training.step(step))
                seen.append(oracle.take())

    tape = Tape(tmp_path / "run.tape")
    assert not tape.events("capture_failed")
    assert len(tape) == way.n_steps
    for step, what in enumerate(seen):
        check(tape.graph(step), what)
    assert [step.scalars.get("loss") for step in tape.steps] == [
        None if loss is None else pytest.approx(loss, rel=1e-6) for loss in losses
    ]
