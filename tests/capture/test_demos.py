"""Both demos as they are: each graph equals an independent walk, and recording changes no loss and no weight."""

import runpy
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

import assets
from tracer import Tape, record

DEMOS = Path(next(iter(assets.__path__))) / "demos"
SHORT = {
    "mnist_mlp": ["--shipped", "--epochs", "2", "--batches", "30"],
    "sentence_rnn": ["--steps", "40"],
}


@dataclass
class Run:
    """What a demo did: per step the loss, autograd's nodes by name, and its edges by name; at the end the weights."""

    losses: list[float] = field(default_factory=list)
    nodes: list[list[str]] = field(default_factory=list)
    edges: list[list[tuple[str, int, str, int]]] = field(default_factory=list)
    weights: list[torch.Tensor] = field(default_factory=list)


def walk(loss: torch.Tensor) -> tuple[list[str], list[tuple[str, int, str, int]]]:
    """Names of the nodes and edges (source, output, target, input) that the loss reaches, sorted."""
    seen: dict[Any, str] = {}
    edges = []
    pending = [loss.grad_fn]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen[node] = node.name()
        for slot, (child, output_nr) in enumerate(node.next_functions):
            if child is not None:
                edges.append((child.name(), output_nr, node.name(), slot))
                pending.append(child)
    return sorted(seen.values()), sorted(edges)


def run_demo(name: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = Run()
    backward = torch.autograd.backward

    def spying_backward(loss: torch.Tensor, *args: Any, **kwargs: Any) -> None:
        run.losses.append(loss.item())
        nodes, edges = walk(loss)
        run.nodes.append(nodes)
        run.edges.append(edges)
        backward(loss, *args, **kwargs)

    def keep_weights(optimizer: torch.optim.Optimizer, *_: object) -> None:
        run.weights = [weight.detach().clone() for group in optimizer.param_groups for weight in group["params"]]

    with monkeypatch.context() as patch, ExitStack() as stack:
        patch.setattr(torch.autograd, "backward", spying_backward)
        patch.setattr("sys.argv", [name, *SHORT[name]])
        stack.callback(register_optimizer_step_post_hook(keep_weights).remove)
        runpy.run_path(str(DEMOS / f"{name}.py"), run_name="__main__")
    return run


@pytest.mark.parametrize("name", sorted(SHORT))
def test_every_step_of_a_demo_is_recorded_as_autograd_built_it_and_nothing_changes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = run_demo(name, monkeypatch)
    with record(tmp_path / "run.tape", strict=True):
        recorded = run_demo(name, monkeypatch)

    assert recorded.losses == bare.losses
    assert all(torch.equal(a, b) for a, b in zip(recorded.weights, bare.weights, strict=True))
    tape = Tape(tmp_path / "run.tape")
    assert len(tape) == len(bare.losses) >= 40
    assert tape.series("loss")[1].tolist() == bare.losses
    for step in range(len(tape)):
        graph = tape.graph(step)
        made = {key: data["op"] for key, data in graph.nodes(data=True) if data["kind"] != "output"}
        assert sorted(made.values()) == recorded.nodes[step]
        edges = [
            (made[source], data["output_nr"], made[target], data["input_nr"])
            for source, target, data in graph.edges(data=True)
            if target in made
        ]
        assert sorted(edges) == recorded.edges[step]
