"""The arithmetic of the overhead benchmark, and the size of the graphs it measures on."""

from pathlib import Path

import pytest
import torch
from torch.nn.modules import module

import tracer
from benchmarks.bars import verdicts
from benchmarks.cost import Cost, confidence_interval, summarize
from benchmarks.instruments import INSTRUMENTS, Recording, count_nodes
from benchmarks.overhead import main, measure
from benchmarks.overhead_page import bars_of, figures_of, sections, write
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


@pytest.mark.parametrize(("ours_ms", "answer"), [(0.25, "met (0.0833"), (0.6, "missed (0.2000")])
def test_a_bar_compares_extras_of_one_run(ours_ms: float, answer: str) -> None:
    costs = {"structure": cost(ours_ms), "torchviz": cost(3.0)}

    (line,) = [line for line in verdicts("ResNet-18", costs) if "torchviz" in line]

    assert line.startswith(f"structure extra <= 1/8 of torchviz's: {answer} [") and line.endswith("at most 0.1250)")


def test_a_bar_compares_whole_steps() -> None:
    (line,) = verdicts("MLP", {"structure": cost(3.0)})

    assert line == "structure step <= 1.25 x the bare one: missed (1.3000 [1.3000 to 1.3000], at most 1.2500)"


def test_a_bar_within_the_noise_is_undecided() -> None:
    noisy = summarize([10.0] * 9, [10.0 + at for at in (-3, -2, -1, 0, 0.2, 1, 2, 3, 4)])
    lines = verdicts("ResNet-18", {"structure": noisy, "torchviz": cost(3.0), "floor": cost(-1.0)})

    assert [line.partition(": ")[2].split()[0] for line in lines if "not measured" not in line] == ["undecided"] * 3


def test_a_bar_says_what_was_not_measured() -> None:
    lines = list(verdicts("12-layer transformer", {"structure": cost(0.5)}))

    assert lines[1] == "structure extra <= 1/8 of torchviz's: not measured (torchviz)"
    assert len(lines) == 4 and all("not measured" in line for line in lines)


def test_steps_measured_again_take_their_place_on_the_page() -> None:
    page = sections(["MLP: 16 nodes", "  old", "", "ResNet-18: 134 nodes", "  kept", "  > claim: met (1)"])
    page |= sections(["", "MLP: 16 nodes", "  new", "  > claim: missed (2)"])

    assert figures_of(page) == ["MLP: 16 nodes", "  new", "  > claim: missed (2)", "", *page["ResNet-18"]]
    assert bars_of(page) == ["MLP: claim: missed (2)", "ResNet-18: claim: met (1)"]


@pytest.mark.parametrize(("name", "nodes"), [("MLP", 16), ("12-layer transformer", 916), ("LSTMCell x200", 3010)])
def test_steps_have_the_graphs_they_are_known_for(name: str, nodes: int) -> None:
    assert count_nodes(make_step(name).forward()) == nodes


@pytest.mark.parametrize("instrument_name", ["structure", "floor", "statistics every 10", "full"])
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


def test_figures_go_to_the_page_asked_for_and_steps_of_another_device_stay(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write(page, ["MLP on cuda: 16 nodes", "  structure  bare 1", "  > claim: met (1)"], threads=1)
    write(page, ["MLP: 16 nodes", "  structure  bare 2"], threads=1)

    text = page.read_text()
    assert text.index("MLP on cuda: claim: met (1)") < text.index("MLP on cuda: 16 nodes") < text.index("MLP: 16 nodes")


@pytest.mark.parametrize("device", ["nonsense", "meta"])
def test_a_device_that_is_not_there_is_refused(device: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--device", device, "MLP"])
    assert f"this machine, or this torch, has no device '{device}'" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_step_on_cuda_is_that_of_the_cpu() -> None:
    here, there = make_step("MLP"), make_step("MLP", "cuda")

    assert torch.equal(here.inputs, there.inputs.cpu())
    assert all(map(torch.equal, here.model.state_dict().values(), there.model.cpu().state_dict().values()))
    assert there.device.type == "cuda"
