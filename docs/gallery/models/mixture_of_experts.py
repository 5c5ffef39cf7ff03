"""A transformer whose feed-forward layers are mixtures of eight experts: which of them run depends on the tokens."""

import torch
from torch import nn


class Experts(nn.Module):
    def __init__(self, size, count):
        super().__init__()
        self.router = nn.Linear(size, count)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size)) for _ in range(count)
        )

    def forward(self, tokens):
        """Sends each token of (tokens, size) to the expert that scores highest, weighted by the score."""
        scores, chosen = self.router(tokens).softmax(dim=-1).max(dim=-1)
        output = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            rows = (chosen == number).nonzero().flatten()
            if len(rows):
                output = output.index_add(0, rows, scores[rows, None] * expert(tokens[rows]))
        return output


class Block(nn.Module):
    def __init__(self, size, experts):
        super().__init__()
        self.attention = nn.MultiheadAttention(size, 4, batch_first=True)
        self.norm_1, self.norm_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.experts = Experts(size, experts)

    def forward(self, tokens):
        normal = self.norm_1(tokens)
        tokens = tokens + self.attention(normal, normal, normal, need_weights=False)[0]
        return tokens + self.experts(self.norm_2(tokens).flatten(0, 1)).view_as(tokens)


class Model(nn.Module):
    def __init__(self, size=32, blocks=3, experts=8):
        super().__init__()
        self.embedding = nn.Embedding(40, size)
        self.blocks = nn.ModuleList(Block(size, experts) for _ in range(blocks))
        self.head = nn.Linear(size, 40)

    def forward(self, words):
        tokens = self.embedding(words)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens)


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(8):
    words = torch.randint(40, (1, 9))
    loss = nn.functional.cross_entropy(model(words[:, :-1]).flatten(0, 1), words[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
