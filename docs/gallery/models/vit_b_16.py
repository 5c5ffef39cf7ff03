"""Vision Transformer, base, patches of 16 × 16, as torchvision builds it, on random images."""

import torch
from torch import nn
from torchvision.models import vit_b_16

torch.manual_seed(0)
model = vit_b_16(num_classes=10)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for _ in range(3):
    loss = nn.functional.cross_entropy(model(torch.randn(2, 3, 224, 224)), torch.randint(10, (2,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
