"""A tree-LSTM (Tai, Socher and Manning, 2015): the graph has the shape of each sentence's binary tree."""

import random

import torch
from torch import nn


class Compose(nn.Module):
    """Hidden state and cell of a parent from those of its two children."""

    def __init__(self, size):
        super().__init__()
        self.gates = nn.Linear(2 * size, 5 * size)

    def forward(self, left, right):
        gates = self.gates(torch.cat([left[0], right[0]], dim=-1))
        update, enter, output, keep_left, keep_right = gates.chunk(5, dim=-1)
        cell = enter.sigmoid() * update.tanh() + keep_left.sigmoid() * left[1] + keep_right.sigmoid() * right[1]
        return output.sigmoid() * cell.tanh(), cell


class TreeLSTM(nn.Module):
    def __init__(self, size=16):
        super().__init__()
        self.embedding = nn.Embedding(30, size)
        self.compose = Compose(size)
        self.output = nn.Linear(size, 2)

    def forward(self, tree):
        return self.output(self.state_of(tree)[0])

    def state_of(self, tree):
        if isinstance(tree, int):
            word = self.embedding(torch.tensor([tree]))
            return word, torch.zeros_like(word)
        return self.compose(self.state_of(tree[0]), self.state_of(tree[1]))


def random_tree(leaves):
    if leaves == 1:
        return random.randrange(30)
    left = random.randrange(1, leaves)
    return random_tree(left), random_tree(leaves - left)


random.seed(0)
torch.manual_seed(0)
model = TreeLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(8):
    loss = nn.functional.cross_entropy(model(random_tree(random.randint(6, 9))), torch.randint(2, (1,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
