"""Small trainings whose graph changes for a reason that is known, each recorded on a tape."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from tracer import Tape, record


def recorded(tape: Path, model: nn.Module, loss_of: Callable[[int], torch.Tensor], n_steps: int) -> Tape:
    """One backward a step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(tape, strict=True):
        for step in range(n_steps):
            optimizer.zero_grad()
            loss_of(step).backward()
            optimizer.step()
    return Tape(tape)


class Reader(nn.Module):
    """A cell called once a word."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cell, self.output = nn.Embedding(10, 4), nn.LSTMCell(4, 8), nn.Linear(8, 2)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        state = None
        for word in words:
            state = self.cell(self.embedding(word[None]), state)  # the loop
        assert state is not None
        return self.output(state[0])


def reader(tape: Path) -> Tape:
    """Sentences of 3 words, from step 3 on of 5, in step 6 of 7."""
    model = Reader()
    words = (3, 3, 3, 5, 5, 5, 7)
    return recorded(
        tape, model, lambda step: F.cross_entropy(model(torch.arange(words[step])), torch.tensor([1])), len(words)
    )


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).relu()  # in a block


class Residual(nn.Module):
    """Blocks of which any may be left out."""

    def __init__(self, count: int = 6) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(count))
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, skipped: frozenset[int]) -> torch.Tensor:
        for number, block in enumerate(self.blocks):
            if number not in skipped:
                x = x + block(x)  # around a block
        return self.head(x)


def stochastic_depth(tape: Path) -> Tape:
    """From step 3 on blocks 1 and 3 are left out."""
    model = Residual()
    skipped = [frozenset[int]()] * 3 + [frozenset({1, 3})] * 3
    return recorded(tape, model, lambda step: model(torch.randn(3, 4), skipped[step]).mean(), 6)


class Mixture(nn.Module):
    """Of four experts those run that are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(Block() for _ in range(4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, chosen: tuple[int, ...], sizes: tuple[int, ...]) -> torch.Tensor:
        parts = [self.experts[at](part) for at, part in zip(chosen, x.split(sizes), strict=True)]
        return self.head(torch.cat(parts))


def routing(tape: Path) -> Tape:
    """Experts 0 and 1; from step 3 on 1 and 3; in step 6 the same two on other parts of the batch."""
    model = Mixture()
    chosen = [(0, 1)] * 3 + [(1, 3)] * 4
    sizes = [(5, 3)] * 3 + [(3, 5)] * 3 + [(6, 2)]
    return recorded(tape, model, lambda step: model(torch.randn(8, 4), chosen[step], sizes[step]).mean(), 7)


class EarlyExit(nn.Module):
    """Leaves after so many layers by the exit there."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block() for _ in range(6))
        self.exit, self.norm, self.head = nn.Linear(4, 2), nn.LayerNorm(4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, depth: int) -> torch.Tensor:
        for layer in self.layers[:depth]:
            x = layer(x)
        if depth < len(self.layers):
            return self.exit(x)  # the way out
        return self.head(self.norm(x))


def early_exit(tape: Path) -> Tape:
    model = EarlyExit()
    return recorded(tape, model, lambda step: model(torch.randn(3, 4), 6 if step < 3 else 3).mean(), 6)


class Regularised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def dropout(tape: Path) -> Tape:
    """From step 3 on the head is in evaluation mode, from step 6 on all of it."""
    model = Regularised()

    def loss_of(step: int) -> torch.Tensor:
        if step == 3:
            model.head.eval()
        if step == 6:
            model.eval()
        return model(torch.randn(6, 4)).mean()

    return recorded(tape, model, loss_of, 9)


def batch(tape: Path) -> Tape:
    """The last batch is smaller."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return recorded(tape, model, lambda step: model(torch.randn(64 if step < 3 else 32, 4)).mean(), 4)


def features(tape: Path) -> Tape:
    """Longer sequences: dimension 1."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return recorded(tape, model, lambda step: model(torch.randn(2, 12 if step < 3 else 15, 4)).mean(), 4)


def freezing(tape: Path) -> Tape:
    """From step 3 on the body is frozen, in step 6 one bias of the head as well; from step 7 on no gradient reaches
    the head's weight."""
    model = nn.Module()
    model.body, model.head = Block(), nn.Linear(4, 2)

    def forward(x: torch.Tensor) -> torch.Tensor:
        return model.head(model.body(x))

    model.forward = forward

    def loss_of(step: int) -> torch.Tensor:
        if step == 3:
            model.body.requires_grad_(False)
        if step == 6:
            model.head.bias.requires_grad_(False)
        return model(torch.randn(3, 4)).mean()

    return recorded(tape, model, loss_of, 8)


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.main, self.side = Block(), nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, is_detached: bool) -> torch.Tensor:
        body = self.body(x)
        side = self.side(body)
        return self.main(body) + (side.detach() if is_detached else side)


def detached(tape: Path) -> Tape:
    """From step 3 on no gradient reaches the second head."""
    model = TwoHeads()
    return recorded(tape, model, lambda step: model(torch.randn(3, 4), step >= 3).mean(), 6)


class Generator(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(2, 4), nn.Tanh())


class Discriminator(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 1))


def gan(tape: Path) -> Tape:
    """The discriminator's steps and the generator's take turns, each with its optimizer."""
    generator, discriminator = Generator(), Discriminator()
    of_d = torch.optim.SGD(discriminator.parameters(), lr=0.01)
    of_g = torch.optim.SGD(generator.parameters(), lr=0.01)
    one, zero = torch.ones(3, 1), torch.zeros(3, 1)
    with record(tape, strict=True):
        for _ in range(3):
            made = generator(torch.randn(3, 2))
            of_d.zero_grad()
            real = F.binary_cross_entropy_with_logits(discriminator(torch.randn(3, 4)), one)
            made_up = F.binary_cross_entropy_with_logits(discriminator(made.detach()), zero)  # on what was made up
            (real + made_up).backward()  # both
            of_d.step()
            of_g.zero_grad()
            F.binary_cross_entropy_with_logits(discriminator(made), one).backward()
            of_g.step()
    return Tape(tape)


def accumulation(tape: Path) -> Tape:
    """Two backwards a step, from step 3 on four."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record(tape, strict=True):
        for step in range(6):
            optimizer.zero_grad()
            for _ in range(2 if step < 3 else 4):
                model(torch.randn(3, 4)).mean().backward()
            optimizer.step()
    return Tape(tape)


class Rewired(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, is_skipping: bool) -> torch.Tensor:
        first = self.first(x)
        second = self.second(first)
        return self.third(first if is_skipping else second) + second


def rewiring(tape: Path) -> Tape:
    """From step 3 on the third layer takes what the first gives."""
    model = Rewired()
    return recorded(tape, model, lambda step: model(torch.randn(3, 4), step >= 3).mean(), 6)


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = Block(), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, use_reentrant: bool | None) -> torch.Tensor:
        if use_reentrant is None:
            return self.head(self.body(x))
        return self.head(checkpoint(self.body, x, use_reentrant=use_reentrant))


def checkpointing(tape: Path) -> Tape:
    """From step 3 on the body is checkpointed the new way, which autograd sees through; from step 6 on the old way."""
    model = Checkpointed()

    def loss_of(step: int) -> torch.Tensor:
        use_reentrant = None if step < 3 else step >= 6
        return model(torch.randn(3, 4, requires_grad=True), use_reentrant).mean()

    return recorded(tape, model, loss_of, 9)


class Functional(nn.Module):
    """A loop without modules."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))

    def forward(self, x: torch.Tensor, turns: int, is_scaled: bool) -> torch.Tensor:
        if is_scaled:
            x = x * self.weight.sum()  # scaled
        for _ in range(turns):
            x = torch.tanh(x @ self.weight)  # a turn
        return x


def functional(tape: Path) -> Tape:
    """Two turns, from step 3 on three, from step 6 on scaled as well."""
    model = Functional()
    return recorded(tape, model, lambda step: model(torch.randn(3, 4), 2 if step < 3 else 3, step >= 6).mean(), 9)


def evaluation(tape: Path) -> Tape:
    """Before step 2 four evaluations."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def loss_of(step: int) -> torch.Tensor:
        if step == 2:
            with torch.no_grad():
                for _ in range(4):
                    model(torch.randn(3, 4))
        return model(torch.randn(3, 4)).mean()

    return recorded(tape, model, loss_of, 4)


def precision(tape: Path) -> Tape:
    """From step 3 on in bfloat16, where autocast likes it."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def loss_of(step: int) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=step >= 3):
            return model(torch.randn(3, 4)).mean()

    return recorded(tape, model, loss_of, 6)


def cast(tape: Path) -> Tape:
    """From step 3 on in float64."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def loss_of(step: int) -> torch.Tensor:
        if step == 3:
            model.double()
        return model(torch.randn(3, 4, dtype=torch.float64 if step >= 3 else torch.float32)).mean()

    return recorded(tape, model, loss_of, 6)


def frozen_layers(tape: Path) -> Tape:
    """From step 3 on the first two linear layers are frozen, and with them the activations after them."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))

    def loss_of(step: int) -> torch.Tensor:
        if step == 3:
            model[0].requires_grad_(False)
            model[2].requires_grad_(False)
        return model(torch.randn(3, 4)).mean()

    return recorded(tape, model, loss_of, 5)


def transformer(tape: Path) -> Tape:
    """From step 3 on in evaluation mode, in which torch's attention takes another way."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def loss_of(step: int) -> torch.Tensor:
        if step == 3:
            model.eval()
        return model(torch.randn(2, 5, 8, requires_grad=True)).square().mean()

    return recorded(tape, model, loss_of, 5)


class Recurrent(nn.Module):
    """Adds to what its cell makes, an op of its own, and makes one of the same name before."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.cell = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, turns: int) -> torch.Tensor:
        h = torch.tanh(self.inner(x))
        for _ in range(turns):
            h = torch.tanh(self.cell(h)) + h  # a turn of both
        return h.mean()


def recurrent(tape: Path) -> Tape:
    """2, 4 and 3 turns take turns."""
    model = Recurrent()
    return recorded(tape, model, lambda step: model(torch.ones(2, 4), (2, 4, 3)[step % 3]), 12)


class Shared(nn.Module):
    """Each expert gets the first or the other rows."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(Block() for _ in range(2))

    def forward(self, x: torch.Tensor, n_first: int) -> torch.Tensor:
        parts = [expert(rows) * 2 for expert, rows in zip(self.experts, (x[:n_first], x[n_first:]), strict=True)]
        return torch.cat(parts).sum()


def shared(tape: Path) -> Tape:
    """From step 3 on the experts get 2 and 3 rows instead of 4 and 1."""
    model = Shared()
    return recorded(tape, model, lambda step: model(torch.ones(5, 4), 4 if step < 3 else 2), 5)


TRAININGS: dict[str, Callable[[Path], Tape]] = {
    make.__name__: make
    for make in (
        *(reader, stochastic_depth, routing, early_exit, dropout, batch, features, freezing, detached, gan),
        *(accumulation, rewiring, checkpointing, functional, evaluation, precision, cast),
        *(frozen_layers, transformer, recurrent, shared),
    )
}
