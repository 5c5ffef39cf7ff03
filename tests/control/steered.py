"""A training to be steered: its graph changes at steps 7, 20 and 21; prints its weights' checksum at the end."""

import hashlib
import sys

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.extra = nn.Linear(4, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor, is_deep: bool) -> torch.Tensor:
        x = self.body(x)
        return self.head(self.extra(x).relu() if is_deep else x)


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.0)
for step in range(int(sys.argv[1])):
    optimizer.zero_grad()
    net(torch.randn(8, 4), 7 <= step < 20 or step >= 21).square().mean().backward()
    optimizer.step()
weights = b"".join(parameter.detach().numpy().tobytes() for parameter in net.parameters())
print(hashlib.blake2b(weights).hexdigest())
