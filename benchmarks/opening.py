"""How many boxes a first drawing shows, whatever the model, and how long it takes to say what to draw.

    python -m benchmarks.opening [NAME…]

All of torchvision's classification models, and models whose graphs have another form. A line that is out of bounds ends
with a mark: fewer than 15 boxes although there is more to show, or more than 150.
"""

import sys
import time
from collections.abc import Callable
from itertools import pairwise

import networkx as nx
import torch
from torch import nn

from benchmarks.graphs import classifier_graph, classifiers, lstm_graph, step_graph, transformer_graph
from tracer.model.opening import FEW_BOXES, MOST_BOXES
from tracer.model.view_builder import ViewOptions, build_view, default_open


class Mixture(nn.Module):
    """Layers of experts, each of which gets the tokens that a router sends it; the best two add up."""

    class Layer(nn.Module):
        def __init__(self, width: int, experts: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(width)
            self.router = nn.Linear(width, experts)
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
                for _ in range(experts)
            )

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            seen = self.norm(tokens)
            weights, chosen = self.router(seen).softmax(-1).topk(2)
            mixed = torch.zeros_like(tokens)
            for number, expert in enumerate(self.experts):
                rows, slots = (chosen == number).nonzero(as_tuple=True)
                mixed = mixed.index_add(0, rows, expert(seen[rows]) * weights[rows, slots, None])
            return tokens + mixed

    def __init__(self, layers: int = 6, experts: int = 8, width: int = 16) -> None:
        super().__init__()
        self.embedding = nn.Linear(8, width)
        self.layers = nn.ModuleList(self.Layer(width, experts) for _ in range(layers))
        self.head = nn.Linear(width, 4)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = self.embedding(tokens)
        for layer in self.layers:
            tokens = layer(tokens)
        answer: torch.Tensor = self.head(tokens)
        return answer


class TreeLSTM(nn.Module):
    """Leaves and inner nodes of a tree, from the bottom up, by recursion within one call."""

    class Cell(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.gates = nn.Linear(2 * width, 5 * width)

        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            (one, one_cell), (other, other_cell) = left.chunk(2), right.chunk(2)
            put, new, keep_one, keep_other, out = self.gates(torch.cat((one, other))).chunk(5)
            kept = keep_one.sigmoid() * one_cell + keep_other.sigmoid() * other_cell
            cell = put.sigmoid() * new.tanh() + kept
            return torch.cat((out.sigmoid() * cell.tanh(), cell))

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.leaf, self.cell = nn.Linear(width, 2 * width), self.Cell(width)
        self.head = nn.Linear(2 * width, 2)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.head(self.reduce(words))
        return answer

    def reduce(self, words: torch.Tensor) -> torch.Tensor:
        if len(words) == 1:
            leaf: torch.Tensor = self.leaf(words[0])
            return leaf
        middle = (len(words) + 2) // 3
        node: torch.Tensor = self.cell(self.reduce(words[:middle]), self.reduce(words[middle:]))
        return node


class Flat(nn.Module):
    """A loop over plain tensor operations: no modules to open."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns
        self.weight, self.bias = nn.Parameter(torch.randn(8, 8) / 8), nn.Parameter(torch.zeros(8))

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        for _ in range(self.turns):
            state = torch.tanh(state @ self.weight + self.bias) + state
        return state


class TurnByTurn(nn.Module):
    """A cell and a head each turn, the losses added up."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns
        self.embedding, self.cell, self.head = nn.Linear(8, 8), nn.GRUCell(8, 8), nn.Linear(8, 4)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        embedded, state, total = self.embedding(words), torch.zeros(2, 8), torch.zeros(())
        for turn in range(self.turns):
            state = self.cell(embedded[:, turn], state)
            total = total + nn.functional.cross_entropy(self.head(state), torch.zeros(2, dtype=torch.long))
        return total


def perceptron() -> nx.MultiDiGraph:
    sizes = (8, 32, 16, 4)
    layers = [part for ends in pairwise(sizes) for part in (nn.Linear(*ends), nn.ReLU())]
    return step_graph(nn.Sequential(*layers), torch.randn(2, 8))


OTHERS: dict[str, Callable[[], nx.MultiDiGraph]] = {
    "perceptron": perceptron,
    "LSTMCell ×200": lambda: lstm_graph(200),
    "LSTMCell ×650": lambda: lstm_graph(650),
    "GRUCell, head and loss ×200": lambda: step_graph(TurnByTurn(200), torch.randn(2, 200, 8)),
    "flat loop ×1000": lambda: step_graph(Flat(1000), torch.randn(2, 8)),
    "mixture of experts 6×8": lambda: step_graph(Mixture(), torch.randn(64, 8)),
    "tree-LSTM of 60 words": lambda: step_graph(TreeLSTM(), torch.randn(60, 8)),
    "transformer ×96": lambda: transformer_graph(96),
}


def report(name: str, graph: nx.MultiDiGraph) -> None:
    started = time.perf_counter()
    opened = default_open(graph)
    chosen = time.perf_counter()
    view = build_view(graph, ViewOptions(opened))
    built = time.perf_counter()
    calls = frozenset(call["key"] for call in graph.graph["module_calls"])
    everything = len(build_view(graph, ViewOptions(calls)).boxes)
    unfolded = len(build_view(graph, ViewOptions(calls, folds_repeats=False)).boxes)
    boxes = len(view.boxes)
    mark = "" if min(FEW_BOXES, everything) <= boxes <= MOST_BOXES else "   << out of bounds"
    times = f"choosing {(chosen - started) * 1000:6.1f} ms, view {(built - chosen) * 1000:5.1f} ms"
    print(
        f"{name:28} {len(graph):6} nodes   {boxes:4} boxes, {len(view.folds):2} folds   all open {everything:5}, "
        f"without folds {unfolded:6}   {times}{mark}",
        flush=True,
    )


def main() -> None:
    wanted = sys.argv[1:]
    for name in [*OTHERS, *classifiers()]:
        if not wanted or name in wanted:
            report(name, OTHERS[name]() if name in OTHERS else classifier_graph(name))


if __name__ == "__main__":
    main()
