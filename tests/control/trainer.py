"""A real training for the control tests: a tiny model, a line on stdout per step, a `finally` that tells."""

import sys

import torch

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
try:
    for _ in range(int(sys.argv[1])):
        optimizer.zero_grad()
        model(torch.ones(3, 2)).sum().backward()
        optimizer.step()
    print("all done", flush=True)
finally:
    print("cleaned up", flush=True)
