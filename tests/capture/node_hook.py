"""`torch.autograd.graph.node_creation_hook` for tests, which torch 2.11 does not have and 2.14 has."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch

HAS_HOOK = hasattr(torch.autograd.graph, "node_creation_hook")
needs_hook = pytest.mark.skipif(not HAS_HOOK, reason="this torch has no node_creation_hook")


def telling_of_nodes(hook: Callable[[Any], None]) -> AbstractContextManager[None]:
    """Inside, each node that autograd makes on this thread is shown to the hook, where this torch can."""
    return torch.autograd.graph.node_creation_hook(hook) if HAS_HOOK else nullcontext()
