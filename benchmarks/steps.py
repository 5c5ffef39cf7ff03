"""The training steps to measure on: small and large, fixed and long, the same each time (seed 1)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One iteration on one batch that stays the same. `inputs` and `target` have the batch first."""

    model: nn.Module
    inputs: Tensor
    target: Tensor
    optimizer: optim.Optimizer

    @property
    def device(self) -> torch.device:
        return self.inputs.device

    def forward(self) -> Tensor:
        self.optimizer.zero_grad()
        return F.cross_entropy(self.model(self.inputs), self.target)

    def finish(self, loss: Tensor) -> None:
        loss.backward()
        self.optimizer.step()

    def run(self) -> None:
        self.finish(self.forward())


class LoopedCell(nn.Module):
    """An `LSTMCell` stepped in Python along dimension 1 of (batch, time, features): a graph as long as the sequence."""

    def __init__(self, features: int, hidden_size: int, classes: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(features, hidden_size)
        self.output = nn.Linear(hidden_size, classes)

    def forward(self, sequences: Tensor) -> Tensor:
        state = None
        for features in sequences.unbind(1):
            state = self.cell(features, state)
        assert state is not None
        return self.output(state[0])


class Classifier(nn.Module):
    """A transformer encoder over (batch, time, features), averaged over time."""

    def __init__(self, features: int, layers: int, classes: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(features, nhead=4, dim_feedforward=2 * features, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.output = nn.Linear(features, classes)

    def forward(self, sequences: Tensor) -> Tensor:
        return self.output(self.encoder(sequences).mean(dim=1))


def mlp() -> TrainingStep:
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    return _training_step(model, torch.randn(64, 784))


def resnet18() -> TrainingStep:
    from torchvision.models import resnet18 as build

    return _training_step(build(num_classes=10), torch.randn(8, 3, 64, 64))


def transformer() -> TrainingStep:
    return _training_step(Classifier(features=64, layers=12, classes=10), torch.randn(8, 32, 64))


def lstm_cell(length: int) -> TrainingStep:
    return _training_step(LoopedCell(features=32, hidden_size=64, classes=10), torch.randn(8, length, 32))


def densenet201() -> TrainingStep:
    from torchvision.models import densenet201 as build

    return _training_step(build(num_classes=10), torch.randn(4, 3, 64, 64))


STEPS: dict[str, Callable[[], TrainingStep]] = {
    "MLP": mlp,
    "ResNet-18": resnet18,
    "12-layer transformer": transformer,
    "DenseNet-201": densenet201,
    "LSTMCell x200": partial(lstm_cell, 200),
    "LSTMCell x1000": partial(lstm_cell, 1000),
}


def make_step(name: str, device: str = "cpu") -> TrainingStep:
    """The step of that name, with equal weights and data at every call and on every device."""
    torch.manual_seed(1)
    step = STEPS[name]()
    step.model.to(device)
    return replace(step, inputs=step.inputs.to(device), target=step.target.to(device))


def _training_step(model: nn.Module, inputs: Tensor) -> TrainingStep:
    target = torch.randint(10, (len(inputs),))
    return TrainingStep(model, inputs, target, optim.SGD(model.parameters(), lr=0.001, momentum=0.5))
