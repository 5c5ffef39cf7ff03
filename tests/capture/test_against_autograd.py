"""Every recorded graph equals what autograd had, node by node, for models that people train."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from tracer import Tape, TapeError, record

Compare = Callable[..., Tape]


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01)


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet18", {}), ("densenet121", {}), ("vit_b_16", {"image_size": 32}), ("mobilenet_v3_small", {})],
)
def test_torchvision_models_are_recorded_as_autograd_built_them(compare: Compare, name: str, options: dict) -> None:
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, num_classes=10, **options)
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([1, 2])

    tape = compare(model, sgd(model), lambda _: [F.cross_entropy(model(images), labels)], n_steps=2)

    assert tape.steps[0].topology_id == tape.steps[1].topology_id
    assert tape.graph(0).graph["unreached"] == []


def test_an_lstm_is_recorded_as_autograd_built_it(compare: Compare) -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(20, 8)
            self.lstm = nn.LSTM(8, 16, num_layers=2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(32, 4)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            return self.head(self.lstm(self.embed(words))[0].mean(1))

    model = Tagger()
    compare(model, sgd(model), lambda step: [model(torch.randint(20, (3, 5 + step))).square().sum()])


def test_a_loop_of_another_length_is_another_structure(compare: Compare) -> None:
    class Unrolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTMCell(4, 8)
            self.head = nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = c = torch.zeros(3, 8)
            for at in range(x.shape[1]):
                h, c = self.cell(x[:, at], (h, c))
            return self.head(h)

    model = Unrolled()
    lengths = [1, 2, 3, 2, 1]
    tape = compare(model, sgd(model), lambda step: [model(torch.randn(3, lengths[step], 4)).sum()], n_steps=5)

    ids = [step.topology_id for step in tape.steps]
    assert len(set(ids)) == 3
    assert ids[0] == ids[4] and ids[1] == ids[3]
    assert {call["key"] for call in tape.graph(2).graph["module_calls"]} == {
        "#0",
        "cell#0",
        "cell#1",
        "cell#2",
        "head#0",
    }


def test_in_place_writes_views_and_shared_modules_are_recorded(compare: Compare) -> None:
    class Twisted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Linear(4, 4)
            self.act = nn.ReLU(inplace=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z = torch.zeros(2, 4) * x.sum()
            z[:, :2] = self.act(self.shared(x))[:, :2]
            z[:, 2:] = self.shared(self.shared(x))[:, 2:] * 2
            return z.t().reshape(-1)

    model = Twisted()
    tape = compare(model, sgd(model), lambda _: [model(torch.randn(2, 4)).sum()])

    assert sum(call["path"] == "shared" for call in tape.graph(0).graph["module_calls"]) == 3


def test_several_backwards_share_their_nodes(compare: Compare) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))

    def two_losses(_: int) -> list[torch.Tensor]:
        out = model(torch.randn(3, 4))
        return [out[:, 0].sum(), out[:, 1].square().mean()]

    tape = compare(model, sgd(model), two_losses)

    graph, step = tape.graph(0), tape.steps[0]
    assert [item.kind for item in step.passes] == ["backward", "backward"]
    assert step.scalars["loss"] == pytest.approx(step.scalars["loss:0"] + step.scalars["loss:1"], rel=1e-6)
    assert {data["pass_index"] for _, data in graph.nodes(data=True)} == {0, 1}
    assert sum(data["kind"] == "parameter" for _, data in graph.nodes(data=True)) == 4


def test_a_custom_function_is_recorded(compare: Compare) -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: object, grad: torch.Tensor) -> torch.Tensor:
            return grad * 2

    model = nn.Linear(3, 3)
    tape = compare(model, sgd(model), lambda _: [Double.apply(model(torch.randn(2, 3))).sum()])

    assert "DoubleBackward:0" in tape.graph(0)


def test_a_chain_far_beyond_the_recursion_limit_is_recorded(compare: Compare) -> None:
    model = nn.Linear(1, 1)

    def chain(_: int) -> list[torch.Tensor]:
        x = model(torch.ones(1, 1))
        for _ in range(20_000):
            x = x + 1
        return [x.sum()]

    tape = compare(model, sgd(model), chain, n_steps=1)

    assert len(tape.graph(0)) > 20_000


def test_a_smaller_batch_changes_the_shapes_and_not_the_topology(compare: Compare) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1))
    tape = compare(model, sgd(model), lambda step: [model(torch.randn([4, 4, 3][step], 6)).mean()])

    first, second, third = tape.steps
    assert first.topology_id == second.topology_id == third.topology_id
    assert first.shape_id == second.shape_id != third.shape_id
    found = tape.diff(1, 2)
    assert not found.added and not found.removed
    assert found.changed["0#0/AddmmBackward0:0"]["shapes"] == ([[4, 5]], [[3, 5]])


def test_a_shape_that_only_a_view_decides_changes_the_shape_id(compare: Compare) -> None:
    model = nn.Linear(12, 12)
    rows = [1, 2, 3]
    tape = compare(model, sgd(model), lambda step: [model(torch.ones(1, 12)).view(rows[step], -1).tanh().sum()])

    assert len({step.shape_id for step in tape.steps}) == 3
    assert len({step.topology_id for step in tape.steps}) == 1


def test_dead_branches_do_not_change_the_structure(compare: Compare) -> None:
    model = nn.Linear(4, 4)

    def with_side_computations(step: int) -> list[torch.Tensor]:
        out = model(torch.ones(2, 4))
        for _ in range(step):
            _ = out.exp().sum()
        return [out.relu().sum()]

    tape = compare(model, sgd(model), with_side_computations)

    assert len({step.topology_id for step in tape.steps}) == 1


def test_branches_that_differ_only_in_their_parameters_differ(compare: Compare) -> None:
    class Routed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ParameterList(nn.Parameter(torch.randn(4, 4)) for _ in range(2))

        def forward(self, which: int) -> torch.Tensor:
            return (torch.ones(1, 4) @ self.experts[which]).sum()

    model = Routed()
    tape = compare(model, sgd(model), lambda step: [model(step % 2)], n_steps=4)

    ids = [step.topology_id for step in tape.steps]
    assert ids[0] == ids[2] != ids[1] == ids[3]
    assert tape.graph(0).graph["unreached"] == ["experts.1"]


def test_sampling_keeps_every_kth_graph_and_all_scalars(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    optimizer = sgd(model)
    with record(tmp_path / "run.tape", strict=True, every=3):
        for _ in range(7):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()

    tape = Tape(tmp_path / "run.tape")
    kept = [bool(step.topology_id) for step in tape.steps]
    assert kept == [True, False, False, True, False, False, True]
    assert len(tape.series("loss")[0]) == 7
    with pytest.raises(TapeError, match="graph of step 1 was not"):
        tape.graph(1)
