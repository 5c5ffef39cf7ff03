"""A generative adversarial network: generator and discriminator learn in turns, each through the other."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh())
discriminator = nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
optimizers = {
    "generator": torch.optim.Adam(generator.parameters(), lr=2e-4),
    "discriminator": torch.optim.Adam(discriminator.parameters(), lr=2e-4),
}
score = nn.functional.binary_cross_entropy_with_logits
real, fake = torch.ones(16, 1), torch.zeros(16, 1)
for _ in range(4):
    images = generator(torch.randn(16, 8))
    loss = score(discriminator(torch.randn(16, 16)), real) + score(discriminator(images.detach()), fake)
    optimizers["discriminator"].zero_grad()
    loss.backward()
    optimizers["discriminator"].step()

    loss = score(discriminator(images), real)
    optimizers["generator"].zero_grad()
    loss.backward()
    optimizers["generator"].step()
