"""Plain records of a `torch.fx` graph."""

import re
from itertools import chain
from typing import Any

import torch
from torch.fx.node import map_arg

from tracer.capture.frames import Frames
from tracer.model.structure import Inside, InsideNode, Shape

_MAX_NODES = 20_000

# how Dynamo writes what it was given: L['self']._modules['fc']._parameters['weight']
_LOCAL = re.compile(r"^[LG]\['(\w+)'\]")
_MEMBER = re.compile(r"\._(?:modules|parameters|buffers)\['([^']+)'\]")


def inside_of_graph(graph_module: torch.fx.GraphModule, title: str, frames: Frames) -> Inside:
    """The graph's nodes in their order. A subgraph's (a branch of `torch.cond`) come before the node that gets it,
    their names begin with its name; what is fed to its placeholders is the business of the node that calls it.

    Past 20,000 nodes the rest is left out, and the title says so.
    """
    records: list[InsideNode] = []
    index: dict[Any, int] = {}
    opened: dict[Any, Any] = {}
    pending = [("", graph_module, iter(graph_module.graph.nodes))]
    while pending and len(records) < _MAX_NODES:
        prefix, owner, nodes = pending[-1]
        node = next(nodes, None)
        if node is None:
            pending.pop()
            continue
        subgraph = _subgraph(owner, node) if node not in opened else None
        if subgraph is not None:
            opened[node] = list(subgraph.graph.nodes)[-1]
            pending[-1] = prefix, owner, chain([node], nodes)
            pending.append((f"{prefix}{node.name}/", subgraph, iter(subgraph.graph.nodes)))
            continue
        inputs = [opened.pop(node)] if node in opened else _inputs(node)
        records.append(_record(node, prefix, tuple(index[child] for child in inputs if child in index), frames))
        index[node] = len(records) - 1
    if pending and len(records) == _MAX_NODES:
        title = f"{title}, first {_MAX_NODES} nodes"
    return Inside(title, tuple(records))


def _subgraph(owner: torch.fx.GraphModule, node: Any) -> torch.fx.GraphModule | None:
    if node.op != "get_attr":
        return None
    found: Any = owner
    for name in node.target.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, torch.fx.GraphModule) else None


def _inputs(node: Any) -> list[Any]:
    """The nodes among its arguments, as often as they occur."""
    found: list[Any] = []
    map_arg((node.args, node.kwargs), lambda child: found.append(child))
    return found


def _record(node: Any, prefix: str, inputs: tuple[int, ...], frames: Frames) -> InsideNode:
    value = node.meta.get("example_value", node.meta.get("val"))
    is_tensor = isinstance(value, torch.Tensor)
    return InsideNode(
        prefix + node.name,
        node.op,
        _source_text(node) if node.op == "placeholder" else _target_text(node.target),
        inputs,
        _sizes(value) if is_tensor else None,
        str(value.dtype).removeprefix("torch.") if is_tensor else "",
        frames.innermost_of_traceback(node.stack_trace) if node.stack_trace else None,
    )


def _sizes(value: torch.Tensor) -> Shape | None:
    """None where a size is a symbol; asking whether it equals a number would make the compiled code depend on it."""
    if value.is_nested:
        return None
    sizes = tuple(value.shape)
    return sizes if all(type(size) is int for size in sizes) else None


def _source_text(node: Any) -> str:
    """What of the user's a placeholder stands for: "self.fc.weight"."""
    name = getattr(getattr(node.meta.get("grapharg"), "source", None), "name", None)
    text = name() if callable(name) else name  # a method up to torch 2.9
    if not isinstance(text, str):
        return str(node.target)
    return _MEMBER.sub(r".\1", _LOCAL.sub(r"\1", text))


def _target_text(target: Any) -> str:
    """A function's qualified name as a user would write it; a method's or an attribute's name."""
    name = getattr(target, "__name__", None)
    if isinstance(target, (str, torch._ops.OpOverload)) or not isinstance(name, str):
        return str(target)
    if getattr(torch, name, None) is target:
        return f"torch.{name}"
    if getattr(torch.nn.functional, name, None) is target:
        return f"torch.nn.functional.{name}"
    module = getattr(target, "__module__", None)
    return f"{module.removeprefix('_')}.{name}" if module else name
