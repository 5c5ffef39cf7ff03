"""What a log of module calls consists of: integers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from tracer.capture.names import Names

EXIT = -1
ELSEWHERE = -2
"""What follows was called on another thread."""

TRAINING = 1
GRAD = 2
FLAGS = 2  # bits

_is_grad_enabled: Callable[[], bool] = torch.is_grad_enabled


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of a log: what was entered or left, and the next sequence number then, relative to `base`. The first
    `n_earlier` are of earlier steps."""

    tokens: Sequence[int]
    marks: Sequence[int]
    base: int
    n_earlier: int = 0


def token_of(module: torch.nn.Module, names: Names) -> int:
    """Which module is entered, in which mode."""
    known = names.tokens.get(id(module))
    token = (names.module_token(module) if known is None else known) << FLAGS
    if module.training:
        token |= TRAINING
    if _is_grad_enabled():
        token |= GRAD
    return token


def top_level_calls(tokens: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Positions of the first and the last entry of each call that lies in no other and has ended."""
    depth = start = 0
    for at, token in enumerate(tokens):
        if token == EXIT:
            depth -= 1
            if depth == 0:
                yield start, at
        else:
            if depth == 0:
                start = at
            depth += 1
