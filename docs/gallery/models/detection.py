"""Faster R-CNN on a MobileNet with a feature pyramid, as torchvision builds it: four losses in one step."""

import torch
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

torch.manual_seed(0)
model = fasterrcnn_mobilenet_v3_large_320_fpn(
    weights=None, weights_backbone=None, num_classes=4, trainable_backbone_layers=6
)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
boxes = torch.tensor([[20.0, 30.0, 90.0, 120.0], [50.0, 10.0, 150.0, 100.0]])
for _ in range(3):
    images = [torch.rand(3, 160, 160) for _ in range(2)]
    targets = [{"boxes": boxes, "labels": torch.tensor([1, 2])} for _ in images]
    loss = sum(model(images, targets).values())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
