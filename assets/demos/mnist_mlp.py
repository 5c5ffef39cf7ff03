"""Handwritten digits with a small network

The loss falls while the graph stays the same: three linear layers and two ReLUs, step after step.
Watch the last batch of an epoch, which is smaller and changes the shapes alone, and the test after each epoch, which
builds no graph.
"""

import argparse
import os
import threading
import urllib.request
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms

MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels of MNIST's training images
SHIPPED_DIGITS = Path(__file__).resolve().parent.parent / "data" / "optical_digits.csv.gz"
SHIPPED_TRAINING_IMAGES = 1500  # of 1,797; the rest is for the test


class MyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def train(model, device, loader, optimizer, epoch, max_batches):
    model.train()
    for batch, (images, digits) in enumerate(islice(loader, max_batches)):
        images, digits = images.to(device), digits.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), digits)
        loss.backward()
        optimizer.step()
        if batch % 100 == 0:
            print(f"Train epoch {epoch}, batch {batch} of {len(loader)}: loss {loss.item():.4f}", flush=True)


def test(model, device, loader):
    model.eval()
    total_loss, correct = 0.0, 0
    with torch.no_grad():
        for images, digits in loader:
            images, digits = images.to(device), digits.to(device)
            output = model(images)
            total_loss += F.cross_entropy(output, digits, reduction="sum").item()
            correct += (output.argmax(dim=1) == digits).sum().item()
    count = len(loader.dataset)
    average_loss = total_loss / count
    print(f"Test: average loss {average_loss:.4f}, accuracy {correct}/{count} ({correct / count:.0%})", flush=True)


def load_digits(use_mnist):
    """The training set and the test set: MNIST if it is on disk or downloadable, else the digits that ship with us."""
    if use_mnist:
        folder = find_or_download_mnist()
        if folder is not None:
            print(f"Data: MNIST, from {folder}", flush=True)
            steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)])
            return datasets.MNIST(folder, transform=steps), datasets.MNIST(folder, train=False, transform=steps)
    print("Data: 1,797 optical digits by E. Alpaydin and C. Kaynak (UCI), enlarged to 28x28", flush=True)
    return load_shipped_digits()


def load_shipped_digits():
    table = torch.from_numpy(np.loadtxt(SHIPPED_DIGITS, delimiter=",", dtype=np.float32))
    images = table[:, :64].reshape(-1, 1, 8, 8) / 16
    images = F.interpolate(images, size=(28, 28), mode="bilinear")
    images = (images - MEAN) / DEVIATION
    digits = table[:, 64].long()
    first = slice(None, SHIPPED_TRAINING_IMAGES)
    rest = slice(SHIPPED_TRAINING_IMAGES, None)
    return TensorDataset(images[first], digits[first]), TensorDataset(images[rest], digits[rest])


def find_or_download_mnist():
    """The folder that holds MNIST as torchvision stores it; None without one and without a network."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "torchvision"
    folders = [Path(os.environ.get("TORCHVISION_DATA", "data")), Path("data"), cache]
    for folder in folders:
        if (folder / "MNIST" / "raw" / "train-images-idx3-ubyte").exists():
            return folder
    if not is_mnist_reachable():
        return None
    try:
        datasets.MNIST(cache, download=True)
    except (OSError, RuntimeError):
        return None
    return cache


def is_mnist_reachable(timeout_secs=3.0):
    """Whether MNIST's server answers in time. Looking up its name has no time-out of its own, hence the thread."""
    address = datasets.MNIST.mirrors[0] + datasets.MNIST.resources[-1][0]
    answered = threading.Event()

    def ask():
        try:
            with urllib.request.urlopen(address, timeout=timeout_secs):
                answered.set()
        except OSError:
            pass

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_secs)
    return answered.is_set()


def pick_device():
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def main():
    parser = argparse.ArgumentParser(description="Train a three-layer network on handwritten digits")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batches", type=int, help="train on at most so many batches an epoch")
    parser.add_argument("--shipped", action="store_true", help="use the shipped digits, without looking for MNIST")
    options = parser.parse_args()

    torch.manual_seed(1)
    device = pick_device()
    training_set, test_set = load_digits(use_mnist=not options.shipped)
    train_loader = DataLoader(training_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=1000)

    model = MyModel().to(device)
    optimizer = optim.SGD(model.parameters(), lr=0.001, momentum=0.5)
    for epoch in range(1, options.epochs + 1):
        train(model, device, train_loader, optimizer, epoch, options.batches)
        test(model, device, test_loader)


if __name__ == "__main__":
    main()
