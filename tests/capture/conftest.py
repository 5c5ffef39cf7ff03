"""An oracle for capture that shares nothing with it: autograd's own objects, walked and compared node by node."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import torch
from torch import nn

from tracer import Tape, record


@dataclass
class Seen:
    """What autograd itself had in one step: nodes kept alive, the module path each was made in, by PyTorch's own
    hook."""

    losses: list[torch.Tensor] = field(default_factory=list)
    paths: dict[Any, str | None] = field(default_factory=dict)


class Oracle:
    """Run `step` under `watch`, then `check` the step's graph from the tape against what autograd had."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.names = {id(parameter): name for name, parameter in model.named_parameters()}
        self.parameters = dict(model.named_parameters())

    @contextmanager
    def watch(self) -> Iterator[Seen]:
        """Note every node as it is made, with the innermost module of the model whose forward is running."""
        seen, stack = Seen(), []
        with ExitStack() as hooks:
            for path, module in self.model.named_modules():
                enter = module.register_forward_pre_hook(lambda *_, path=path: stack.append(path))
                leave = module.register_forward_hook(lambda *_: [stack.pop(), None][1])
                hooks.callback(enter.remove)
                hooks.callback(leave.remove)
            note = torch.autograd.graph.node_creation_hook(
                lambda node: seen.paths.__setitem__(node, stack[-1] if stack else None)
            )
            hooks.enter_context(note)
            yield seen

    def check(self, graph: nx.MultiDiGraph, seen: Seen) -> None:
        """The tape's graph and autograd's are the same, slot by slot, and say the same of every node."""
        matched: dict[Any, str] = {}
        pending = []
        outputs = [key for key, data in graph.nodes(data=True) if data["kind"] == "output"]
        assert len(outputs) == len(seen.losses)
        for key, loss in zip(outputs, seen.losses, strict=True):
            (source, _, edge), *others = graph.in_edges(key, data=True)
            assert not others and edge["output_nr"] == loss.output_nr
            pending.append((loss.grad_fn, source))
        while pending:
            node, key = pending.pop()
            if node in matched:
                assert matched[node] == key
                continue
            matched[node] = key
            self._check_node(graph, seen, node, key)
            slots = {
                data["input_nr"]: (source, data["output_nr"]) for source, _, data in graph.in_edges(key, data=True)
            }
            expected = {slot: entry for slot, entry in enumerate(node.next_functions) if entry[0] is not None}
            assert slots.keys() == expected.keys(), key
            assert graph.in_degree(key) == len(expected), key
            for slot, (child, output_nr) in expected.items():
                assert slots[slot][1] == output_nr, key
                pending.append((child, slots[slot][0]))
        assert len(set(matched.values())) == len(matched)
        autograd_nodes = {key for key, data in graph.nodes(data=True) if data["kind"] in ("op", "parameter")}
        assert autograd_nodes == set(matched.values())

    def _check_node(self, graph: nx.MultiDiGraph, seen: Seen, node: Any, key: str) -> None:
        data = graph.nodes[key]
        assert data["op"] == node.name()
        if hasattr(node, "variable"):
            assert data["kind"] == "parameter"
            assert data["parameter"] == self.names.get(id(node.variable)), key
            assert data["shapes"] == [list(node.variable.shape)]
            return
        assert data["kind"] == "op"
        if node in seen.paths:
            path = seen.paths[node]
            assert data["module"] == path, (key, data["module"], path)
        metadata = node._input_metadata
        assert data["shapes"] == [list(item.shape) for item in metadata]
        if metadata:
            assert data["dtype"] == str(metadata[0].dtype).removeprefix("torch.")
            assert data["device"] == str(metadata[0].device)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bit-equal sums, and no threads spinning against each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


Step = Callable[[int], list[torch.Tensor]]


@pytest.fixture
def compare(tmp_path: Path) -> Callable[..., Tape]:
    """Record steps of a model and check each against the oracle. `forward(i)` gives the losses of step i, each then
    run backward."""

    def run(
        model: nn.Module, optimizer: torch.optim.Optimizer, forward: Step, n_steps: int = 3, **options: Any
    ) -> Tape:
        oracle, all_seen = Oracle(model), []
        with record(tmp_path / "run.tape", strict=True, **options):
            for step in range(n_steps):
                optimizer.zero_grad()
                with oracle.watch() as seen:
                    seen.losses = forward(step)
                for at, loss in enumerate(seen.losses):
                    loss.backward(retain_graph=at + 1 < len(seen.losses))
                optimizer.step()
                all_seen.append(seen)
        tape = Tape(tmp_path / "run.tape")
        assert not tape.events("capture_failed")
        assert len(tape) == n_steps
        for step, seen in enumerate(all_seen):
            oracle.check(tape.graph(step), seen)
        return tape

    return run
