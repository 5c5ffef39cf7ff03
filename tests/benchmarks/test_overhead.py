"""The arithmetic of the overhead benchmark, and the size of the graphs it measures on."""

from pathlib import Path

import pytest
from torch.nn.modules import module

import tracer
from benchmarks.instruments import INSTRUMENTS, Recording, count_nodes
from benchmarks.overhead import Cost, confidence_interval, measure, summarize, verdict
from benchmarks.steps import make_step


def cost(extra_ms: float) -> Cost:
    return summarize([10.0] * 9, [10.0 + extra_ms] * 9)


def test_extra_is_the_median_of_the_differences_within_the_pairs() -> None:
    slow_machine_halfway = [10.0, 10.0, 30.0, 30.0, 30.0]

    summary = summarize(slow_machine_halfway, [11.0, 11.0, 31.0, 31.0, 99.0])

    assert (summary.extra_ms, summary.bare_ms, summary.with_min_ms) == (1.0, 30.0, 11.0)


def test_confidence_interval_lies_around_the_median_and_within_the_values() -> None:
    assert confidence_interval([float(i) for i in range(101)]) == (40.0, 60.0)
    assert confidence_interval([1.0, 2.0]) == (1.0, 2.0)


@pytest.mark.parametrize(("ours_ms", "answer"), [(0.5, "yes (0.500 of 0.600 ms)"), (0.7, "no (0.700 of 0.600 ms)")])
def test_verdict_compares_with_a_fifth_of_torchviz(ours_ms: float, answer: str) -> None:
    costs = {"recorded": cost(ours_ms), "torchviz make_dot": cost(3.0)}

    assert verdict("ResNet-18", costs) == f"recorded extra <= 1/5 of torchviz's extra on ResNet-18: {answer}"


def test_verdict_says_so_where_torchviz_is_not_installed() -> None:
    assert verdict("ResNet-18", {"recorded": cost(0.5)}).endswith("not measured")


@pytest.mark.parametrize(("name", "nodes"), [("MLP", 16), ("12-layer transformer", 916), ("LSTMCell x200", 3010)])
def test_steps_have_the_graphs_they_are_known_for(name: str, nodes: int) -> None:
    assert count_nodes(make_step(name).forward()) == nodes


@pytest.mark.parametrize("instrument_name", ["recorded", "floor: walk + empty hooks"])
def test_measuring_leaves_no_hook_behind(instrument_name: str) -> None:
    step = make_step("MLP")
    with INSTRUMENTS[instrument_name](step) as instrument:
        measured = measure(step, instrument, budget_secs=0.0)

    assert measured.pairs >= 5
    assert not module._global_forward_hooks and not module._global_forward_pre_hooks


def test_recording_is_on_only_between_on_and_off(tmp_path: Path) -> None:
    step = make_step("MLP")
    with tracer.record(tmp_path / "run.tape", strict=True) as recorder:
        recording = Recording(step, recorder)
        step.run()
        recording.on()
        recording.run()
        recording.off()
        step.run()

    assert len(tracer.Tape(tmp_path / "run.tape")) == 1
