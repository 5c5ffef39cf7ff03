"""What can be done to a training step: Tapescope, its peers, and the least that any of them could do.

An instrument is switched on and off between blocks of steps, outside the measured time, so that bare and instrumented
ones can alternate in one process.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor
from torch.autograd import detect_anomaly
from torch.autograd.graph import Node
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from benchmarks.steps import TrainingStep

if TYPE_CHECKING:
    from tracer.capture.recorder import Recorder


class Instrument(Protocol):
    """`run` is measured; `on` and `off`, called around a block of runs, are not."""

    def on(self) -> None: ...
    def off(self) -> None: ...
    def run(self) -> None: ...


class PerStep:
    """An instrument that is a call within the step and leaves nothing behind."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run

    def on(self) -> None:
        pass

    def off(self) -> None:
        pass


class EmptyHooks:
    """The floor: hooks that do nothing around every module call, and a walk over the graph that keeps nothing."""

    def __init__(self, step: TrainingStep) -> None:
        self.step = step
        self.handles: list[Any] = []

    def on(self) -> None:
        self.handles = [
            register_module_forward_pre_hook(lambda module, inputs: None),
            register_module_forward_hook(lambda module, inputs, output: None),
        ]

    def off(self) -> None:
        for handle in self.handles:
            handle.remove()

    def run(self) -> None:
        loss = self.step.forward()
        count_nodes(loss)
        self.step.finish(loss)


class Recording:
    """Tapescope, recording to a tape; its hooks are out while the bare step runs. Every `period`-th step differs."""

    def __init__(self, step: TrainingStep, recorder: "Recorder", period: int = 1) -> None:
        self.run = step.run
        self.period = period
        self.on = recorder.resume
        self.off = recorder.suspend
        self.off()


def count_nodes(loss: Tensor) -> int:
    """The size of the graph behind a loss, by the barest possible walk."""
    root = loss.grad_fn
    assert root is not None
    seen: set[Node] = {root}
    waiting = [root]
    while waiting:
        for following, _ in waiting.pop().next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return len(seen)


@contextmanager
def recorded(step: TrainingStep, level: str = "structure", every: int = 1) -> Iterator[Instrument]:
    from tracer import record

    with (
        TemporaryDirectory() as folder,
        record(Path(folder) / "bench.tape", level=level, every=every, strict=True) as recorder,
    ):
        yield Recording(step, recorder, every)


@contextmanager
def floor(step: TrainingStep) -> Iterator[Instrument]:
    yield EmptyHooks(step)


@contextmanager
def torchviz(step: TrainingStep) -> Iterator[Instrument]:
    from torchviz import make_dot

    def run() -> None:
        loss = step.forward()
        make_dot(loss)
        step.finish(loss)

    yield PerStep(run)


@contextmanager
def torchview(step: TrainingStep) -> Iterator[Instrument]:
    from torchview import draw_graph

    def run() -> None:
        step.run()
        draw_graph(step.model, input_data=step.inputs, mode="train")

    yield PerStep(run)


@contextmanager
def torchlens(step: TrainingStep) -> Iterator[Instrument]:
    from torchlens import trace

    def run() -> None:
        step.run()
        trace(step.model, step.inputs)

    yield PerStep(run)


@contextmanager
def torch_profiler(step: TrainingStep) -> Iterator[Instrument]:
    from torch.profiler import ProfilerActivity, profile

    def run() -> None:
        with profile(activities=[ProfilerActivity.CPU]):
            step.run()

    yield PerStep(run)


@contextmanager
def anomaly_mode(step: TrainingStep) -> Iterator[Instrument]:
    def run() -> None:
        with detect_anomaly(check_nan=False):
            step.run()

    yield PerStep(run)


INSTRUMENTS: dict[str, Callable[[TrainingStep], AbstractContextManager[Instrument]]] = {
    "structure": recorded,
    "floor": floor,
    "torchviz": torchviz,
    "statistics every 10": partial(recorded, level="statistics", every=10),
    "statistics": partial(recorded, level="statistics"),
    "full": partial(recorded, level="full"),
    "torch.profiler": torch_profiler,
    "anomaly mode": anomaly_mode,
    "torchview": torchview,
    "torchlens": torchlens,
}
