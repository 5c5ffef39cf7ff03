"""An LSTM cell stepped once for each word, 198 to 203 times: sequences of different length, so different graphs."""

import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.cell = nn.LSTMCell(16, 32)
        self.output = nn.Linear(32, 2)

    def forward(self, words):
        state = None
        for word in self.embedding(words).unbind(dim=1):
            state = self.cell(word, state)
        hidden, _ = state
        return self.output(hidden)


torch.manual_seed(0)
model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for length in (200, 198, 203, 200, 198, 203):
    words = torch.randint(50, (4, length))
    loss = nn.functional.cross_entropy(model(words), words[:, 0] % 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
