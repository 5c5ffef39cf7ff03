"""An oracle for capture that shares nothing with it: autograd's own objects, walked just before the engine runs.

Nothing of a graph is kept: what the oracle knows of a node it leaves in the node's `metadata`.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from unittest.mock import patch

import networkx as nx
import torch
from torch import nn
from torch.autograd.graph import GradientEdge
from torch.autograd.variable import Variable

from tests.capture.node_hook import HAS_HOOK, telling_of_nodes

Root = tuple[int, int]  # a node and which of its outputs


@dataclass
class Fact:
    """What is known of one autograd node. `inputs` are (node, output_nr) by the position in `next_functions`."""

    op: str
    path: str | None
    parameter: str | None
    is_leaf: bool
    shapes: list[list[int]]
    dtype: str | None
    device: str | None
    inputs: dict[int, Root] = field(default_factory=dict)


@dataclass
class Built:
    """What autograd had in one step."""

    nodes: dict[int, Fact] = field(default_factory=dict)
    roots: list[Root] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)  # parameters that backwards within a backward reached
    calls: Counter[str] = field(default_factory=Counter)
    trainable: set[str] = field(default_factory=set)

    @property
    def unreached(self) -> set[str]:
        return self.trainable - self.hidden - {fact.parameter for fact in self.nodes.values()}


class Oracle:
    """Watches a training of `models`, named by what stands before their names on the tape; `take` after each step."""

    def __init__(self, models: dict[str, nn.Module]) -> None:
        self._models = models
        self._built = Built()
        self._numbers = count()
        self._local = threading.local()
        self._leaves: dict[int, torch.Tensor] = {}  # alive until the step ends, so that ids stay theirs
        self._depth = 0

    def take(self) -> Built:
        """What was built since the last time."""
        built, self._built = self._built, Built()
        names = {id(weight): name for name, weight in self._named("named_parameters") if weight.requires_grad}
        built.trainable = set(names.values())
        self._leaves.clear()
        return built

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Must begin before the recording, so that the recorder is between the training and the oracle."""
        call, run_thread = nn.Module.__call__, threading.Thread.run
        oracle = self

        def watched_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            path = oracle._path(module)
            is_compiled = (
                module._compiled_call_impl is not None
            )  # hooks too are compiled away: its caller makes the node
            if path is None or is_compiled or torch.compiler.is_compiling():
                return call(module, *args, **kwargs)
            oracle._stack.append(path)
            if not oracle._depth:
                oracle._built.calls[path] += 1
            try:
                return call(module, *args, **kwargs)
            finally:
                oracle._stack.pop()

        def watched_thread(thread: threading.Thread) -> None:
            with telling_of_nodes(oracle._note):
                run_thread(thread)

        with (
            patch.object(nn.Module, "__call__", watched_call),
            patch.object(threading.Thread, "run", watched_thread),
            patch.object(Variable, "_execution_engine", _Engine(Variable._execution_engine, self)),
            telling_of_nodes(self._note),
        ):
            yield

    def begin_backward(self, roots: list[Any], accumulates: bool, inputs: Sequence[Any] = ()) -> None:
        """`inputs` are what alone it is to reach, where it was told so."""
        self._depth += 1
        edges = [edge_of(root) for root in roots]
        if self._depth == 1:
            self._built.roots += [self._walk(node, output_nr) for node, output_nr in edges if node is not None]
        elif accumulates:
            for node, _ in edges:
                self._built.hidden |= self._parameters_below(node)

    def end_backward(self) -> None:
        self._depth -= 1

    @property
    def _stack(self) -> list[str]:
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        return self._local.stack

    def _note(self, node: Any) -> None:
        """The hook for each node as it is made."""
        if not hasattr(node, "variable"):
            node.metadata["made in"] = self._stack[-1] if self._stack else None

    def _named(self, kind: str) -> Iterator[tuple[str, Any]]:
        for prefix, model in self._models.items():
            for name, thing in getattr(model, kind)():
                yield ".".join(part for part in (prefix, name) if part), thing

    def _path(self, module: nn.Module) -> str | None:
        inner = getattr(module, "_orig_mod", module)  # what torch.compile wraps
        return next((path for path, known in self._named("named_modules") if known is inner), None)

    def _parameter(self, leaf: torch.Tensor) -> str | None:
        return next((name for name, known in self._named("named_parameters") if known is leaf), None)

    def _number(self, node: Any) -> int:
        if hasattr(node, "variable"):
            self._leaves[id(node.variable)] = node.variable
            return -id(node.variable)
        if "number" not in node.metadata:
            node.metadata["number"] = next(self._numbers)
        return node.metadata["number"]

    def _walk(self, start: Any, output_nr: int) -> Root:
        pending = [start]
        while pending:
            node = pending.pop()
            number = self._number(node)
            if number in self._built.nodes:
                continue
            fact = self._built.nodes[number] = self._fact(node)
            for slot, (child, child_output) in enumerate(node.next_functions):
                if child is not None:
                    fact.inputs[slot] = self._number(child), child_output
                    pending.append(child)
        return self._number(start), output_nr

    def _fact(self, node: Any) -> Fact:
        if hasattr(node, "variable"):
            leaf = node.variable
            return Fact(
                node.name(), None, self._parameter(leaf), True, [list(leaf.shape)], _dtype(leaf), str(leaf.device)
            )
        outputs = node._input_metadata
        dtype, device = (_dtype(outputs[0]), str(outputs[0].device)) if outputs else (None, None)
        path = node.metadata["made in"] if HAS_HOOK else None  # a KeyError: a node that no hook was told of
        return Fact(node.name(), path, None, False, [_sizes(output) for output in outputs], dtype, device)

    def _parameters_below(self, start: Any) -> set[str]:
        seen, pending, found = {start}, [start], set()
        while pending:
            node = pending.pop()
            if hasattr(node, "variable"):
                found.add(self._parameter(node.variable))
            fresh = {child for child, _ in node.next_functions if child is not None} - seen
            seen |= fresh
            pending += fresh
        return found - {None}


class _Engine:
    """Autograd's engine, which tells the oracle what it is asked for."""

    def __init__(self, engine: Any, oracle: Oracle) -> None:
        self._engine, self._oracle = engine, oracle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run_backward(self, roots: Any, *args: Any, accumulate_grad: bool, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():  # the compiler derives a backward, of tensors without values
            return self._engine.run_backward(roots, *args, accumulate_grad=accumulate_grad, **kwargs)
        inputs = args[3] if len(args) > 3 else kwargs.get("inputs", ())
        self._oracle.begin_backward(list(roots), accumulate_grad, inputs or ())
        try:
            return self._engine.run_backward(roots, *args, accumulate_grad=accumulate_grad, **kwargs)
        finally:
            self._oracle.end_backward()


def edge_of(root: Any) -> tuple[Any, int]:
    if isinstance(root, GradientEdge):
        return root.node, root.output_nr
    if not root.requires_grad:
        return None, 0
    edge = torch.autograd.graph.get_gradient_edge(root)
    return edge.node, edge.output_nr


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _sizes(output: Any) -> list[int]:
    """-1 for the ragged one of a jagged tensor; of a nested tensor, which has none, nothing."""
    try:
        return [size if isinstance(size, int) else -1 for size in output.shape]
    except RuntimeError:
        return []


def is_opaque(op: str) -> bool:
    """Whether autograd hides what the node of this name stands for."""
    return (
        op in ("CheckpointFunctionBackward", "CompiledFunctionBackward")
        or op.startswith("CppNode<")
        or op.endswith("::DifferentiableGraphBackward")
    )


def check(graph: nx.MultiDiGraph, built: Built) -> dict[int, str]:
    """The tape's graph is what autograd built, slot by slot, and says the same of every node; the keys of the oracle's
    nodes."""
    roots = list(dict.fromkeys(built.roots))
    outputs = [key for key, data in graph.nodes(data=True) if data["kind"] == "output"]
    assert len(outputs) == len(roots)
    key_of: dict[int, str] = {}
    pending: list[tuple[int, str]] = []
    for output, (root, output_nr) in zip(outputs, roots, strict=True):
        ((source, _, edge),) = graph.in_edges(output, data=True)
        assert edge["output_nr"] == output_nr
        pending.append((root, source))
    while pending:
        number, key = pending.pop()
        if number in key_of:
            assert key_of[number] == key
            continue
        key_of[number] = key
        fact = built.nodes[number]
        _check_node(graph.nodes[key], fact, key)
        edges = list(graph.in_edges(key, data=True))
        slots = {data["input_nr"]: (source, data["output_nr"]) for source, _, data in edges}
        assert slots.keys() == fact.inputs.keys() and len(edges) == len(fact.inputs), key
        for slot, (child, output_nr) in fact.inputs.items():
            assert slots[slot][1] == output_nr, key
            pending.append((child, slots[slot][0]))
    assert len(set(key_of.values())) == len(key_of)
    assert {key for key, data in graph.nodes(data=True) if data["kind"] in ("op", "parameter")} == set(key_of.values())
    assert set(graph.graph["unreached"]) == built.unreached
    called = Counter(dict.fromkeys(built.calls, 0))
    for call in graph.graph["module_calls"]:
        called[call["path"]] += call["count"]
    assert built.calls <= called, called
    return key_of


def _check_node(data: dict, fact: Fact, key: str) -> None:
    assert data["op"] == fact.op, key
    assert data["kind"] == ("parameter" if fact.is_leaf else "op"), key
    assert data["parameter"] == fact.parameter, key
    assert data["shapes"] == fact.shapes, key
    assert data["opaque"] == (not fact.is_leaf and is_opaque(fact.op)), key
    if not fact.is_leaf and HAS_HOOK:
        assert data["module"] == fact.path, (key, data["module"], fact.path)
    if fact.dtype is not None:
        assert (data["dtype"], data["device"]) == (fact.dtype, fact.device), key
