"""Where steps begin and end, what their scalars are, and how things are called."""

from pathlib import Path

import pytest
import torch
from torch import nn

import tracer
from tracer import Tape, UsageError, record


def make() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(2, 1)
    return model, torch.optim.SGD(model.parameters(), lr=0.25)


def test_a_step_ends_with_the_optimizer_and_holds_what_accumulated(tmp_path: Path) -> None:
    model, optimizer = make()
    with record(tmp_path / "run.tape", strict=True):
        for _ in range(3):
            losses = [model(torch.ones(1, 2)).mean() / 2 for _ in range(2)]
            for loss in losses:
                loss.backward()
            optimizer.step()

    tape = Tape(tmp_path / "run.tape")
    assert len(tape) == 3
    assert [len(step.passes) for step in tape.steps] == [2, 2, 2]
    assert {key for key, data in tape.graph(0).nodes(data=True) if data["kind"] == "output"} == {"loss", "loss:1"}
    assert tape.steps[0].scalars["lr"] == 0.25


def test_without_an_optimizer_a_step_ends_with_each_backward(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    with record(tmp_path / "run.tape", strict=True):
        for _ in range(3):
            model(torch.ones(1, 2)).mean().backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter -= 0.1 * parameter.grad
                    parameter.grad = None

    assert len(Tape(tmp_path / "run.tape")) == 3


def test_an_optimizer_of_another_model_does_not_end_the_steps_of_this_one(tmp_path: Path) -> None:
    _, other = make()
    model = nn.Linear(2, 1)
    with record(tmp_path / "run.tape", strict=True):
        for _ in range(3):
            model(torch.ones(1, 2)).mean().backward()

    assert len(Tape(tmp_path / "run.tape")) == 3
    assert other.param_groups


def test_step_overrides_where_steps_end(tmp_path: Path) -> None:
    model, optimizer = make()
    with record(tmp_path / "run.tape", strict=True):
        for _ in range(4):
            for _ in range(2):
                model(torch.ones(1, 2)).mean().backward()
            tracer.step()
            optimizer.step()

    tape = Tape(tmp_path / "run.tape")
    assert [len(step.passes) for step in tape.steps] == [2, 2, 2, 2]


def test_logged_values_belong_to_the_step_around_them(tmp_path: Path) -> None:
    model, optimizer = make()
    with record(tmp_path / "run.tape", strict=True):
        for step in range(3):
            loss = model(torch.ones(1, 2)).mean()
            tracer.log(during=step)
            loss.backward()
            optimizer.step()
            tracer.log(after=10 * step, tensor=torch.tensor(step))

    tape = Tape(tmp_path / "run.tape")
    for name, values in {"during": [0, 1, 2], "after": [0, 10, 20], "tensor": [0, 1, 2]}.items():
        steps, found = tape.series(name)
        assert steps.tolist() == [0, 1, 2]
        assert found.tolist() == values
    assert tape.steps[1].scalars["after"] == 10


def test_log_without_a_recording_does_nothing() -> None:
    tracer.log(accuracy=0.9)
    tracer.step()


def test_evaluation_is_recorded_beside_the_steps_and_not_as_steps(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        model.train()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    def test(n: int) -> None:
        model.eval()
        with torch.no_grad():
            for _ in range(n):
                model(torch.ones(1, 2))

    with record(tmp_path / "run.tape", strict=True):
        train()
        test(5)
        train()
        test(2)

    tape = Tape(tmp_path / "run.tape")
    first, second = tape.steps
    assert first.topology_id == second.topology_id
    assert [(item.kind, item.count) for item in second.passes] == [("forward", 5), ("backward", 1)]
    calls = tape.graph(1).graph["module_calls"]
    evaluated = [call for call in calls if not call["grad_enabled"]]
    assert [(call["path"], call["training"], call["count"]) for call in evaluated] == [
        ("", False, 5),
        ("0", False, 5),
        ("1", False, 5),
        ("2", False, 5),
    ]
    assert [calls[call["parent"]]["path"] for call in calls if call["parent"] is not None] == [""] * 6
    (event,) = tape.events("evaluated")
    assert event.data["passes"] == 2


def test_inference_alone_is_one_evaluation_step(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    with record(tmp_path / "run.tape", strict=True), torch.inference_mode():
        for _ in range(3):
            model(torch.ones(1, 2))

    (step,) = Tape(tmp_path / "run.tape").steps
    assert step.phase == "eval"
    assert step.passes[0].count == 3


def test_a_second_model_is_named_by_its_class_and_the_first_by_nothing(tmp_path: Path) -> None:
    class Judge(nn.Sequential):
        pass

    maker, judge = nn.Sequential(nn.Linear(2, 2)), Judge(nn.Linear(2, 1))
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in (maker, judge)]
    with record(tmp_path / "run.tape", strict=True):
        judge_loss = judge(maker(torch.ones(1, 2)).detach()).sum()
        judge_loss.backward()
        optimizers[1].step()
        judge(maker(torch.ones(1, 2))).sum().backward()
        optimizers[0].step()

    tape = Tape(tmp_path / "run.tape")
    parameters = [
        {data["parameter"] for _, data in tape.graph(step).nodes(data=True) if data["kind"] == "parameter"}
        for step in (0, 1)
    ]
    assert parameters[0] == {"Judge.0.weight", "Judge.0.bias"}
    assert parameters[1] == {"Judge.0.weight", "Judge.0.bias", "0.weight", "0.bias"}
    assert tape.graph(0).graph["unreached"] == ["0.bias", "0.weight"]


def test_a_graph_that_reaches_back_over_a_step_keeps_its_modules(tmp_path: Path) -> None:
    class Maker(nn.Sequential):
        pass

    class Judge(nn.Sequential):
        pass

    maker, judge = Maker(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), Judge(nn.Linear(2, 1))
    learns_to_judge = torch.optim.SGD(judge.parameters(), lr=0.1)
    learns_to_make = torch.optim.SGD(maker.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", strict=True):
        for _ in range(3):
            made = maker(torch.ones(1, 2))
            (judge(torch.ones(1, 2)) - judge(made.detach())).sum().backward()
            learns_to_judge.step()
            judge(made).sum().backward()
            learns_to_make.step()

    tape = Tape(tmp_path / "run.tape")
    assert len({step.topology_id for step in tape.steps}) == 2
    assert [step.optimizer for step in tape.steps] == ["SGD", "SGD 2"] * 3
    assert tape.series("loss (SGD 2)")[0].tolist() == [1, 3, 5]
    assert tape.series("loss (SGD)")[0].tolist() == [2, 4]
    for step in (1, 3, 5):
        graph = tape.graph(step)
        ops = {key: data["module"] for key, data in graph.nodes(data=True) if data["kind"] == "op"}
        assert {"0#0/AddmmBackward0:0", "1#0/ReluBackward0:0", "2#0/AddmmBackward0:0"} <= ops.keys()
        assert {"Judge.0#0/AddmmBackward0:0"} <= ops.keys()
        assert [key for key, module in ops.items() if module is None] == ["SumBackward0:0"]
        assert [call["path"] for call in graph.graph["module_calls"]] == ["", "0", "1", "2", "Judge", "Judge.0"]


def test_parts_called_directly_are_named_within_the_model_that_is_trained(tmp_path: Path) -> None:
    class Coder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.Linear(2, 2), nn.Linear(2, 2)

    model = Coder()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = nn.Sequential(model, nn.Softmax(dim=-1))
    with record(tmp_path / "run.tape", strict=True):
        model.decoder(model.encoder(torch.ones(1, 2))).sum().backward()
        optimizer.step()

    graph = Tape(tmp_path / "run.tape").graph(0)
    assert {"encoder.weight", "decoder.bias", "encoder#0/AddmmBackward0:0"} <= set(graph)
    assert wrapper[0] is model


def test_parameters_of_a_module_run_through_forward_are_named(tmp_path: Path) -> None:
    model, optimizer = make()
    with record(tmp_path / "run.tape", strict=True):
        model.forward(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    graph = Tape(tmp_path / "run.tape").graph(0)
    assert {"weight", "bias", "AddmmBackward0:0"} <= set(graph)


def test_leaves_that_are_no_parameters_are_numbered(tmp_path: Path) -> None:
    with record(tmp_path / "run.tape", strict=True):
        for _ in range(2):
            a, b = (torch.ones(2, requires_grad=True) for _ in range(2))
            (a * b).sum().backward()

    tape = Tape(tmp_path / "run.tape")
    assert {"leaf:0", "leaf:1"} <= set(tape.graph(0))
    assert tape.steps[0].topology_id == tape.steps[1].topology_id


def test_grad_passes_are_recorded_and_are_no_loss(tmp_path: Path) -> None:
    model, optimizer = make()
    with record(tmp_path / "run.tape", strict=True):
        x = torch.ones(1, 2, requires_grad=True)
        out = model(x).square().sum()
        (gradient,) = torch.autograd.grad(out, x, create_graph=True)
        loss = out + gradient.square().sum()
        loss.backward()
        optimizer.step()

    tape = Tape(tmp_path / "run.tape")
    (step,) = tape.steps
    assert [item.kind for item in step.passes] == ["grad", "backward"]
    assert step.scalars["loss"] == pytest.approx(loss.item())
    made_by_the_gradient = [key for key in tape.graph(0) if key.startswith("MmBackward0")]
    assert made_by_the_gradient


def test_two_recordings_at_once_are_refused(tmp_path: Path) -> None:
    with record(tmp_path / "one.tape"), pytest.raises(UsageError, match="already on"), record(tmp_path / "two.tape"):
        pass


def test_an_exception_is_noted_and_goes_on(tmp_path: Path) -> None:
    model, optimizer = make()
    with pytest.raises(ZeroDivisionError), record(tmp_path / "run.tape"):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        _ = 1 / 0

    tape = Tape(tmp_path / "run.tape")
    assert len(tape) == 1
    (event,) = tape.events("exception")
    assert event.data["type"] == "ZeroDivisionError"
    assert tape.state == "closed"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_on_a_gpu_losses_arrive_without_a_synchronisation(tmp_path: Path) -> None:
    model = nn.Linear(256, 256, device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.randn(64, 256, device="cuda")
    losses = []
    with record(tmp_path / "run.tape", strict=True):
        for step in range(20):
            torch.cuda.set_sync_debug_mode("error" if step else "default")
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        torch.cuda.set_sync_debug_mode("default")

    tape = Tape(tmp_path / "run.tape")
    assert tape.series("loss")[1].tolist() == [loss.item() for loss in losses]
    assert tape.graph(3).nodes["weight"]["device"] == "cuda:0"


def test_layers_replaced_by_wider_ones_change_the_shapes_alone(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(tmp_path / "run.tape", strict=True):
        for width in (4, 4, 6, 6, 4):
            if width != model[1].out_features:
                model[1], model[2] = nn.Linear(4, width), nn.Linear(width, 1)
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()

    tape = Tape(tmp_path / "run.tape")
    graphs = [tape.graph(step) for step in range(5)]
    assert [graph.nodes["1.weight"]["shapes"] for graph in graphs] == [[[w, 4]] for w in (4, 4, 6, 6, 4)]
    assert [graph.nodes["1#0/AddmmBackward0:0"]["shapes"] for graph in graphs] == [[[2, w]] for w in (4, 4, 6, 6, 4)]
    assert len({step.topology_id for step in tape.steps}) == 1
    first, _, wide, _, back = (step.shape_id for step in tape.steps)
    assert first == back != wide


def test_an_unreached_parameter_is_listed_only_while_it_could_learn(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    unreached = []
    with record(tmp_path / "run.tape", strict=True):
        for trains in (True, True, False, False, True):
            model[1].requires_grad_(trains)
            unreached.append(["1.bias", "1.weight"] if trains else [])
            model[0](torch.ones(2, 2)).sum().backward()
            optimizer.step()
    tape = Tape(tmp_path / "run.tape")
    assert [tape.graph(step).graph["unreached"] for step in range(5)] == unreached
