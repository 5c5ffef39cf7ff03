"""Everything known of a step, a node, a module call or an edge, as titled rows of text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import networkx as nx

from gui import format as fmt
from gui.names import Names
from tracer import GraphDiff, Pass, Step
from tracer.model.call_keys import call_keys
from tracer.model.unreached import unreached_parameters

MOST_LINKS = 200
"""Rows of one list; a weight may feed thousands of nodes."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One row. `key` names the node or module call that the row leads to, "" for none."""

    name: str
    value: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    facts: tuple[Fact, ...]


def step_facts(step: Step, graph: nx.MultiDiGraph | None, structure: int) -> tuple[Section, ...]:
    """What is known of a whole step; `structure` is its structure's number on the timeline. `graph` may be missing."""
    unreached = unreached_parameters(graph) if graph is not None else ()
    return _filled(
        Section("Step", tuple(_step_rows(step, structure))),
        Section("Scalars", tuple(Fact(name, fmt.number(value)) for name, value in step.scalars.items())),
        Section("Graph", graph_rows(graph) if graph is not None else ()),
        Section("Passes", tuple(_pass_row(number, one) for number, one in enumerate(step.passes, 1))),
        Section(f"Unreached parameters ({fmt.count(len(unreached))})", _capped(Fact("", name) for name in unreached)),
    )


def node_facts(graph: nx.MultiDiGraph, key: str, diff: GraphDiff | None = None) -> tuple[Section, ...]:
    """What is known of one op, parameter or output of the graph. Raises KeyError where it has no such node."""
    node, names = graph.nodes[key], Names(graph)
    return _filled(
        Section("Node", tuple(_node_rows(graph, key, node))),
        Section("Tensor", tuple(_tensor_rows(node))),
        Section("Changed", tuple(_change_rows(diff.changed.get(key, {}) if diff else {}, names))),
        _link_section("Inputs", _input_rows(graph, key, names)),
        _link_section("Outputs", _output_rows(graph, key, names)),
    )


def call_facts(graph: nx.MultiDiGraph, key: str) -> tuple[Section, ...]:
    """What is known of one module call. Raises KeyError where the step has none of that key."""
    calls, keys, names = graph.graph["module_calls"], call_keys(graph), Names(graph)
    number = call_number(graph, key)
    below = _subtree(calls, number)
    inside = _members(graph, {keys[at] for at in below})
    children = [Fact(calls[at]["class"], names.of(keys[at]), keys[at]) for at in below if calls[at]["parent"] == number]
    fed_by = [Fact(calls[at]["class"], names.of(keys[at]), keys[at]) for at in calls[number].get("fed_by", ())]
    return _filled(
        Section("Module call", tuple(_call_rows(calls, number, keys, names, bool(inside)))),
        Section("Content", tuple(_content_rows(graph, inside)) if inside else ()),
        _link_section("Fed by", fed_by),
        _link_section("Calls", children),
        _link_section("Inputs", _outside((source for source, _ in graph.in_edges(inside)), inside, names)),
        _link_section("Outputs", _outside((target for _, target in graph.out_edges(inside)), inside, names)),
    )


def link_facts(graph: nx.MultiDiGraph, sources: Sequence[str], targets: Sequence[str]) -> tuple[Section, ...]:
    """What is known of the edges that lead straight from one set of nodes to another."""
    wanted = set(targets)
    edges = [edge for edge in graph.out_edges((key for key in sources if key in graph), data=True) if edge[1] in wanted]
    if not edges:
        return (Section("Edge", (Fact("", "No direct edge in this step"),)),)
    shown, names = edges[:MOST_LINKS], Names(graph)
    ends = tuple(fact for source, target, data in shown for fact in _edge_rows(source, target, data, names))
    tensor = tuple(_tensor_rows(graph.nodes[edges[0][0]])) if len(edges) == 1 else ()
    return _filled(Section(f"Edges ({fmt.count(len(edges))})", ends), Section("Tensor", tensor))


def opaque_text(op: str) -> str:
    """What an opaque node stands for, in one sentence; the names are those of `tracer/capture/walk.py`."""
    if op.startswith("CheckpointFunction"):
        return (
            "Opaque: a reentrant checkpoint; autograd hides what is inside and builds it anew in backward."
            " With use_reentrant=False it would be shown"
        )
    if op.startswith("CompiledFunction"):
        return "Opaque: a region compiled by torch.compile; autograd hides what is inside"
    if "torch::jit" in op:
        return "Opaque: a TorchScript graph; autograd hides what is inside"
    if op.startswith("CppNode<"):
        return "Opaque: an autograd function written in C++; autograd hides what is inside"
    return "Opaque: autograd hides what is inside"


def call_number(graph: nx.MultiDiGraph, key: str) -> int:
    """The place of the call with one of `call_keys` among a graph's `module_calls`. Raises KeyError."""
    try:
        return call_keys(graph).index(key)
    except ValueError:
        raise KeyError(key) from None


def _filled(*sections: Section) -> tuple[Section, ...]:
    return tuple(section for section in sections if section.facts)


def _capped(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    every = tuple(facts)
    if len(every) <= MOST_LINKS:
        return every
    return (*every[:MOST_LINKS], Fact("", f"and {fmt.count(len(every) - MOST_LINKS)} more"))


def _link_section(title: str, facts: Iterable[Fact]) -> Section:
    every = tuple(facts)
    return Section(f"{title} ({fmt.count(len(every))})", _capped(every))


def _step_rows(step: Step, structure: int) -> Iterable[Fact]:
    yield Fact("step", fmt.count(step.index))
    if step.topology_id:
        yield Fact("structure", f"{fmt.count(structure + 1)} ({step.topology_id[:10]})")
        yield Fact("shapes", step.shape_id[:10])
    yield Fact("phase", step.phase)
    yield Fact("optimizer", step.optimizer or "none")
    yield Fact("started", fmt.moment(step.started_ns))
    yield Fact("duration", fmt.duration(step.duration_secs))
    yield Fact("recorded", step.level if step.topology_id else "no graph")


_graph_rows: WeakKeyDictionary[nx.MultiDiGraph, tuple[Fact, ...]] = WeakKeyDictionary()


def graph_rows(graph: nx.MultiDiGraph) -> tuple[Fact, ...]:
    """What there is of what in a graph; made at the first question, which is best asked by the thread that draws."""
    rows = _graph_rows.get(graph)
    if rows is None:
        kinds = [kind for _, kind in graph.nodes(data="kind")]
        # networkx counts by degrees, which takes four times as long.
        edges = sum(len(between) for _, targets in graph.adjacency() for between in targets.values())
        rows = _graph_rows[graph] = (
            Fact("nodes", fmt.count(len(kinds))),
            Fact("ops", fmt.count(kinds.count("op"))),
            Fact("parameters", fmt.count(kinds.count("parameter"))),
            Fact("edges", fmt.count(edges)),
            Fact("module calls", fmt.count(len(graph.graph["module_calls"]))),
        )
    return rows


def _pass_row(number: int, one: Pass) -> Fact:
    loss = "" if one.loss is None else f", loss {fmt.number(one.loss)}"
    times = f" ×{fmt.count(one.count)}" if one.count > 1 else ""
    return Fact(str(number), f"{one.kind}{times}{loss}")


def _node_rows(graph: nx.MultiDiGraph, key: str, node: Mapping[str, Any]) -> Iterable[Fact]:
    yield Fact("kind", node["kind"])
    if node["op"]:
        yield Fact("op", node["op"])
    if node["parameter"]:
        yield Fact("parameter", node["parameter"])
    call_key = node.get("call_key")
    if call_key:
        calls = graph.graph["module_calls"]
        yield Fact("module", node["module"] or "(the model)", call_key)
        yield Fact("class", calls[call_number(graph, call_key)]["class"])
        yield Fact("call", str(node["call"]))
    yield Fact("pass", str(node["pass_index"]))
    yield Fact("key", key)


def _tensor_rows(node: Mapping[str, Any]) -> Iterable[Fact]:
    shapes = node["shapes"]
    for number, sizes in enumerate(shapes):
        yield Fact("shape" if len(shapes) == 1 else f"shape {number}", fmt.shape(sizes))
    if node["dtype"]:
        yield Fact("dtype", node["dtype"])
    if node["device"]:
        yield Fact("device", node["device"])


def _change_rows(changes: Mapping[str, tuple[Any, Any]], names: Names) -> Iterable[Fact]:
    for name, (before, after) in changes.items():
        yield Fact(name, f"{_plain(name, before, names)} → {_plain(name, after, names)}")


def _plain(name: str, value: Any, names: Names) -> str:
    if name == "shapes":
        return ", ".join(map(fmt.shape, value))
    if name == "inputs":
        return ", ".join(names.of(source) for source, _, _ in value) or "none"
    return str(value)


def _input_rows(graph: nx.MultiDiGraph, key: str, names: Names) -> list[Fact]:
    edges = sorted(graph.in_edges(key, data=True), key=lambda edge: edge[2]["input_nr"])
    return [
        Fact(str(data["input_nr"]), _with_output(names.of(source), data["output_nr"]), source)
        for source, _, data in edges
    ]


def _output_rows(graph: nx.MultiDiGraph, key: str, names: Names) -> list[Fact]:
    edges = sorted(graph.out_edges(key, data=True), key=lambda edge: edge[2]["output_nr"])
    return [Fact(str(data["output_nr"]), names.of(target), target) for _, target, data in edges]


def _with_output(source: str, output_nr: int) -> str:
    return source if output_nr == 0 else f"{source} (output {output_nr})"


def _call_rows(
    calls: Sequence[Mapping[str, Any]], number: int, keys: Sequence[str], names: Names, has_nodes: bool
) -> Iterable[Fact]:
    call = calls[number]
    yield Fact("module", call["path"] or "(the model)")
    yield Fact("class", call["class"])
    yield Fact("call", str(call["call"]))
    if call["parent"] is not None:
        parent = keys[call["parent"]]
        yield Fact("called by", names.of(parent), parent)
    yield Fact("mode", "training" if call["training"] else "evaluation")
    yield Fact("gradients", _gradients_text(call["grad_enabled"], has_nodes))
    if call.get("count", 1) > 1:
        yield Fact("times", f"{fmt.count(call['count'])} equal calls")


def _gradients_text(grad_enabled: bool, has_nodes: bool) -> str:
    if not grad_enabled:
        return "off"
    return "on" if has_nodes else "on, but none reached it"


def _content_rows(graph: nx.MultiDiGraph, inside: set[str]) -> Iterable[Fact]:
    """A parameter belongs to no call: those count that the ops inside use, each once."""
    used = inside.union(source for source, _ in graph.in_edges(inside))
    yield Fact("ops", fmt.count(sum(graph.nodes[key]["kind"] == "op" for key in inside)))
    yield Fact("parameters", fmt.count(sum(graph.nodes[key]["kind"] == "parameter" for key in used)))


def _subtree(calls: Sequence[Mapping[str, Any]], root: int) -> list[int]:
    """A call and all calls below it. A parent stands before its children."""
    inside = {root: None}
    for number, call in enumerate(calls):
        if call["parent"] in inside:
            inside[number] = None
    return list(inside)


def _members(graph: nx.MultiDiGraph, calls: set[str]) -> set[str]:
    return {key for key, call_key in graph.nodes(data="call_key") if call_key in calls}


def _edge_rows(source: str, target: str, data: Mapping[str, Any], names: Names) -> Iterable[Fact]:
    yield Fact(f"output {data['output_nr']}", names.of(source), source)
    yield Fact(f"input {data['input_nr']}", names.of(target), target)


def _outside(ends: Iterable[str], inside: set[str], names: Names) -> list[Fact]:
    return [Fact("", names.of(end), end) for end in dict.fromkeys(end for end in ends if end not in inside)]
