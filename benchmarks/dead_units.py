"""What looking for dead units adds to the measuring of outputs: `python -m benchmarks.dead_units`."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.steps import make_step
from tracer.capture import dead_units, moments
from tracer.capture.aside import aside

MODELS = ("MLP", "ResNet-18", "12-layer transformer")
ROUNDS = 30


def outputs_of(model: nn.Module, inputs: Tensor) -> list[tuple[nn.Module, Tensor]]:
    """Every module's output in one forward pass."""
    found: list[tuple[nn.Module, Tensor]] = []
    handles = [
        module.register_forward_hook(
            lambda module, _, output: found.append((module, first_of(output).detach().clone()))
        )
        for module in model.modules()
    ]
    model(inputs)
    for handle in handles:
        handle.remove()
    return found


def first_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def median_ms(run: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e3


def measure_all(outputs: Sequence[tuple[nn.Module, Tensor]], scratch: moments.Scratch, *, with_dead: bool) -> int:
    looked_at = 0
    with aside():
        for module, values in outputs:
            rows = list(moments.measure(values, scratch))
            if with_dead and dead_units.may_be_dead(module, values, rows):
                dead_units.count_dead(values)
                looked_at += 1
    return looked_at


def main() -> None:
    torch.set_num_threads(1)
    for name in MODELS:
        step, scratch = make_step(name), moments.Scratch()
        outputs = outputs_of(step.model, step.inputs)
        looked_at = measure_all(outputs, scratch, with_dead=True)
        without = median_ms(partial(measure_all, outputs, scratch, with_dead=False))
        with_dead = median_ms(partial(measure_all, outputs, scratch, with_dead=True))
        print(
            f"{name:<21} {len(outputs):>3} outputs, {looked_at:>2} looked at:"
            f" {without:.3f} ms, with dead units {with_dead:.3f} ms, {with_dead / without - 1:+.1%}"
        )


if __name__ == "__main__":
    main()
