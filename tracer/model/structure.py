"""A distinct graph, as captured and as stored: plain records that hold no tensor, and their networkx form."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import networkx as nx

Shape = tuple[int, ...]
"""Sizes of one tensor, -1 for a ragged dimension; () is a scalar, or a nested tensor, which has no sizes."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Where in the user's code an op was made. `function` is its qualified name."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One call of an `nn.Module`. `call` counts the calls of `path` in the step, apart for those with and without grad.

    `parent` is the index of the calling call in the same tuple of calls, None at the top. `count` is how many equal
    forward-only passes this one stands for. `fed_by` are the indices, in the same tuple, of the calls whose outputs
    came to this one as inputs: the data flow of a forward-only pass, which has no graph.
    """

    path: str
    class_name: str
    call: int
    parent: int | None
    training: bool
    grad_enabled: bool
    count: int = 1
    fed_by: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """`path#call`, unique among the calls with grad of one step."""
        return f"{self.path}#{self.call}"


@dataclass(frozen=True, slots=True)
class Node:
    """One autograd node, or one output. `call` is the index of the innermost module call that made it; `inside` that of
    the graph it stands for in the structure's `insides`, where that is known. See DESIGN's Read API."""

    key: str
    kind: str  # "op" | "parameter" | "output"
    op: str
    call: int | None
    module: str | None
    pass_index: int
    shapes: tuple[Shape, ...]
    dtype: str
    device: str
    opaque: bool = False
    parameter: str | None = None
    inside: int | None = None


@dataclass(frozen=True, slots=True)
class InsideNode:
    """One node of a `torch.fx` graph: its name, what it does ("placeholder", "call_function", …, "output") and to what
    (`target`, as text), the sizes and dtype of its value where it is one tensor. `inputs` are the indices of the nodes
    whose values it takes, in order."""

    name: str
    op: str
    target: str
    inputs: tuple[int, ...]
    shape: Shape | None
    dtype: str
    source: SourceLine | None = None


@dataclass(frozen=True, slots=True)
class Inside:
    """What an opaque node stands for, where that is known: the FX graph that `torch.compile` handed to its backend."""

    title: str  # "torch.compile, backend inductor"
    nodes: tuple[InsideNode, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """One non-null entry of the target's `next_functions`, in data-flow direction; ends are indices of nodes.

    `output_nr` is the number in that entry: which output of the source flows. `input_nr` is the entry's position: which
    input of the target it becomes.
    """

    source: int
    target: int
    output_nr: int
    input_nr: int


@dataclass(frozen=True, slots=True)
class Structure:
    """The graph of a step with everything that does not vary between the steps that share it.

    Nodes stand in the order the forward pass made them, parameters in order of name, outputs last; edges by target,
    then by input.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    calls: tuple[ModuleCall, ...]
    unreached: tuple[str, ...]
    insides: tuple[Inside, ...] = ()


def to_networkx(
    structure: Structure, evaluated: tuple[ModuleCall, ...] = (), lines: Sequence[SourceLine | None] = ()
) -> nx.MultiDiGraph:
    """The graph of DESIGN's Read API; `evaluated` are the calls of the forward-only passes that came before it in the
    step, `lines` the source lines of the nodes in their order, if known."""
    graph = nx.MultiDiGraph()
    graph.graph["module_calls"] = [
        *_call_dicts(evaluated, offset=0),
        *_call_dicts(structure.calls, offset=len(evaluated)),
    ]
    graph.graph["unreached"] = list(structure.unreached)
    insides = [inside_to_networkx(inside) for inside in structure.insides]
    for node, line in zip_longest(structure.nodes, lines):
        inside = None if node.inside is None else insides[node.inside]
        graph.add_node(node.key, **_node_dict(node, structure.calls, line), inside=inside)
    keys = [node.key for node in structure.nodes]
    for edge in structure.edges:
        graph.add_edge(keys[edge.source], keys[edge.target], output_nr=edge.output_nr, input_nr=edge.input_nr)
    return graph


def inside_to_networkx(inside: Inside) -> nx.MultiDiGraph:
    """The nodes by name with op, target, shape (list or None), dtype and source; edges with input_nr; the graph's
    title."""
    graph = nx.MultiDiGraph(title=inside.title)
    for node in inside.nodes:
        shape = None if node.shape is None else list(node.shape)
        source = _source_dict(node.source)
        graph.add_node(node.name, op=node.op, target=node.target, shape=shape, dtype=node.dtype, source=source)
    names = [node.name for node in inside.nodes]
    for node in inside.nodes:
        for input_nr, source_index in enumerate(node.inputs):
            graph.add_edge(names[source_index], node.name, input_nr=input_nr)
    return graph


def _node_dict(node: Node, calls: tuple[ModuleCall, ...], line: SourceLine | None) -> dict[str, Any]:
    call = None if node.call is None else calls[node.call]
    return {
        "kind": node.kind,
        "op": node.op,
        "module": node.module,
        "call": None if call is None else call.call,
        "call_key": None if call is None else call.key,
        "pass_index": node.pass_index,
        "shapes": [list(shape) for shape in node.shapes],
        "dtype": node.dtype,
        "device": node.device,
        "source": _source_dict(line),
        "opaque": node.opaque,
        "parameter": node.parameter,
    }


def _source_dict(line: SourceLine | None) -> dict[str, Any] | None:
    """As `dataclasses.asdict` would give it, which takes longer than the rest of a node."""
    return None if line is None else {"file": line.file, "line": line.line, "function": line.function}


def _call_dicts(calls: tuple[ModuleCall, ...], offset: int) -> list[dict[str, Any]]:
    return [
        {
            "path": call.path,
            "class": call.class_name,
            "call": call.call,
            "key": call.key,
            "parent": None if call.parent is None else call.parent + offset,
            "training": call.training,
            "grad_enabled": call.grad_enabled,
            "count": call.count,
            "fed_by": [at + offset for at in call.fed_by],
        }
        for call in calls
    ]
